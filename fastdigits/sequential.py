"""Networks for Python programs: build, fit, evaluate, predict, save, load."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from fastdigits import ops as devices
from fastdigits.config.training import EVALUATION_BATCH, TrainConfig
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation
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
    """Layers one after the other, as a network that can be trained and used.

    Parameters
    ----------
    layers : list of Layer
        Such as [Conv2D(16, 3, padding="same"), ReLU(), MaxPool2D(2), Flatten(), Dense(10)].
    input_shape : (1, rows, columns)
        Of one image.
    device : str
        "auto", "cpu", "cuda" or "reference".

    Raises
    ------
    UserError
        If a layer does not fit the one before it.
    """

    def __init__(self, layers: list[Layer], input_shape: Shape = (1, 28, 28), device: str = "auto"):
        self.network = Network(_as_layers(layers), input_shape)
        self.device = devices.choose_device()[0] if device == "auto" else device
        self.config = TrainConfig()
        self.history: list[Epoch] = []
        self.normalisation: Normalisation | Any = None
        self._of_one_block: Network | None = None

    def fit(
        self, images: np.ndarray, labels: np.ndarray, callback: Callback | None = None, **settings: Any
    ) -> list[Epoch]:
        """Train anew from a random start; return what happened, epoch by epoch.

        Parameters
        ----------
        images : uint8 (N, rows, columns)
        labels : uint8 (N,)
        callback : Callback, optional
            Is told of every step and epoch.
        **settings
            The fields of TrainConfig: epochs, batch_size, optimizer, lr, validation, seed, augment="shift=2,rotate=10"
            ... With pad=2 the network's input_shape is 4 larger than the images.
        """
        self.normalisation, self.history, self._of_one_block = None, [], None  # what a failure leaves is of no use
        self.config = _as_config(settings)
        images, labels = _as_bytes(images, "images"), _as_bytes(labels, "labels")
        ops = devices.load(self.device, exact=self.config.exact)
        training = train(self.network, images, labels, ops, self.config, callback or Callback())
        self.normalisation, self.history = training.normalisation, training.epochs
        return self.history

    def evaluate(self, images: np.ndarray, labels: np.ndarray) -> Evaluation:
        """Loss, accuracy and confusion on images with known labels, both uint8."""
        images, labels = _as_bytes(images, "images"), _as_bytes(labels, "labels")
        batches = self._batches(images, labels, self.network)
        return evaluate(self.network, batches, np.arange(len(labels)), self.config.loss)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """The probability of each class, float32 (N, classes), for uint8 images (N, rows, columns)."""
        images = _as_bytes(images, "images")
        network = self._network_for(len(images))
        batches = self._batches(images, None, network)
        return probabilities(network, batches, np.arange(len(images)))

    def save(self, path: str | Path) -> None:
        """Write the network and all that is needed to use it to an HDF5 file."""
        self._need_training()
        weights.write(path, self._saved())

    def _saved(self) -> SavedNetwork:
        return SavedNetwork.of(
            self.network, self.normalisation, self.config, self.history, model="sequential", dataset="arrays"
        )

    def _network_for(self, count: int) -> Network:
        """The network as it reads so many images in little time: a whole batch is read even where it is mostly empty.

        The bits are the same with either.
        """
        self._need_training()
        if count > INFERENCE_MICRO_BATCH:
            return self.network
        if self._of_one_block is None:
            ops = self.network.ops
            self._of_one_block = self._saved().built(ops, ops.lanes, fused=self.network.fused)
        return self._of_one_block

    def _batches(self, images: np.ndarray, labels: np.ndarray | None, network: Network) -> Batches:
        self._need_training()
        network.check_images(images, labels, self.normalisation.preparation.pad)
        return Batches(network.ops, images, labels, network.batch_size, self.normalisation)

    def _need_training(self) -> None:
        if self.normalisation is None:
            raise UserError("This network has not learned anything yet; call fit first.")


def load(path: str | Path, device: str = "auto") -> Sequential:
    """The network of a weights file, ready to evaluate and predict; UserError if the file is damaged."""
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
            raise UserError(f"Sequential takes layers, such as Flatten() and Dense(10), but {layer!r} is none.")
    return list(layers)


def _as_config(settings: dict[str, Any]) -> TrainConfig:
    names = [field.name for field in fields(TrainConfig)]
    for name in settings:
        if name not in names:
            raise UserError(f"There is no setting '{name}'; there are {', '.join(names)}.")
    try:
        return TrainConfig(**settings)
    except TypeError as error:
        raise UserError(f"A setting has a value of the wrong kind ({error}); compare with TrainConfig.") from None


def _as_bytes(array: np.ndarray, what: str) -> np.ndarray:
    try:
        array = np.asarray(array)
    except ValueError:
        raise UserError(f"The {what} must be one array, not lists of different lengths.") from None
    if array.dtype != np.uint8 or array.ndim != (3 if what == "images" else 1) or not len(array):
        expected = "uint8 of shape (N, rows, columns)" if what == "images" else "uint8 of shape (N,)"
        raise UserError(f"The {what} must be {expected} with at least one entry, not {array.dtype} {array.shape}.")
    return array
