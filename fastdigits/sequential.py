"""The Python API: build, train, evaluate, save and load a network, and predict digits with it."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from reprlib import repr as shown
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdigits import extend
from fastdigits import ops as devices
from fastdigits.config.training import TrainConfig
from fastdigits.data.preprocessing import Normalisation, polarity_note, polarity_warning
from fastdigits.errors import TrainingWarning, UserError
from fastdigits.inference.evaluate import Evaluation, worst_mistakes
from fastdigits.inference.pool import NetworkPool
from fastdigits.inspection.summary import Table, layer_rows, layer_table
from fastdigits.nn import Network
from fastdigits.nn.layers import Layer, Shape
from fastdigits.nn.registry import is_built_in, register
from fastdigits.nn.sequence import walk
from fastdigits.ops.runtime import compilation
from fastdigits.plots import confusion, curves, mistakes
from fastdigits.storage import weights
from fastdigits.storage.history import Epoch, RunGroup
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.callbacks import Callback, Callbacks
from fastdigits.training.failure import TrainingFailed, TrainingInterrupted
from fastdigits.training.loop import Rows, train
from fastdigits.training.online import OnlineTrainer
from fastdigits.training.progress import Progress
from fastdigits.training.transfer import with_new_head
from fastdigits.training.weighting import ClassWeight, image_weights

if TYPE_CHECKING:
    from matplotlib.figure import Figure

History = dict[str, list[Any]]


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
        self._register_layers()
        self.device = devices.choose_device()[0] if device == "auto" else device
        self._trained: _Trained | None = None
        self._online: OnlineTrainer | None = None  # after train_on_batch
        self._is_snapshot = False  # whether `_trained` has the weights of `_online`
        self._training = Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Return what `pickle` and `copy` need: everything but the kernels, which each process loads.

        Raises
        ------
        UserError
            If another thread trains the network.
        """
        saved = self._saved() if self._trained or self._online or self._training.locked() else None
        custom = [type(layer) for layer in walk(self.network.layers) if not is_built_in(layer)]
        return {"network": self.network.config(), "device": self.device, "saved": saved, "custom": custom}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for layer in state["custom"]:
            register(layer)
        network = Network.from_config(state["network"])
        Sequential.__init__(self, network.layers, network.input_shape, state["device"], network.class_names)
        if state["saved"]:
            self._restore(state["saved"])

    @property
    def config(self) -> TrainConfig:
        """Settings of the last `fit`; the defaults if the network is not trained."""
        return self._trained.config if self._trained else TrainConfig()

    @property
    def history(self) -> History:
        """Metrics of each epoch of the last `fit`, a list by name; the lists are empty if there was none.

        The names are epoch, train_loss, train_accuracy, validation_loss, validation_accuracy, learning_rate, seconds
        and images_per_second. `pandas.DataFrame(model.history)` makes a table of them.
        """
        return _columns(self._trained.history if self._trained else [])

    @property
    def normalisation(self) -> Normalisation | None:
        """Preprocessing of the images; None if the network is not trained."""
        return self._trained.pool.normalisation if self._trained else None

    def fit(
        self,
        x: np.ndarray,
        y: np.ndarray,
        callbacks: Callback | Sequence[Callback] = (),
        *,
        validation_data: tuple[np.ndarray, np.ndarray] | None = None,
        validation_split: float | None = None,
        class_weight: ClassWeight = None,
        sample_weight: Any = None,
        verbose: int | None = None,
        **settings: Any,
    ) -> History:
        """Initialize the weights, train the network and return the metrics of each epoch.

        With warm_start=True, training starts from the weights and the normalization that the network has, instead of
        random weights, and the layers that `freeze` names, such as freeze="conv2d_1,batchnorm_1", keep theirs.

        If training diverges or is interrupted, the network keeps its weights and history of the last finite epoch or
        step. If there are none, it stays as it was before.

        Parameters
        ----------
        x : uint8 (N, rows, columns)
            Images.
        y : uint8 or uint16 (N,)
            Their labels: numbers of classes, from 0 on.
        callbacks : Callback or list of Callback
            Called after every step and epoch. They can stop training or change the learning rate.
        validation_data : (x, y), optional
            Images and labels to validate on after each epoch.
        validation_split : float, optional
            Fraction of the images to set aside for validation, the same of every class. By default a twelfth of them.
            The setting `validation` gives their number instead.
        class_weight : dict or "balanced", optional
            Factor of the loss of each class, such as {3: 2.0}; 1 for the others. "balanced" gives all classes the same
            weight, however many images they have.
        sample_weight : array (N,), optional
            Factor of the loss of each image.
        verbose : int, optional
            0 shows nothing, 1 a line that changes, 2 a line per epoch. By default 1 on a terminal and in a notebook,
            else 0. On a pipe, 1 is as 2. Lines are written to stderr.
        **settings
            Fields of TrainConfig, such as epochs=3, lr=0.01, seed=7 or augment="shift=2,rotate=10". With pad=2, the
            input_shape of the network must have 4 rows and 4 columns more than the images.

        Returns
        -------
        dict of lists
            See `history`.

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
        x, y = _as_uint8(x, "images"), _as_uint8(y, "labels")
        images, labels, rows, held_out = _with_validation(x, y, validation_data, validation_split)
        config = _as_config(_with_held_out(settings, held_out))
        weights = image_weights(y, class_weight, sample_weight, self.network.classes)
        if weights is not None and rows:
            weights = np.concatenate([weights, np.ones(len(rows[1]), np.float32)])
        start = self._saved() if config.warm_start else None
        progress = _progress(verbose, config)
        listening = [*_as_callbacks(callbacks), *progress]
        with self._training_alone():
            trained, self._trained = self._trained, None  # predicting with partly trained weights must raise an error
            self._online = None
            try:
                ops = devices.load(self.device, exact=config.exact)
                with compilation.shown(compilation.Line()):
                    result = train(
                        self.network,
                        images,
                        labels,
                        ops,
                        config,
                        Callbacks(listening),
                        rows,
                        trained=start,
                        weights=weights,
                    )
                trained = _Trained.of(self.network, result.normalisation, config, result.epochs)
            except (TrainingFailed, TrainingInterrupted) as stop:
                if stop.result:
                    trained = _Trained.of(self.network, stop.result.normalisation, config, stop.result.epochs)
                raise
            finally:
                self._trained = trained
                for line in progress:
                    line.close()
        if (note := polarity_note(images)) and not result.normalisation.preparation.invert:
            warnings.warn(note, stacklevel=2)
        if result.verdict and not result.verdict.above_chance:
            warnings.warn(result.verdict.message, TrainingWarning, stacklevel=2)
        return _columns(result.epochs)

    def train_on_batch(
        self,
        x: np.ndarray,
        y: np.ndarray,
        *,
        class_weight: ClassWeight = None,
        sample_weight: Any = None,
        **settings: Any,
    ) -> tuple[float, float]:
        """Train on one batch, with one step of the optimizer, and return its mean loss and its accuracy.

        The first call starts from the weights and the preprocessing of a trained network, or from random weights and
        the mean and standard deviation of the first batch. The following calls go on.

        Parameters
        ----------
        x : uint8 (N, rows, columns)
            At most as many images as the setting `batch_size`, or as the first batch if that is larger.
        y : uint8 (N,)
        class_weight, sample_weight
            See `fit`.
        **settings
            See `fit`; those of the first call hold. The learning rate is constant.

        Raises
        ------
        UserError
            If a setting or an array is invalid, the images do not fit the network, another thread trains it, or the
            loss is not finite. In the last case, the network stays as it was before the first call.
        """
        x, y = _as_uint8(x, "images"), _as_uint8(y, "labels")
        weights = image_weights(y, class_weight, sample_weight, self.network.classes)
        with self._training_alone(), compilation.shown(compilation.Line()):
            online = self._online or self._start_online(x, y, settings)
            if settings and _as_config(asdict(online.config) | settings) != online.config:
                raise UserError("The settings of train_on_batch hold from its first call on; give the same or none.")
            self.network.check_images(x, y, online.config.pad)
            if len(x) > online.max_images:
                raise UserError(
                    f"The batch has {len(x)} images, more than the {online.max_images} of the first call; give "
                    f"batch_size={len(x)} there."
                )
            self._online = None
            loss, accuracy = online.step(x, y, weights)
            self._online, self._is_snapshot = online, False
        return loss, accuracy

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

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> Evaluation:
        """Return loss, accuracy and confusion matrix on images uint8 (N, rows, columns) with labels (N,).

        Warns
        -----
        UserWarning
            If the images have the other polarity than those that the network was trained on.
        """
        x, y = _as_uint8(x, "images"), _as_uint8(y, "labels")
        trained = self._checked_trained()
        with compilation.shown(compilation.Line()):
            result = trained.pool.evaluate(x, y, trained.config.loss)
        if warning := polarity_warning(x, trained.pool.normalisation):
            warnings.warn(warning, stacklevel=2)
        return result

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the class probabilities, float32 (N, classes), of images uint8 (N, rows, columns)."""
        x = _as_uint8(x, "images")
        trained = self._checked_trained()
        with compilation.shown(compilation.Line()):
            return trained.pool.probabilities(x)

    def summary(self) -> Table:
        """Return a table of the layers with their shapes, parameters and multiply-adds; print it, or let a notebook."""
        return Table(layer_table("network", self.network.input_shape, layer_rows(self.network)))

    def plot_history(self) -> "Figure":
        """Draw loss, accuracy and learning rate of each epoch of the last `fit`.

        Returns
        -------
        matplotlib Figure
            Notebooks show it. `figure.savefig("curves.png")` writes it to a file.
        """
        history = self._checked_trained().history
        if not history:
            raise UserError("This network has no history of epochs to draw; call fit first.")
        return curves.draw([RunGroup("network", [history])])

    def plot_confusion(self, x: np.ndarray, y: np.ndarray) -> "Figure":
        """Draw the confusion matrix of images uint8 (N, rows, columns) with labels uint8 (N,); see `plot_history`."""
        evaluation = self.evaluate(x, y)
        return confusion.draw(evaluation.confusion, f"{evaluation.images:,} images, accuracy {evaluation.accuracy:.2%}")

    def plot_mistakes(self, x: np.ndarray, y: np.ndarray, max_count: int = 12) -> "Figure":
        """Draw the images that the network gets most wrong; see `plot_confusion`."""
        x, y = _as_uint8(x, "images"), _as_uint8(y, "labels")
        probabilities = self.predict(x)
        if len(x) != len(y):
            raise UserError(f"There are {len(x)} images but {len(y)} labels; every image needs one.")
        wrong = int((probabilities.argmax(1) != y).sum())
        rows = worst_mistakes(probabilities, y, max_count)
        return mistakes.draw(x, y, probabilities, rows, f"{len(rows)} of {wrong:,} mistakes")

    def save(self, path: str | Path) -> None:
        """Write the network, its preprocessing and its history to an HDF5 file, which `load` reads."""
        weights.write(path, self._saved())

    def _register_layers(self) -> None:
        """Make layers from outside of the package known by name, so that files that name them can be read."""
        for layer in walk(self.network.layers):
            if not is_built_in(layer):
                register(type(layer))

    def _saved(self) -> SavedNetwork:
        trained = self._checked_trained()
        self._register_layers()
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

    @contextmanager
    def _training_alone(self) -> Iterator[None]:
        if not self._training.acquire(blocking=False):
            raise UserError("This network is being trained already; train it again when the first call has returned.")
        try:
            yield
        finally:
            self._training.release()

    def _start_online(self, images: np.ndarray, labels: np.ndarray, settings: dict[str, Any]) -> OnlineTrainer:
        config, trained = _as_config(settings), self._trained
        self.network.check_images(images, labels, config.pad)
        ops = devices.load(self.device, exact=config.exact)
        normalisation = trained.pool.normalisation if trained else None
        weights = trained.pool.network.weights() if trained else None
        return OnlineTrainer(self.network, images, labels, ops, config, normalisation, weights)

    def _checked_trained(self) -> "_Trained":
        if self._online and not self._is_snapshot:
            with self._training_alone():
                online, history = self._online, self._trained.history if self._trained else []
                pool = NetworkPool(online.snapshot(), online.normalisation)
                self._trained, self._is_snapshot = _Trained(pool, online.config, history), True
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


