"""Data sets matched to the classes of a network."""

from dataclasses import replace

import numpy as np
import pytest

from fastdigits.data.dataset import DigitPart, DigitSet
from fastdigits.data.matching import check_trainable, in_classes, set_for
from fastdigits.errors import UserError

IMAGES = np.zeros((4, 8, 8), np.uint8)
LETTERS = DigitSet("letters", IMAGES, np.array([0, 1, 1, 0]), IMAGES, np.array([1, 1, 0, 0]), ("b", "d"))


def test_labels_number_the_classes_of_the_network():
    found = set_for(LETTERS, "abcd")
    assert found.train_labels.tolist() == [1, 3, 3, 1]
    assert found.test_labels.tolist() == [3, 3, 1, 1]
    assert found.classes == ("a", "b", "c", "d")
    part = DigitPart("letters", IMAGES, np.array([1, 0, 0, 1]), ("b", "d"))
    assert in_classes(part, ["d", "b"]).labels.tolist() == [0, 1, 1, 0]
    assert set_for(LETTERS, ("b", "d")).train_labels is LETTERS.train_labels
    with pytest.raises(UserError, match="the class d, but the network only knows b, c"):
        set_for(LETTERS, "bc")


def test_one_class_only_is_refused_and_a_class_without_training_images_is_warned_of():
    assert check_trainable(LETTERS) == ""
    only = replace(LETTERS, train_labels=np.ones(4, np.uint8))
    with pytest.raises(UserError, match="training images of letters are of the class d; give images of at least two"):
        check_trainable(only)
    more = replace(LETTERS, test_labels=np.array([0, 1, 2, 3]), classes=("b", "d", "q", "z"))
    assert "no training images of the classes q, z, so the network cannot learn" in check_trainable(more)
