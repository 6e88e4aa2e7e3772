"""Set some training images aside for validation."""

import numpy as np

from fastdigits.errors import UserError


def stratified_split(labels: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split images at random into training and validation, each class in proportion.

    Parameters
    ----------
    labels : uint8 array (N,), the class of every image.
    count : number of validation images, 0 <= count < N.
    seed : the same seed gives the same split, on every machine and with every NumPy.

    Returns
    -------
    Training (N - count,) and validation (count,) indices: int32, sorted, disjoint, complete.

    Raises
    ------
    UserError
        When `count` is negative or leaves nothing to train on.
    """
    total = len(labels)
    if not 0 <= count < total:
        raise UserError(f"Cannot set {count} of {total} images aside for validation; choose 0 to {total - 1}.")
    sizes = np.bincount(labels)
    order = _shuffled_by_class(labels, seed)
    labels_in_order = labels[order]
    rank = np.arange(total) - (np.cumsum(sizes) - sizes)[labels_in_order]
    chosen = rank < _shares(sizes, count)[labels_in_order]
    return _indices(order[~chosen]), _indices(order[chosen])


def stratified_folds(labels: np.ndarray, folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split images at random into parts of equal size, each class in proportion, for cross-validation.

    Parameters
    ----------
    labels : uint8 array (N,), the class of every image.
    folds : number of parts, 2 <= folds <= N.
    seed : the same seed gives the same parts, on every machine and with every NumPy.

    Returns
    -------
    For each part the indices of the others and its own: int32, sorted. Sizes differ by one at most, in every class.

    Raises
    ------
    UserError
        When there are fewer images than parts, or fewer parts than 2.
    """
    if not 2 <= folds <= len(labels):
        raise UserError(f"Cannot split {len(labels)} images into {folds} folds; choose 2 to {len(labels)}.")
    part = np.empty(len(labels), int)
    part[_shuffled_by_class(labels, seed)] = np.arange(len(labels)) % folds
    return [(_indices(np.flatnonzero(part != k)), _indices(np.flatnonzero(part == k))) for k in range(folds)]


def _shuffled_by_class(labels: np.ndarray, seed: int) -> np.ndarray:
    """Class by class, shuffled within each."""
    # Raw Philox words rather than Generator methods: only the former are promised never to change.
    keys = np.random.Philox(seed).random_raw(len(labels))
    return np.lexsort((keys, labels))


def _shares(sizes: np.ndarray, count: int) -> np.ndarray:
    """Share `count` out in proportion to `sizes` (C,) by largest remainders, so that the sum is exact."""
    shares, remainders = np.divmod(sizes.astype(np.int64) * count, sizes.sum())
    largest = np.argsort(-remainders, kind="stable")
    shares[largest[: count - shares.sum()]] += 1
    return shares


def _indices(chosen: np.ndarray) -> np.ndarray:
    return np.sort(chosen).astype(np.int32)
