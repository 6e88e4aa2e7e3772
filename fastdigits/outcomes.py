"""Which images are worth looking at, by what a network makes of them."""

import numpy as np


def worst_mistakes(probabilities: np.ndarray, labels: np.ndarray, most: int) -> np.ndarray:
    """The rows of misread images, those first whose true class was thought least probable.

    Parameters
    ----------
    probabilities : float32 (N, classes)
    labels : uint8 (N,)
    most : int
        No more than so many.
    """
    rows = np.flatnonzero(probabilities.argmax(1) != labels)
    return rows[probabilities[rows, labels[rows]].argsort(kind="stable")][:most]


def both_kinds(probabilities: np.ndarray, labels: np.ndarray, most: int) -> dict[str, np.ndarray]:
    """The rows of images that were read right, and of those that were not: of each no more than so many, evenly spread.

    Parameters
    ----------
    probabilities : float32 (N, classes)
    labels : uint8 (N,)
    most : int
    """
    right = probabilities.argmax(1) == labels
    return {"Read right": _spread(right, most), "Misread": _spread(~right, most)}


def _spread(chosen: np.ndarray, most: int) -> np.ndarray:
    rows = np.flatnonzero(chosen)
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)] if len(rows) else rows
