"""Compute the feature maps of an image."""

from dataclasses import dataclass

import numpy as np

from fastdigits.inference.explain import Explainer

MAX_MAPS, MAX_UNITS = 64, 1024  # returned per layer


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """The output of one stage: float32 (channels, rows, columns) or (units,).

    `values` holds the first MAX_MAPS channels or MAX_UNITS units of `total`.
    """

    layer: str
    values: np.ndarray
    total: int


def feature_maps(explainer: Explainer, image: np.ndarray) -> list[FeatureMaps]:
    """Compute the feature maps of an image uint8 (28, 28), from the first stage to the last before the scores."""
    explainer.forward(image)
    *inner, _ = explainer.maps().items()
    return [
        FeatureMaps(name, values[: MAX_MAPS if values.ndim == 3 else MAX_UNITS], len(values)) for name, values in inner
    ]
