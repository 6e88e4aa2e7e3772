import numpy as np
import pytest

from fastdigits.data.dataset import relabel
from fastdigits.errors import UserError


def test_labels_follow_the_names_of_their_classes():
    labels = np.array([0, 1, 1, 2], np.uint8)
    assert relabel(labels, ("0", "3", "7"), tuple("0123456789")).tolist() == [0, 3, 3, 7]
    assert relabel(labels, ("a", "b", "c"), ("c", "a", "b")).tolist() == [1, 2, 2, 0]


def test_classes_without_images_need_no_counterpart():
    assert relabel(np.array([1, 1]), ("A", "B"), ("B", "C")).tolist() == [0, 0]


def test_unknown_classes_are_named():
    with pytest.raises(UserError, match="have the classes b, c, but the network only knows a;"):
        relabel(np.array([0, 1, 2]), ("a", "b", "c"), ("a",))


def test_more_than_256_classes_need_larger_numbers():
    names = [f"class {number}" for number in range(300)]
    assert relabel(np.array([299]), names, names).tolist() == [299]
