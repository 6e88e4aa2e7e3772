"""Metrics of compared networks."""

import pytest

from fastdigits import ops as devices
from fastdigits.config.training import TrainConfig
from fastdigits.data import DigitSet, load_digits
from fastdigits.inference import compare
from fastdigits.models import network_of
from fastdigits.training.callbacks import Callback
from fastdigits.training.experiment import run


@pytest.fixture(scope="module")
def digits():
    mnist = load_digits()
    parts = mnist.train_images[:300], mnist.train_labels[:300], mnist.test_images[:100], mnist.test_labels[:100]
    return DigitSet("few", *parts)


def test_metrics_of_two_trainings(digits):
    cpu = devices.load("cpu")
    configs = [TrainConfig(epochs=3, seed=seed) for seed in (0, 1)]
    runs = [run("linear", network_of("linear"), digits, cpu, config, Callback()) for config in configs]
    images = digits.test_images, digits.test_labels
    entry = compare.measure("a name", network_of("linear"), [one.saved() for one in runs], [1.0, 3.0], *images, cpu)
    assert entry.accuracies == [one.test.accuracy for one in runs]
    row = entry.to_dict()
    assert row["read_images_per_second"] == pytest.approx(1 / entry.inference_s)
    assert 1e-9 < entry.inference_s < 1e-2
    assert row["test_accuracy"]["mean"] == pytest.approx(sum(entry.accuracies) / 2)
    assert row["train_seconds"] == pytest.approx({"mean": 2.0, "std": 2**0.5, "min": 1.0, "max": 3.0})
    known = {"model": "a name", "parameters": 7850, "multiply_adds": 7840, "epochs": 3, "runs": 2}
    assert known.items() <= row.items()


def test_metrics_if_all_trainings_failed(digits):
    images = digits.test_images, digits.test_labels
    row = compare.measure("mlp", network_of("mlp"), [], [], *images, devices.load("cpu")).to_dict()
    unknown = ("test_accuracy", "train_seconds", "read_images_per_second")
    assert [row[name] for name in unknown] == [None] * 3
    assert row["runs"] == 0
