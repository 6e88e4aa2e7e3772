"""Find images and labels among named arrays, as in NPZ, MAT and HDF5 files."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastdigits.data.dataset import some
from fastdigits.data.formats.opening import part_of, train_and_test
from fastdigits.data.formats.types import Contents, Part, array_part
from fastdigits.errors import UserError

# What remains of a name such as x_train, in order of preference
IMAGES = ("images", "image", "imgs", "img", "x", "data", "pixels", "features", "arr0")
LABELS = ("labels", "label", "y", "targets", "target", "classes", "class", "arr1")


def find_pairs(names: list[str], source: Any) -> tuple[dict[str, tuple[str, str | None]], tuple[str, ...]]:
    """Return the names of the images and labels of each part, "train" and "test" or one of them, and notes.

    Parameters
    ----------
    names : list of str
        Such as x_train, y_train, or dataset.train.images.

    Raises
    ------
    UserError
        If none is known to be the name of images.
    """
    found: dict[str, dict[str, tuple[int, str]]] = {}
    for name in names:
        for kind, words in (("images", IMAGES), ("labels", LABELS)):
            word = _without_part(name)
            if word in words:
                candidates = found.setdefault(part_of(name) or "", {})
                candidates[kind] = min(candidates.get(kind, (len(words), "")), (words.index(word), name))
    found = {part: kinds for part, kinds in found.items() if "images" in kinds}
    without_part = found.pop("", None)
    parts, notes = train_and_test(found) if found or not without_part else ({"train": without_part}, ())
    if not parts:
        raise UserError(
            f"{source} has no images under a name like x_train or images (it has "
            f"{some(map(ascii, names)) or 'nothing'}); rename its arrays to x_train, y_train, x_test and y_test."
        )
    pairs = {
        part: (kinds["images"][1], kinds["labels"][1] if "labels" in kinds else None) for part, kinds in parts.items()
    }
    return pairs, notes


def contents_of(arrays: Mapping[str, np.ndarray], source: Any, **recognized: Any) -> Contents:
    """Return the contents of a file with these arrays."""
    pairs, notes = find_pairs([*arrays], source)
    parts = {
        part: part_of_arrays(f"{source} ({images})", arrays[images], None if labels is None else arrays[labels])
        for part, (images, labels) in pairs.items()
    }
    return Contents(parts, notes=notes, **recognized)


def part_of_arrays(source: str, images: np.ndarray, labels: np.ndarray | None) -> Part:
    """Return a part of arrays in memory; the images may lie along the first or the last axis.

    Raises
    ------
    UserError
        If the arrays do not belong together.
    """
    if images.ndim < 2 or 0 in images.shape:
        raise UserError(f"{source} has the shape {images.shape}, which is not that of images; give images (N, H, W).")
    if labels is None:
        return array_part(source, images, None)
    labels = plain_labels(labels, source)
    if len(images) != len(labels) and images.shape[-1] == len(labels):  # of MATLAB: (H, W, N) or (pixels, N)
        images = np.moveaxis(images, -1, 0)
    if len(images) != len(labels):
        raise UserError(f"{source} has {len(images)} images but {len(labels)} labels; every image needs one.")
    return array_part(source, images, labels)


def plain_labels(labels: np.ndarray, source: str) -> np.ndarray:
    """Return labels (N,) of labels of shape (N, 1) or (1, N), or of one-hot rows (N, classes)."""
    if labels.ndim == 2 and 1 in labels.shape:
        labels = labels.reshape(-1)
    if labels.ndim == 2 and labels.dtype.kind in "biuf" and labels.size:
        if not (((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all()):
            raise UserError(
                f"The labels of {source} are a table {labels.shape} that is not one-hot; give one per image."
            )
        labels = labels.argmax(1)
    if labels.ndim != 1 or not len(labels):
        raise UserError(f"The labels of {source} have the shape {labels.shape}; give one label per image.")
    return labels


def _without_part(name: str) -> str:
    """Return what a name tells besides the part: "x" for X_train, "images" for dataset.train.images."""
    part = "training|train|testing|test|t10k|validation|valid|val(?!ue)|[^a-z0-9]"
    words = [re.sub(part, "", word) for word in name.lower().split(".")]
    return next((word for word in reversed(words) if word), "")


def is_known(name: str) -> bool:
    """Return whether the name of an array tells that it holds images, labels or the names of classes."""
    return _without_part(name) in (*IMAGES, *LABELS, "mapping")
