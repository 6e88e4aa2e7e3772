"""Replay: train on a few new images next to images that the network was trained on, so that it does not forget them."""

from dataclasses import replace

import numpy as np

from fastdigits.config.training import TrainConfig
from fastdigits.data import DigitSet
from fastdigits.data.matching import set_for
from fastdigits.data.preprocessing import MIN_AGREEMENT, dark_ink_fraction
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.loop import Rows, split

MAX_NEW = 1000  # training images of a set that is trained on with a replay
REPLAYED = 10000  # images to replay: with 3,072, and a quarter of new ones, cnn forgot twice as much of MNIST
# Of new images in an epoch; fewer occur several times, which augmentation makes different. With 0.1 and without an
# average of the weights, cnn lost up to 0.34 points on MNIST to 100 misread images of a kind; so, 0.07 (November 2026)
NEW_SHARE = 0.01


def is_small(digits: DigitSet, trained: SavedNetwork) -> bool:
    """Return whether a data set has few images of the classes of a network, and is not all that it was trained on."""
    few = len(digits.train_labels) <= MAX_NEW
    known = digits.name == trained.dataset and not trained.config["replay"]
    return few and digits.classes == trained.class_names and not known


def with_replay(digits: DigitSet, earlier: DigitSet) -> DigitSet | None:
    """Append images of an earlier data set, evenly spaced, to the training images.

    Return None if its images have another size or the other polarity, or other classes.
    """
    if not {*earlier.classes} <= {*digits.classes} or digits.train_images.shape[1:] != earlier.train_images.shape[1:]:
        return None
    polarities = {dark_ink_fraction(one.train_images) >= MIN_AGREEMENT for one in (digits, earlier)}
    if len(polarities) > 1:
        return None
    earlier = set_for(earlier, digits.classes)
    count = len(earlier.train_labels)
    rows = np.linspace(0, count - 1, min(REPLAYED, count)).round().astype(int)
    return replace(
        digits,
        train_images=np.concatenate([digits.train_images, earlier.train_images[rows]]),
        train_labels=np.concatenate([digits.train_labels, earlier.train_labels[rows]]),
        replay_reading=earlier.reading,
    )


def rows_with_replay(labels: np.ndarray, config: TrainConfig, new: int, rows: Rows | None = None) -> Rows:
    """Return indices of images to train on, in which the first `new` images occur several times, and to validate on.

    Parameters
    ----------
    labels : int (N,)
        Of the new and, after them, of the replayed images.
    config : TrainConfig
    new : int
    rows : two int32 arrays, optional
        The indices without repetition; those of `split` by default.
    """
    train_rows, validation_rows = rows or split(labels, config)
    added = train_rows[train_rows < new]
    replayed = len(train_rows) - len(added)
    times = max(1, round(NEW_SHARE / (1 - NEW_SHARE) * replayed / max(len(added), 1)))
    return np.concatenate([np.repeat(added, times), train_rows[train_rows >= new]]), validation_rows
