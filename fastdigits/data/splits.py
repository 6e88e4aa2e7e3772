"""Split training images: hold some out for validation, or divide them into folds for cross-validation."""

import numpy as np

from fastdigits.errors import UserError


def stratified_split(labels: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split images at random into training and validation images, stratified by class.

    Parameters
    ----------
    labels : uint8 (N,)
    count : int
        Number of validation images, 0 <= count < N.
    seed : int
        The same seed gives the same split on every machine and with every version of NumPy.

    Returns
    -------
    int32 (N - count,) and int32 (count,)
        The sorted indices of the training images and of the validation images.

    Raises
    ------
    UserError
        If `count` is negative or leaves no training image.
    """
    total = len(labels)
    if not 0 <= count < total:
        raise UserError(f"Cannot hold {count} of {total} images out for validation; choose 0 to {total - 1}.")
    sizes = np.bincount(labels)
    order = _shuffled_by_class(labels, seed)
    labels_in_order = labels[order]
    rank = np.arange(total) - (np.cumsum(sizes) - sizes)[labels_in_order]  # position within the class
    chosen = rank < _apportion(count, sizes)[labels_in_order]
    return _indices(order[~chosen]), _indices(order[chosen])


def stratified_folds(labels: np.ndarray, folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split images at random into folds of equal size, stratified by class, for cross-validation.

    Parameters
    ----------
    labels : uint8 (N,)
    folds : int
        Number of folds, 2 <= folds <= N.
    seed : int
        The same seed gives the same folds on every machine and with every version of NumPy.

    Returns
    -------
    list of (int32 (n,), int32 (m,))
        For each fold, the sorted indices of the images outside it and of those in it. The sizes of the folds differ by
        at most 1, in total and in every class.

    Raises
    ------
    UserError
        If there are fewer images than folds, or fewer than 2 folds.
    """
    if not 2 <= folds <= len(labels):
        raise UserError(f"Cannot split {len(labels)} images into {folds} folds; choose 2 to {len(labels)}.")
    part = np.empty(len(labels), int)
    part[_shuffled_by_class(labels, seed)] = np.arange(len(labels)) % folds
    return [(_indices(np.flatnonzero(part != k)), _indices(np.flatnonzero(part == k))) for k in range(folds)]


def _shuffled_by_class(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return indices sorted by class, shuffled within each class."""
    # NumPy guarantees a stable stream for the raw words of Philox, but not for the methods of Generator.
    keys = np.random.Philox(seed).random_raw(len(labels))
    return np.lexsort((keys, labels))


def _apportion(count: int, sizes: np.ndarray) -> np.ndarray:
    """Divide `count` in proportion to `sizes` (C,) by the largest remainder method, so that the sum is exact."""
    shares, remainders = np.divmod(sizes.astype(np.int64) * count, sizes.sum())
    largest = np.argsort(-remainders, kind="stable")
    shares[largest[: count - shares.sum()]] += 1
    return shares


def _indices(chosen: np.ndarray) -> np.ndarray:
    return np.sort(chosen).astype(np.int32)
