"""Replay: a few new images are trained on next to earlier ones."""

from types import SimpleNamespace

import numpy as np
import pytest

from fastdigits.config.training import TrainConfig
from fastdigits.data.dataset import DIGITS, DigitSet
from fastdigits.training.replay import MAX_NEW, REPLAYED, is_small, rows_with_replay, with_replay


def set_of(count, name="new", classes=DIGITS, side=8, level=0):
    """A set of images with a light pixel in the middle; its labels are 0, 1, ..., 9, 0, ..."""
    images = np.full((count, side, side), level, np.uint8)
    images[:, side // 2, side // 2] = 255 - level
    labels = (np.arange(count) % len(classes)).astype(np.uint8)
    return DigitSet(name, images, labels, images[:3], labels[:3], classes)


def test_a_small_set_of_the_same_classes_is_replayed():
    trained = SimpleNamespace(class_names=DIGITS, dataset="mnist", config={"replay": ""})
    assert is_small(set_of(MAX_NEW), trained)
    assert not is_small(set_of(MAX_NEW + 1), trained)
    assert not is_small(set_of(100, name="mnist"), trained)
    assert not is_small(set_of(100, classes=tuple("abcdefghij")), trained)


def test_a_set_that_a_network_was_fine_tuned_on_is_replayed_again_next_to_the_earlier_one():
    trained = SimpleNamespace(class_names=DIGITS, dataset="new", config={"replay": "mnist"})
    assert is_small(set_of(100), trained)


def test_earlier_images_follow_the_new_ones_with_their_labels():
    new, earlier = set_of(100), set_of(20000, "mnist", tuple("9876543210"))
    joined = with_replay(new, earlier)
    assert joined.name == "new"
    assert len(joined.train_images) == len(joined.train_labels) == 100 + REPLAYED
    assert joined.train_labels[:100].tolist() == new.train_labels.tolist()
    rows = np.linspace(0, 19999, REPLAYED).round().astype(int)
    assert joined.train_labels[100:].tolist() == [9 - row % 10 for row in rows]
    assert joined.test_labels is new.test_labels


@pytest.mark.parametrize("other", [{"side": 9}, {"level": 255}, {"classes": tuple("abcdefghij")}])
def test_images_that_do_not_match_are_not_replayed(other):
    assert with_replay(set_of(100), set_of(1000, **other)) is None


@pytest.mark.parametrize(("new", "expected"), [(12, 12), (100, 1), (MAX_NEW, 1)])
def test_new_images_occur_several_times_if_they_are_less_than_a_hundredth(new, expected):
    labels = (np.arange(new + REPLAYED) % 10).astype(np.uint8)
    train_rows, validation_rows = rows_with_replay(labels, TrainConfig(), new)
    assert not {*train_rows.tolist()} & {*validation_rows.tolist()}
    assert {*train_rows.tolist()} | {*validation_rows.tolist()} == {*range(len(labels))}
    times = np.bincount(train_rows)
    assert {*times[:new].tolist()} - {0} == {expected}
    assert times[new:].max() == 1
