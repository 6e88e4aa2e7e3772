"""Training with recorded steps gives the same bits as training without, whatever is trained."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest
from zoo import EVERY_LAYER

from fastdigits import ops as devices
from fastdigits.errors import UserError
from fastdigits.models import MODELS
from fastdigits.nn import Conv2D, Dense, Flatten, MaxPool2D, ReLU
from fastdigits.nn.layers import Layer
from fastdigits.ops.runtime import pool, replay
from fastdigits.training import trainer as trainer_module
from fastdigits.training.callbacks import Callback
from fastdigits.training.checkpoint import Checkpoints, read
from fastdigits.training.failure import TrainingInterrupted

pytestmark = pytest.mark.slow

NETWORKS = {
    "every layer": EVERY_LAYER,
    "fused and by Winograd's method": [
        Conv2D(8, 5, padding=-2),
        ReLU(),
        MaxPool2D(2),
        Conv2D(16, 3),
        ReLU(),
        MaxPool2D(2),
        Flatten(),
        Dense(16),
        ReLU(),
        Dense(10),
    ],
}


@pytest.fixture
def compiled(monkeypatch):
    """The numbers of kernels in each recording."""
    kernels, replay_of = [], replay.replay_of

    def counting(calls):
        kernels.append(len(calls))
        return replay_of(calls)

    monkeypatch.setattr(replay, "replay_of", counting)
    return kernels


@pytest.fixture
def network(monkeypatch):
    """network(layers) is the name of a network with these layers."""

    def network(layers):
        monkeypatch.setitem(MODELS, "network", lambda classes: layers)
        return "network"

    return network


def epochs(result):
    return [replace(epoch, seconds=0, images_per_second=0) for epoch in result.epochs]


@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 64},  # the last batch of an epoch is shorter
        {"batch_size": 60, "augment": "shift=2,rotate=10,elastic=0.5", "ema": 0.9, "clip_norm": 1.0},
        {"batch_size": 150, "optimizer": "momentum", "schedule": "cosine"},  # in micro-batches
    ],
    ids=["plain", "augmented", "micro-batches"],
)
def test_recorded_steps_give_the_same_bits(layers, settings, fit, network, content, compiled, monkeypatch):
    monkeypatch.setattr(trainer_module, "MAX_MICRO_BATCH", 64)
    settings = {"model": network(layers), "epochs": 3, "validation": 0, "seed": 3, **settings}
    expected, plain = fit(**settings, graph=False)
    assert not compiled
    recorded, result = fit(**settings)
    assert len(compiled) == 1 if 300 % settings["batch_size"] == 0 else 2
    assert content(recorded) == content(expected)
    assert epochs(result) == epochs(plain)


def test_a_layer_that_computes_in_numpy_is_not_recorded(fit, network, content, compiled):
    @dataclass(eq=False)
    class Halves(Layer):
        def forward(self, x, training=None):
            self.y[...] = x / 2
            return self.y

        def backward(self, dy, input_gradient):
            self.dx[...] = dy / 2
            return self.dx

    settings = {"model": network([Flatten(), Dense(12), Halves(), Dense(10)]), "batch_size": 50}
    assert content(fit(**settings)[0]) == content(fit(**settings, graph=False)[0])
    assert not compiled


def test_a_training_that_is_resumed_within_recorded_steps_gives_the_same_bits(fit, noisy, content, compiled, tmp_path):
    class Stop(Callback):
        def on_step(self, epoch, images, total, metrics):
            if epoch == 2 and images >= 150:
                raise KeyboardInterrupt

    settings = {"model": noisy, "epochs": 3, "validation": 0, "batch_size": 50, "ema": 0.8}
    expected, _ = fit(**settings)
    path = tmp_path / "half.h5"
    with pytest.raises(TrainingInterrupted):
        fit(**settings, callback=Stop(), checkpoints=Checkpoints(path))
    resumed, _ = fit(**settings, checkpoints=Checkpoints(resumed=read(path)))
    assert len(compiled) == 3
    assert content(resumed) == content(expected)


def test_threads_that_train_at_the_same_time_get_the_same_bits(fit, noisy, content, compiled):
    def train(seed):
        return content(fit(model=noisy, epochs=4, validation=0, batch_size=50, seed=seed)[0])

    expected = [train(seed) for seed in range(4)]
    together = threading.Barrier(4)

    def train_together(seed):
        together.wait()
        return train(seed)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(train_together, range(4))) == expected
    assert len(compiled) == 8


def test_recorded_kernels_raise_an_error_in_a_process_that_was_forked_from_their_threads(compiled, monkeypatch):
    ops = devices.load("cpu")
    x, y = ops.zeros((3, ops.lanes)), ops.empty((3, ops.lanes))
    captured = ops.captured(lambda: ops.relu_forward(x, y))
    for _ in range(replay.RECORDED_CALL + 1):
        captured()
    assert compiled == [1]
    monkeypatch.setattr(pool._LOCAL, "threads", 0)
    monkeypatch.setattr(pool._POOL, "_why_lost", "The kernels cannot run in this process, because it was forked")
    with pytest.raises(UserError, match="it was forked"):
        captured()
