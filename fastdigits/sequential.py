"""The Python API: build, train, evaluate, save and load a network, and predict digits with it."""

import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from fastdigits import ops as devices
from fastdigits.config.training import EVALUATION_BATCH, TrainConfig
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation, polarity_note
from fastdigits.errors import UserError
from fastdigits.inference.evaluate import Evaluation, evaluate, probabilities
from fastdigits.nn import Network
from fastdigits.nn.layers import Layer, Shape
from fastdigits.nn.network import INFERENCE_MICRO_BATCH
from fastdigits.storage import weights
from fastdigits.storage.history import Epoch
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.callbacks import Callback
from fastdigits.training.loop import train


class Sequential:
    """A network of layers, one after the other.

    Parameters
    ----------
    layers : list of Layer
    input_shape : (1, rows, columns)
        Shape of one image.
    device : str
        "auto", "cpu", "cuda" or "reference".

    Attributes
    ----------
    network : Network
    config : TrainConfig
        Settings of the last `fit`.
    history : list of Epoch
        Metrics of each epoch of the last `fit`.
    normalisation : Normalisation or None
        Preprocessing of the images; None before `fit`.

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

    def __init__(self, layers: list[Layer], input_shape: Shape = (1, 28, 28), device: str = "auto"):
        self.network = Network(_as_layers(layers), input_shape)
        self.device = devices.choose_device()[0] if device == "auto" else device
        self.config = TrainConfig()
        self.history: list[Epoch] = []
        self.normalisation: Normalisation | None = None
        self._small_batch_network: Network | None = None

    def fit(
        self, images: np.ndarray, labels: np.ndarray, callback: Callback | None = None, **settings: Any
    ) -> list[Epoch]:
        """Initialize the weights, train the network and return the metrics of each epoch.

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
            If a setting or an array is invalid, or the images do not fit the network.

        Warns
        -----
        UserWarning
            If some images have dark ink and others light ink, see `Preparation`.
        """
        # If training fails, predicting with partly trained weights must raise an error
        self.normalisation, self.history, self._small_batch_network = None, [], None
        self.config = _as_config(settings)
        images, labels = _as_uint8(images, "images"), _as_uint8(labels, "labels")
        ops = devices.load(self.device, exact=self.config.exact)
        training = train(self.network, images, labels, ops, self.config, callback or Callback())
        self.normalisation, self.history = training.normalisation, training.epochs
        if (note := polarity_note(images)) and not self.normalisation.preparation.invert:
            warnings.warn(note, stacklevel=2)
        return self.history

    def evaluate(self, images: np.ndarray, labels: np.ndarray) -> Evaluation:
        """Return loss, accuracy and confusion matrix on images uint8 (N, rows, columns) with labels uint8 (N,)."""
        images, labels = _as_uint8(images, "images"), _as_uint8(labels, "labels")
        batches = self._batches(images, labels, self.network)
        return evaluate(self.network, batches, np.arange(len(labels)), self.config.loss)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the class probabilities, float32 (N, classes), of images uint8 (N, rows, columns)."""
        images = _as_uint8(images, "images")
        network = self._network_for(len(images))
        batches = self._batches(images, None, network)
        return probabilities(network, batches, np.arange(len(images)))

    def save(self, path: str | Path) -> None:
        """Write the network, its preprocessing and its history to an HDF5 file, which `load` reads."""
        weights.write(path, self._saved())

    def _network_for(self, count: int) -> Network:
        """Return the network, or for few images a copy with small batches, which gives the same bits.

        Computing a batch takes the same time if most of it is empty.
        """
        if count > INFERENCE_MICRO_BATCH:
            return self.network
        if self._small_batch_network is None:
            saved, ops = self._saved(), self.network.ops
            self._small_batch_network = saved.built(ops, ops.lanes, fused=self.network.fused)
        return self._small_batch_network

    def _batches(self, images: np.ndarray, labels: np.ndarray | None, network: Network) -> Batches:
        normalisation = self._trained_normalisation()
        network.check_images(images, labels, normalisation.preparation.pad)
        return Batches(network.ops, images, labels, network.batch_size, normalisation)

    def _saved(self) -> SavedNetwork:
        normalisation = self._trained_normalisation()
        return SavedNetwork.of(
            self.network, normalisation, self.config, self.history, model="sequential", dataset="arrays"
        )

    def _trained_normalisation(self) -> Normalisation:
        if self.normalisation is None:
            raise UserError("This network is not trained; call fit first.")
        return self.normalisation


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
    model = Sequential(network.layers, network.input_shape, device)
    model.network = saved.built(devices.load(model.device, exact=saved.config["exact"]), EVALUATION_BATCH)
    model.config = TrainConfig(**saved.config)
    model.history = [Epoch(**epoch) for epoch in saved.history]
    model.normalisation = saved.normalisation
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
