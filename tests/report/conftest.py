"""A report on a small network and few images."""

import numpy as np
import pytest

from fastdigits import ops
from fastdigits.config.training import TrainConfig
from fastdigits.data.preprocessing import Normalisation
from fastdigits.inference.ensemble import evaluate_single
from fastdigits.nn import BatchNorm, Conv2D, Dense, Flatten, MaxPool2D, Network, ReLU
from fastdigits.report.contents import contents
from fastdigits.report.page import render
from fastdigits.report.pictures import TestedNetwork
from fastdigits.report.speed import Speed
from fastdigits.storage.weights import SavedNetwork

LAYERS = [Conv2D(4, 3), BatchNorm(), ReLU(), MaxPool2D(2), Conv2D(3, 3), ReLU(), Flatten(), Dense(10)]
HISTORY = [
    {"epoch": 1, "train_loss": 1.5, "train_accuracy": 0.5, "validation_loss": 1.2, "validation_accuracy": 0.55},
    {"epoch": 2, "train_loss": 0.9, "train_accuracy": 0.7, "validation_loss": 1.1, "validation_accuracy": 0.625},
]
TRAINING = {
    "seconds": {"load": 0.25, "compile": 12.5, "train": 3.75, "validation": None, "total": 20.0},
    "images_per_second": 12345.6,
}


@pytest.fixture(scope="session")
def tested():
    """An untrained network, whose name needs escaping in HTML, and 40 images of its size."""
    definitions, random = ops.load("reference"), np.random.default_rng(1)
    network = Network(LAYERS, (1, 12, 12))
    network.build(definitions, 1)
    network.initialise(3)
    config = vars(TrainConfig(epochs=2, optimizer="sgd"))
    history = [{**epoch, "learning_rate": 0.01} for epoch in HISTORY]
    normalisation = Normalisation(0.5, 0.3)
    saved = SavedNetwork(network.config(), network.weights(), normalisation, "<b>&", "x", config, history, {})
    images, labels = random.integers(0, 256, (40, 12, 12), np.uint8), random.integers(0, 10, 40).astype(np.uint8)
    evaluation = evaluate_single(saved, images, labels, definitions, with_probabilities=True)
    return TestedNetwork(saved, evaluation, images, labels, 'a "folder"')


@pytest.fixture(scope="session")
def page_contents(tested):
    """The contents of the report."""
    speed = Speed("a <machine>", "cpu", 123456.7, 12.3e-6)
    found = contents(tested, speed, TRAINING, "2026-11-20")
    return found | {
        "reproduction": {"command": "fastdigits train '<b>&'", "file": "a.toml", "layers": "[[layer]]", "note": ""}
    }


@pytest.fixture(scope="session")
def page(page_contents):
    """The report as HTML."""
    return render(page_contents)