def load(path: str | Path, device: str = "auto", custom_objects: Mapping[str, Any] | None = None) -> Sequential:
    """Load a trained network from a weights file.

    Parameters
    ----------
    path : path
        A file that `Sequential.save` or `fastdigits train` wrote.
    device : str
        "auto", "cpu", "cuda" or "reference".
    custom_objects : dict, optional
        Layer classes, losses and the like from outside of the package that the network was trained with, by name, such
        as {"Squareplus": Squareplus}. They are registered, see `fastdigits.extend.register`.

    Raises
    ------
    UserError
        If the file is damaged or not a weights file, or needs a custom object that is not given.

    Examples
    --------
    >>> from fastdigits import load, load_digits
    >>> model = load("digits.h5")
    >>> digit = model.predict(load_digits().test_images[:1]).argmax()
    """
    for name, thing in (custom_objects or {}).items():
        extend.register(thing, name)
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


def _as_callbacks(callbacks: Callback | Sequence[Callback]) -> list[Callback]:
    listed = [callbacks] if isinstance(callbacks, Callback) else callbacks
    if not isinstance(listed, list | tuple) or not all(isinstance(callback, Callback) for callback in listed):
        raise UserError(f"callbacks must be a fastdigits.Callback or a list of them, not {shown(callbacks)}.")
    return list(listed)


