"""Training in other frameworks: it takes the same steps as our own, and refuses what cannot be the same."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from fastdigits import ops
from fastdigits.bench import frameworks
from fastdigits.bench.frameworks import training
from fastdigits.config.choices import FRAMEWORKS
from fastdigits.config.training import OPTIMIZERS, OptimizerDefaults, TrainConfig
from fastdigits.data import DigitSet
from fastdigits.errors import UserError
from fastdigits.nn import BatchNorm, Conv2D, Dense, Flatten, MaxPool2D, Network, ReLU
from fastdigits.training.callbacks import Callback
from fastdigits.training.experiment import run
from fastdigits.training.failure import TrainingFailed

LAYERS = [Conv2D(3, 3), BatchNorm(), ReLU(), MaxPool2D(2), Flatten(), Dense(4)]
SETTINGS = {"epochs": 3, "batch_size": 16, "lr": 0.01, "seed": 5}
CONSTANT = {"schedule": "constant"}


class Records(Callback):
    """Keeps the record of each epoch."""

    def __init__(self):
        self.records, self.steps = [], []

    def on_step(self, epoch, images, total, metrics):
        self.steps.append(images)

    def on_epoch_end(self, record):
        self.records.append(record)


@pytest.fixture(scope="module")
def digits():
    """60 images to train on and 40 to test with: noise around one picture per class."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 160, (4, 9, 8))

    def some(count):
        labels = np.arange(count, dtype=np.uint8) % 4
        return (pictures[labels] + random.integers(0, 96, (count, 9, 8))).astype(np.uint8), labels

    return DigitSet("noise", *some(60), *some(40))


@pytest.fixture(params=FRAMEWORKS)
def framework(request):
    """A framework that is installed here."""
    pytest.importorskip(request.param, exc_type=ImportError)
    return frameworks.load(request.param)


def train_both(framework, digits, **settings):
    """The records of our training and of that in the framework, our test accuracy, and the framework's result."""
    config = TrainConfig(**SETTINGS | settings)
    network = Network(LAYERS, config.preparation.input_shape(digits.train_images))
    frameworks.check(framework, "some", config)
    ours, theirs = Records(), Records()
    done = run("some", network, digits, ops.load("reference"), config, ours)
    found = training.train(framework, "some", network, digits, config, theirs)
    return ours, theirs, done.test.accuracy, found


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adamw"},
        {"optimizer": "adam", "batch_size": None, "pad": 1, "gamma": 0.8},
        {"optimizer": "sgd", "lr": 0.1, "schedule": "cosine", "warmup": 0.2, "label_smoothing": 0.1},
        {"optimizer": "momentum", **CONSTANT},
        {"optimizer": "nesterov", **CONSTANT},
    ],
    ids=lambda settings: settings["optimizer"],
)
def test_all_epochs_have_the_same_losses(framework, digits, settings):
    ours, theirs, accuracy, found = train_both(framework, digits, **settings)
    assert theirs.steps == ours.steps
    for one, other in zip(ours.records, theirs.records, strict=True):
        assert other.train_loss == pytest.approx(one.train_loss, rel=1e-4)
        assert other.train_accuracy == pytest.approx(one.train_accuracy)
        assert other.learning_rate == pytest.approx(one.learning_rate)
    assert found.accuracy == pytest.approx(accuracy)
    assert found.train_s == sum(record.seconds for record in theirs.records)


def test_a_training_that_diverges_fails(framework, digits):
    config = TrainConfig(**SETTINGS | {"optimizer": "sgd", "lr": 1e30})
    network = Network([Flatten(), Dense(8), ReLU(), Dense(4)], (1, 9, 8))
    with pytest.raises(TrainingFailed, match="lower the learning rate"):
        training.train(framework, "some", network, digits, config, Callback())


def test_a_framework_that_keeps_its_own_rates_is_refused(framework):
    """Velocities that include the rate differ from ours as soon as the rate changes."""
    config = TrainConfig(optimizer="momentum", schedule="one-cycle")
    if framework.TITLE == "PyTorch":
        frameworks.check(framework, "some", config)
    else:
        with pytest.raises(UserError, match="multiplies each gradient by the rate of its own step"):
            frameworks.check(framework, "some", config)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"augment": "shift=2"}, "its augment exists only here"),
        ({"ema": 0.9}, "its ema exists only here"),
        ({"loss": "mse"}, "its loss exists only here"),
        ({"early_stop": 2}, "its early_stop exists only here"),
        ({"schedule": "plateau"}, "its schedule 'plateau' exists only here"),
        ({"optimizer": "own"}, "it has no optimizer own"),
    ],
)
def test_settings_that_a_framework_lacks_are_refused(monkeypatch, settings, reason):
    abacus = SimpleNamespace(TITLE="Abacus", OPTIMIZERS=[*OPTIMIZERS], why_different=lambda config: None)
    frameworks.check(abacus, "some", TrainConfig())
    monkeypatch.setitem(OPTIMIZERS, "own", OptimizerDefaults((), (), lr=0.1))
    with pytest.raises(UserError, match=f"^some cannot be trained in Abacus with the same settings: {reason}"):
        frameworks.check(abacus, "some", TrainConfig(**settings))


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_missing_framework_is_named_with_its_package(monkeypatch, name):
    monkeypatch.delitem(sys.modules, f"fastdigits.bench.frameworks.{name}", raising=False)
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(UserError, match=f"run 'pip install {FRAMEWORKS[name]}'"):
        frameworks.load(name)


def test_a_missing_gpu_is_said(framework):
    if not framework.why_unavailable("cuda"):
        pytest.skip("there is a GPU")
    with pytest.raises(UserError, match="finds no GPU"):
        frameworks.load(framework.__name__.rpartition(".")[2], "cuda")


def test_the_first_weights_are_those_of_our_training(digits):
    network = Network(LAYERS, (1, 9, 8))
    saved = training.untrained(network, "some", digits, TrainConfig(seed=7), np.arange(60, dtype=np.int32))
    network.build(ops.load("reference"), 16)
    network.initialise(7)
    assert all(np.array_equal(saved.weights[name], value) for name, value in network.weights().items())
