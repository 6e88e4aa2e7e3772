"""Memory and open files stay flat, however long a process trains or predicts."""

import gc
from pathlib import Path

import numpy as np
import pytest

from fastdigits import Conv2D, Dense, Flatten, MaxPool2D, ReLU, Sequential, load_digits
from fastdigits.inference.recognizer import Recognizer
from fastdigits.training.callbacks import Callback

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc to measure memory"),
]

LONG = [pytest.mark.long, pytest.mark.timeout(3600)]
MAX_GROWTH_BYTES = 4 * 2**20  # after the first tenth; a leak of one buffer per step would be far more


def resident_bytes():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


class Usage(Callback):
    """Measure memory and open files after each epoch that `epochs` names."""

    def __init__(self, epochs):
        self.epochs, self.measured = epochs, []

    def on_epoch_end(self, epoch):
        if epoch.epoch in self.epochs:
            self.measured.append((resident_bytes(), open_files()))


def assert_flat(first, last):
    assert last[0] - first[0] < MAX_GROWTH_BYTES
    assert last[1] == first[1]


@pytest.mark.parametrize("epochs", [100, pytest.param(2000, marks=LONG)])
def test_training_for_many_epochs(epochs):
    digits = load_digits("mnist")
    layers = [Conv2D(4, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(10)]
    usage = Usage((epochs // 10, epochs))
    model = Sequential(layers, device="cpu")
    model.fit(
        digits.train_images[:64], digits.train_labels[:64], usage, epochs=epochs, batch_size=16, augment="shift=1"
    )
    assert len(model.history["epoch"]) == epochs
    assert_flat(*usage.measured)


@pytest.mark.parametrize("images", [5_000, pytest.param(1_000_000, marks=LONG)])
def test_predicting_many_images(images):
    """A tenth of the calls have one image, and the others have up to a hundred."""
    recognizer, digits, rng = Recognizer(device="cpu"), load_digits("mnist").test_images, np.random.default_rng(0)
    done, measured = 0, []
    while done < images:
        count = min(images - done, 1 if done % 10 == 0 else int(rng.integers(2, 100)))
        first = done % (len(digits) - 100)
        recognizer.predict(digits[first : first + count])
        done += count
        if not measured and done > images // 10:
            measured.append((resident_bytes(), open_files()))
    assert_flat(*measured, (resident_bytes(), open_files()))