def _progress(verbose: int | None, config: TrainConfig) -> list[Progress]:
    """Return the callbacks that show the progress, see `Sequential.fit`: one or none."""
    if verbose not in (None, 0, 1, 2):
        raise UserError(f"verbose must be 0, 1 or 2, not {shown(verbose)}.")
    if verbose is None:
        verbose = int(compilation.changes_in_place())
    return [Progress(config.epochs, in_place=verbose == 1)] if verbose else []


def _with_validation(
    x: np.ndarray, y: np.ndarray, data: tuple[np.ndarray, np.ndarray] | None, split: float | None
) -> tuple[np.ndarray, np.ndarray, Rows | None, dict[str, Any]]:
    """Return all images, all labels, the rows of both parts or None, and the setting `validation`, if it follows."""
    if data is not None and split is not None:
        raise UserError("Give validation_data or validation_split, not both.")
    if split is not None:
        if not isinstance(split, int | float) or not 0 <= split < 1:
            raise UserError(f"validation_split must be a fraction from 0 to below 1, not {shown(split)}.")
        return x, y, None, {"validation": round(split * len(x))}
    if data is None:
        return x, y, None, {}
    if not isinstance(data, list | tuple) or len(data) != 2:
        raise UserError("validation_data must be two arrays, images and labels.")
    x_val, y_val = _as_uint8(data[0], "images"), _as_uint8(data[1], "labels")
    if len(x) != len(y) or len(x_val) != len(y_val):
        raise UserError("There must be a label for each image, also in validation_data.")
    if x.shape[1:] != x_val.shape[1:]:
        size, expected = (" x ".join(map(str, images.shape[1:])) for images in (x_val, x))
        raise UserError(f"The images of validation_data are {size}; give images of {expected} as those to train on.")
    rows = np.arange(len(x), dtype=np.int32), np.arange(len(x), len(x) + len(x_val), dtype=np.int32)
    return np.concatenate([x, x_val]), np.concatenate([y, y_val]), rows, {"validation": len(x_val)}


