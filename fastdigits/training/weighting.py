"""Weights of images in the loss, from weights of classes and of samples."""

from collections.abc import Mapping
from reprlib import repr as shown
from typing import Any, Literal

import numpy as np

from fastdigits.errors import UserError

ClassWeight = Mapping[int, float] | Literal["balanced"] | None


def image_weights(
    labels: np.ndarray, class_weight: ClassWeight, sample_weight: Any, classes: int | None = None
) -> np.ndarray | None:
    """Return the factor of each image's loss, float32 (N,), or None if all are 1.

    Parameters
    ----------
    labels : int (N,)
    class_weight : dict, "balanced" or None
        Weight by class, 1 for the classes that it lacks. "balanced" gives every class that occurs the same sum of
        weights: N / (number of classes that occur * number of images of the class).
    sample_weight : array (N,), optional
        Weight by image, which multiplies that of its class.
    classes : int, optional
        Number of classes, to check those of `class_weight`.

    Raises
    ------
    UserError
        If a weight is negative or not finite, their number is wrong, all are 0, or there is no such class.
    """
    if class_weight is None and sample_weight is None:
        return None
    weights = _of_classes(labels, class_weight, classes)
    if sample_weight is not None:
        weights = weights * _of_samples(len(labels), sample_weight)
    if not weights.any():
        raise UserError("All weights of the images are 0, so there is nothing to learn; give some positive weights.")
    return weights.astype(np.float32)


def _of_classes(labels: np.ndarray, class_weight: ClassWeight, classes: int | None) -> np.ndarray:
    if class_weight is None:
        return np.ones(len(labels))
    if isinstance(class_weight, Mapping):
        for label in class_weight:
            if not isinstance(label, int | np.integer) or not 0 <= label < (classes or np.inf):
                known = "from 0 on" if classes is None else f"from 0 to {classes - 1}"
                raise UserError(f"class_weight has {shown(label)}, which is no class; give numbers of classes {known}.")
        table = {int(label): _checked(weight, f"class {label}") for label, weight in class_weight.items()}
        return np.array([table.get(int(label), 1.0) for label in labels])
    if class_weight != "balanced":
        raise UserError(f'class_weight must be "balanced" or a dict such as {{3: 2.0}}, not {shown(class_weight)}.')
    _, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return (len(labels) / (len(counts) * counts))[places]


def _checked(weight: Any, what: str) -> float:
    if not isinstance(weight, int | float | np.number) or not 0 <= weight < np.inf:
        raise UserError(f"The weight of {what} must be a number of at least 0, not {shown(weight)}.")
    return float(weight)


def _of_samples(count: int, sample_weight: Any) -> np.ndarray:
    try:
        weights = np.asarray(sample_weight, float)
    except (TypeError, ValueError):
        raise UserError(f"sample_weight must be {count} numbers, one for each image.") from None
    if weights.shape != (count,):
        raise UserError(f"sample_weight must be {count} numbers, one for each image, not of shape {weights.shape}.")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise UserError("sample_weight must be numbers of at least 0; some are negative, NaN or infinite.")
    return weights


def with_class_weight(
    weights: np.ndarray | None, labels: np.ndarray, rows: np.ndarray, class_weight: str | None
) -> np.ndarray | None:
    """Multiply weights of all images, float32 (N,), by the balanced ones of the classes of labels[rows], if chosen."""
    if class_weight is None:
        return weights
    of_rows = image_weights(labels[rows], "balanced", None)
    assert of_rows is not None
    combined = np.ones(len(labels), np.float32) if weights is None else weights.copy()
    combined[rows] *= of_rows
    return combined
