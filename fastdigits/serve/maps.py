"""Feature maps: what the layers of a network make of one image, no more than somebody looks at."""

from dataclasses import dataclass

import numpy as np

from fastdigits.inference.explain import Explainer

MAX_MAPS, MAX_UNITS = 64, 1024  # of a layer


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """What a stage gives: float32 (channels, rows, columns) or (units,); `total` counts those left out, too."""

    layer: str
    values: np.ndarray
    total: int


def feature_maps(explainer: Explainer, image: np.ndarray) -> list[FeatureMaps]:
    """The feature maps of an image uint8 (28, 28), from the first stage to that before the scores."""
    explainer.forward(image)
    *inner, _ = explainer.maps().items()
    return [
        FeatureMaps(name, values[: MAX_MAPS if values.ndim == 3 else MAX_UNITS], len(values)) for name, values in inner
    ]