def _with_held_out(settings: dict[str, Any], held_out: dict[str, Any]) -> dict[str, Any]:
    """Add the number of validation images to the settings; raise UserError if they have it already."""
    if held_out and "validation" in settings:
        raise UserError("Give one of validation_data, validation_split and validation, not several.")
    return settings | held_out


def _columns(epochs: Sequence[Epoch]) -> History:
    return {field.name: [getattr(epoch, field.name) for epoch in epochs] for field in fields(Epoch)}


def _as_config(settings: dict[str, Any]) -> TrainConfig:
    names = [field.name for field in fields(TrainConfig)]
    for name in settings:
        if name not in names:
            raise UserError(f"Unknown setting '{name}'; choose among {', '.join(names)}.")
    return TrainConfig(**settings)


def _as_uint8(array: np.ndarray, what: str) -> np.ndarray:
    try:
        array = array if isinstance(array, np.memmap) else np.asarray(array)  # what is mapped stays on the disk
    except ValueError:
        raise UserError(f"The {what} must be one array, not lists of different lengths.") from None
    types = (np.uint8,) if what == "images" else (np.uint8, np.uint16)
    if array.dtype not in types or array.ndim != (3 if what == "images" else 1) or not len(array):
        expected = "uint8 of shape (N, rows, columns)" if what == "images" else "uint8 or uint16 of shape (N,)"
        raise UserError(f"The {what} must be {expected} with at least one entry, not {array.dtype} {array.shape}.")
    return array
