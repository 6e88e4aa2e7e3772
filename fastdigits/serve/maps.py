"""Feature maps: what the layers of a network make of one image."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastdigits.nn import Network
from fastdigits.nn.dropout import Dropout
from fastdigits.nn.layers import Flatten, LeakyReLU, ReLU, Sigmoid, Tanh
from fastdigits.nn.normalisation import BatchNorm, LocalResponseNorm
from fastdigits.ops import to_infer
from fastdigits.weights import SavedNetwork

MOST_MAPS, MOST_UNITS = 64, 1024  # of a layer; nobody looks at more
ALTERS = (ReLU, LeakyReLU, Sigmoid, Tanh, BatchNorm, LocalResponseNorm, Dropout)


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """What one layer gives: float32 (channels, rows, columns) or (units,); `total` counts those left out, too."""

    layer: str
    values: np.ndarray
    total: int


class Explainer:
    """A network that is run layer by layer, so that what lies between its layers can be seen.

    A layer is shown together with the activation and the normalisation that follow it; the last one, which gives the
    scores, is not shown.
    """

    def __init__(self, saved: SavedNetwork, ops: Any):
        self.normalisation = saved.normalisation
        self.network = Network.from_config(saved.network)
        self.network.build(to_infer(ops, 1), 1, training=False, fused=False)
        self.network.set_values(saved.values)

    def maps(self, image: np.ndarray) -> list[FeatureMaps]:
        """The feature maps of an image uint8 (28, 28), from the first layer to the last."""
        shown, group = [], []
        x = self._input(image)
        layers = self.network.layers
        for name, layer, after in zip(self.network.names, layers, [*layers[1:], None], strict=True):
            x = layer.forward(x)
            group.append((name, layer))
            if isinstance(after, ALTERS):
                continue
            if after is not None and not isinstance(group[0][1], Flatten):
                names = ", ".join(name for name, _ in group)
                shown.append(FeatureMaps(names, self._values(x), layer.output_shape[0]))
            group = []
        return shown

    def _input(self, image: np.ndarray) -> Any:
        ops, norm = self.network.ops, self.normalisation
        pixels = norm.preparation.apply(image[None]).astype(np.float32) / 255
        x = ops.empty((1, *self.network.input_shape, ops.lanes))
        ops.pack(((pixels - norm.mean) / norm.std).reshape(x.shape[:-1]), x)
        return x

    def _values(self, x: Any) -> np.ndarray:
        values = self.network.ops.download(x)[0, ..., 0]
        return values[: MOST_MAPS if values.ndim == 3 else MOST_UNITS]
