"""Layers, losses and optimizers from outside of the package in the simulator, with kernels and in NumPy."""

import sys
from pathlib import Path

import numpy as np
import pytest

from fastdigits import Dense, Flatten, Sequential
from fastdigits.extend import register

sys.path.insert(0, str(Path(__file__).parents[2] / "outside"))

SETTINGS = {"epochs": 1, "batch_size": 5, "validation": 0, "lr": 0.01}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layer", ["Squareplus", "SlowSquareplus", "Scale"])
def test_trains_like_the_definition(layer):
    from rectifiers import layers, training

    for thing in (training.FOCAL, training.LION, training.SALT):
        register(thing)
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 6), np.uint8)
    labels = np.arange(7, dtype=np.uint8) % 3
    found = []
    for device in ("cuda", "reference"):
        network = [Flatten(), Dense(5), getattr(layers, layer)(), Dense(3)]
        model = Sequential(network, input_shape=(1, 6, 6), device=device)
        history = model.fit(images, labels, loss="focal", optimizer="lion", augment="salt=0.1", **SETTINGS)
        found.append((history["train_loss"], model.predict(images)))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-4)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-4)
