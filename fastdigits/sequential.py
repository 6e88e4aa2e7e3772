"""The Python API: build, train, evaluate, save and load a network, and predict digits with it."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from fastdigits import ops as devices
from fastdigits.config.training import TrainConfig
from fastdigits.data.preprocessing import Normalisation, polarity_note, polarity_warning
from fastdigits.errors import TrainingWarning, UserError
from fastdigits.inference.evaluate import Evaluation
from fastdigits.inference.pool import NetworkPool
from fastdigits.nn import Network
from fastdigits.nn.layers import Layer, Shape
from fastdigits.ops.runtime import compilation
from fastdigits.storage import weights
from fastdigits.storage.history import Epoch
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.callbacks import Callback
from fastdigits.training.failure import TrainingFailed, TrainingInterrupted
from fastdigits.training.loop import train
from fastdigits.training.transfer import with_new_head


class Sequential:
    """A network of layers, one after the other.

    Any number of threads may predict, evaluate and save at the same time. While one of them trains the network, these
    calls raise UserError in the others.

    Parameters
    ----------
    layers : list of Layer
    input_shape : (1, rows, columns)
        Shape of one image.
    device : str
        "auto", "cpu", "cuda" or "reference".
    classes : sequence of str, optional
        Names of the classes, which messages, tables and the weights file show; their numbers by default.

    Attributes
    ----------
    network : Network

    Raises
    ------
    UserError
        If a layer does not fit the one before it.

    Examples
    --------
    >>> from fastdigits import Conv2D, Dense, Flatten, MaxPool2D, ReLU, Sequential, load_digits
    >>> digits = load_digits()
    >>> model = Sequential([Conv2D(16, 3, padding="same"), ReLU(), MaxPool2D(2), Flatten(), Dense(10)])
    >>> history = model.fit(digits.train_images, digits.train_labels, epochs=3, augment="shift=1,rotate=5")
    >>> accuracy = model.evaluate(digits.test_images, digits.test_labels).accuracy
    >>> probabilities = model.predict(digits.test_images[:5])  # float32 (5, 10)
    >>> model.save("digits.h5")
    """

    def __init__(
        self,
        layers: list[Layer],
        input_shape: Shape = (1, 28, 28),
        device: str = "auto",
        classes: Sequence[str] | None = None,
    ):
        self.network = Network(_as_layers(layers), input_shape, classes)
        self.device = devices.choose_device()[0] if device == "auto" else device
        self._trained: _Trained | None = None
        self._training = Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Return what `pickle` and `copy` need: everything but the kernels, which each process loads.

        Raises
        ------
        UserError
            If another thread trains the network.
        """
        saved = self._saved() if self._trained or self._training.locked() else None
        return {"network": self.network.config(), "device": self.device, "saved": saved}

    def __setstate__(self, state: dict[str, Any]) -> None:
        network = Network.from_config(state["network"])
        Sequential.__init__(self, network.layers, network.input_shape, state["device"], network.class_names)
        if state["saved"]:
            self._restore(state["saved"])

    @property
    def config(self) -> TrainConfig:
        """Settings of the last `fit`; the defaults if the network is not trained."""
        return self._trained.config if self._trained else TrainConfig()

    @property
    def history(self) -> list[Epoch]:
        """Metrics of each epoch of the last `fit`; empty if the network is not trained."""
        return self._trained.history if self._trained else []

    @property
    def normalisation(self) -> Normalisation | None:
        """Preprocessing of the images; None if the network is not trained."""
        return self._trained.pool.normalisation if self._trained else None

    def fit(
        self, images: np.ndarray, labels: np.ndarray, callback: Callback | None = None, **settings: Any
    ) -> list[Epoch]:
        """Initialize the weights, train the network and return the metrics of each epoch.

        With warm_start=True, training starts from the weights and the normalization that the network has, instead of
        random weights, and the layers that `freeze` names, such as freeze="conv2d_1,batchnorm_1", keep theirs.

        If training diverges or is interrupted, the network keeps its weights and history of the last finite epoch or
        step. If there are none, it stays as it was before.

        Parameters
        ----------
        images : uint8 (N, rows, columns)
        labels : uint8 (N,)
        callback : Callback, optional
            Called after every step and epoch.
        **settings
            Fields of TrainConfig, such as epochs=3, lr=0.01, seed=7 or augment="shift=2,rotate=10". With pad=2, the
            input_shape of the network must have 4 rows and 4 columns more than the images.

        Raises
        ------
        UserError
            If a setting or an array is invalid, the images do not fit the network, another thread trains it, or
            training diverges.
        KeyboardInterrupt
            If training is interrupted.

        Warns
        -----
        TrainingWarning
            If the predictions of the network are no better than chance; the message says what happened.
        UserWarning
            If some images have dark ink and others light ink.
        """
        config = _as_config(settings)
        images, labels = _as_uint8(images, "images"), _as_uint8(labels, "labels")
        start = self._saved() if config.warm_start else None
        if not self._training.acquire(blocking=False):
            raise UserError("This network is being trained already; call fit again when the first call has returned.")
        trained, self._trained = self._trained, None  # predicting with partly trained weights must raise an error
        try:
            ops = devices.load(self.device, exact=config.exact)
            with compilation.shown(compilation.Line()):
                result = train(self.network, images, labels, ops, config, callback or Callback(), trained=start)
            trained = _Trained.of(self.network, result.normalisation, config, result.epochs)
        except (TrainingFailed, TrainingInterrupted) as stop:
            if stop.result:
                trained = _Trained.of(self.network, stop.result.normalisation, config, stop.result.epochs)
            raise
        finally:
            self._trained = trained
            self._training.release()
        if (note := polarity_note(images)) and not result.normalisation.preparation.invert:
            warnings.warn(note, stacklevel=2)
        if result.verdict and not result.verdict.above_chance:
            warnings.warn(result.verdict.message, TrainingWarning, stacklevel=2)
        return result.epochs

    def with_classes(self, classes: int | Sequence[str], seed: int = 0) -> "Sequential":
        """Return a network for other classes, to train with `fit(..., warm_start=True)`.

        Its last dense layer has new random weights; all other layers have those of this network.

        Parameters
        ----------
        classes : int or sequence of str
            Number or names of the classes.
        seed : int
            Seed of the random weights.

        Raises
        ------
        UserError
            If the network is not trained, or its last layer is not dense.

        Examples
        --------
        >>> from fastdigits import load
        >>> letters = load("digits.h5").with_classes(26)
        """
        names = tuple(map(str, range(classes))) if isinstance(classes, int) else tuple(classes)
        saved = with_new_head(self._saved(), names, seed)
        network = Network.from_config(saved.network)
        model = Sequential(network.layers, network.input_shape, self.device, network.class_names)
        model._restore(saved)
        return model

    def evaluate(self, images: np.ndarray, labels: np.ndarray) -> Evaluation:
        """Return loss, accuracy and confusion matrix on images uint8 (N, rows, columns) with labels uint8 (N,).

        Warns
        -----
        UserWarning
            If the images have the other polarity than those that the network was trained on.
        """
        images, labels = _as_uint8(images, "images"), _as_uint8(labels, "labels")
        trained = self._checked_trained()
        with compilation.shown(compilation.Line()):
            result = trained.pool.evaluate(images, labels, trained.config.loss)
        if warning := polarity_warning(images, trained.pool.normalisation):
            warnings.warn(warning, stacklevel=2)
        return result

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the class probabilities, float32 (N, classes), of images uint8 (N, rows, columns)."""
        images = _as_uint8(images, "images")
        trained = self._checked_trained()
        with compilation.shown(compilation.Line()):
            return trained.pool.probabilities(images)

    def save(self, path: str | Path) -> None:
        """Write the network, its preprocessing and its history to an HDF5 file, which `load` reads."""
        weights.write(path, self._saved())

    def _saved(self) -> SavedNetwork:
        trained = self._checked_trained()
        return SavedNetwork.of(
            trained.pool.network,
            trained.pool.normalisation,
            trained.config,
            trained.history,
            model="sequential",
            dataset="arrays",
        )

    def _restore(self, saved: SavedNetwork) -> None:
        ops = devices.load(self.device, exact=saved.config["exact"])
        self.network = saved.built(ops, ops.lanes)
        history = [Epoch(**epoch) for epoch in saved.history]
        self._trained = _Trained.of(self.network, saved.normalisation, TrainConfig(**saved.config), history)

    def _checked_trained(self) -> "_Trained":
        trained = self._trained  # read once, because another thread may call fit
        if trained is None and self._training.locked():
            raise UserError("This network is being trained; use it when fit has returned.")
        if trained is None:
            raise UserError("This network is not trained; call fit first.")
        return trained


@dataclass(frozen=True)
class _Trained:
    """What the last `fit` or `load` left. A new `fit` replaces it and does not change it."""

    pool: NetworkPool
    config: TrainConfig
    history: list[Epoch]

    @classmethod
    def of(
        cls, network: Network, normalisation: Normalisation, config: TrainConfig, history: list[Epoch]
    ) -> "_Trained":
        """Keep the weights of a network, which allocates new ones when it is built again."""
        copy = network.inference_copy(network.ops, network.ops.lanes)
        return cls(NetworkPool(copy, normalisation), config, history)


def load(path: str | Path, device: str = "auto") -> Sequential:
    """Load a trained network from a weights file.

    Parameters
    ----------
    path : path
        A file that `Sequential.save` or `fastdigits train` wrote.
    device : str
        "auto", "cpu", "cuda" or "reference".

    Raises
    ------
    UserError
        If the file is damaged or not a weights file.

    Examples
    --------
    >>> from fastdigits import load, load_digits
    >>> model = load("digits.h5")
    >>> digit = model.predict(load_digits().test_images[:1]).argmax()
    """
    saved = weights.read(path)
    network = Network.from_config(saved.network)
    model = Sequential(network.layers, network.input_shape, device, network.class_names)
    model._restore(saved)
    return model


def _as_layers(layers: list[Layer]) -> list[Layer]:
    if not isinstance(layers, list | tuple):
        raise UserError(f"Sequential takes a list of layers, such as [Flatten(), Dense(10)], not {layers!r}.")
    for layer in layers:
        if not isinstance(layer, Layer):
            raise UserError(f"Sequential takes layers, such as Flatten() and Dense(10), not {layer!r}.")
    return list(layers)


def _as_config(settings: dict[str, Any]) -> TrainConfig:
    names = [field.name for field in fields(TrainConfig)]
    for name in settings:
        if name not in names:
            raise UserError(f"Unknown setting '{name}'; choose among {', '.join(names)}.")
    try:
        return TrainConfig(**settings)
    except TypeError as error:
        raise UserError(f"A setting has a value of the wrong type ({error}); see TrainConfig.") from None


def _as_uint8(array: np.ndarray, what: str) -> np.ndarray:
    try:
        array = np.asarray(array)
    except ValueError:
        raise UserError(f"The {what} must be one array, not lists of different lengths.") from None
    if array.dtype != np.uint8 or array.ndim != (3 if what == "images" else 1) or not len(array):
        expected = "uint8 of shape (N, rows, columns)" if what == "images" else "uint8 of shape (N,)"
        raise UserError(f"The {what} must be {expected} with at least one entry, not {array.dtype} {array.shape}.")
    return array
