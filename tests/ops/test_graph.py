"""Recorded steps on a fake stream: the order of events, and equal bits with and without recording."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
import recording

from fastdigits import ops as devices
from fastdigits.config.training import TrainConfig
from fastdigits.nn import BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, Network, ReLU, Residual
from fastdigits.ops.cuda import device, graph
from fastdigits.training import trainer
from fastdigits.training.callbacks import Callback
from fastdigits.training.checkpoint import Checkpoints
from fastdigits.training.loop import train

IMAGES, BATCH = 14, 4  # three whole batches and a half
WHOLE, REST = IMAGES // BATCH, 1
# Events of a step on the device: run directly at first, then recorded and launched, then only launched. At the start
# of each epoch, the host plans the steps before the first of these events.
EAGER, RECORDED, REPLAYED = ["eager"], ["begin", "end", "launch"], ["launch"]

DENSE = [Flatten(), Dense(7), ReLU(), Dropout(0.25), Dense(3)]
CONVOLUTIONS = [
    *(Conv2D(3, 3, padding="same"), ReLU(), MaxPool2D(2)),
    *(Conv2D(3, 3, padding="same"), BatchNorm(), ReLU()),
    *(Residual([Conv2D(3, 1), BatchNorm()]), ReLU(), Flatten(), Dense(3)),
]


@pytest.fixture
def stream(monkeypatch):
    """A fake stream in place of that of the GPU, with a second one. Its log has a "step" before each step's events."""
    stream, side, step = recording.Stream(), recording.Stream(), trainer.Trainer.step

    def noted_step(self, *arguments):
        stream.log.append("step")
        step(self, *arguments)

    monkeypatch.setattr(device, "stream", stream.use)
    monkeypatch.setattr(device, "side_stream", lambda: side)
    monkeypatch.setattr(device, "_LOCAL", threading.local())
    monkeypatch.setattr(trainer.Trainer, "step", noted_step)
    return stream


@pytest.fixture
def train_network():
    """train_network(ops, layers, ...) trains a network on random 6 x 6 images; returns (network, training)."""
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (IMAGES, 6, 6), np.uint8), np.arange(IMAGES, dtype=np.uint8) % 3

    def train_network(ops, layers=DENSE, callback=None, checkpoints=None, **settings):
        network = Network(layers, (1, 6, 6))
        config = TrainConfig(**{"epochs": 3, "batch_size": BATCH, "validation": 0, **settings})
        return network, train(network, images, labels, ops, config, callback or Callback(), checkpoints=checkpoints)

    return train_network


def weight_bytes(network):
    return {name: value.tobytes() for name, value in network.weights().items()}


def steps_of(log):
    """Return what follows each "step" in the log, without the first one, which compiles kernels."""
    starts = [place for place, event in enumerate(log) if event == "step"][1:]
    return [log[first + 1 : last] for first, last in zip(starts, [*starts[1:], len(log)], strict=True)]


class Observer(Callback):
    """Log the ends of epochs."""

    every_step = True

    def __init__(self, stream):
        self.stream = stream

    def on_epoch_end(self, record):
        self.stream.log.append("epoch")


def test_each_batch_size_is_recorded_once(stream, train_network):
    train_network(recording.recording_ops(stream), callback=Observer(stream))
    expected = [
        *(EAGER, RECORDED, REPLAYED, EAGER),
        *(REPLAYED, REPLAYED, REPLAYED, RECORDED),
        *(REPLAYED, REPLAYED, REPLAYED, REPLAYED),
    ]
    found, steps = steps_of(stream.log), WHOLE + REST  # of each epoch
    assert len(found) == 3 * steps
    for number, (step, wanted) in enumerate(zip(found, expected, strict=True)):
        wanted = ["host", *wanted] if number % steps == 0 else wanted
        assert step[: len(wanted)] == wanted, number
        rest = step[len(wanted) :]
        if number % steps < steps - 1:
            assert not rest, "something else than a launch"
        else:
            assert "epoch" in rest
            assert not {"begin", "launch"} & set(rest), "the verdict is recorded"


def test_without_a_graph_nothing_is_recorded(stream, train_network):
    network, _ = train_network(recording.recording_ops(stream), graph=False)
    assert not {"begin", "end", "launch"} & set(stream.log)
    assert all(step[0] == "eager" or step[:2] == ["host", "eager"] for step in steps_of(stream.log))
    assert weight_bytes(network) == weight_bytes(train_network(recording.recording_ops(stream))[0])


def test_another_stream_that_a_callback_uses_gets_no_work(stream, train_network, tmp_path):
    """CuPy runs changes of arrays on its current stream, so an operation must precede them, and not only a graph."""

    class UsesAnother(Callback):
        def on_step(self, *_):
            stream.is_current = False

        on_epoch_end = on_step

    ops, checkpoints = recording.recording_ops(stream), Checkpoints(tmp_path / "c.h5", 1)
    train_network(ops, callback=UsesAnother(), checkpoints=checkpoints, ema=0.9, validation=3)
    assert "launch" in stream.log


@pytest.mark.parametrize("layers", [DENSE, CONVOLUTIONS], ids=["dense", "convolutions"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"augment": "shift=1,rotate=10", "ema": 0.9, "clip_norm": 0.1, "label_smoothing": 0.1},
        {"batch_size": None, "epochs": 4, "optimizer": "momentum"},
        {"validation": 3, "schedule": "plateau", "optimizer": "sgd", "lr": 0.01, "loss": "mse", "fused": False},
    ],
    ids=["plain", "many options", "all images", "validation"],
)
def test_recording_keeps_all_bits(layers, settings, stream, train_network, monkeypatch):
    monkeypatch.setattr(trainer, "MAX_MICRO_BATCH", 5)  # so that all images form several micro-batches
    network, training = train_network(recording.recording_ops(stream), layers, **settings)
    assert "launch" in stream.log
    expected, plain = train_network(devices.load("reference"), layers, **settings)
    assert weight_bytes(network) == weight_bytes(expected)
    for epoch, other in zip(training.epochs, plain.epochs, strict=True):
        assert (epoch.train_loss, epoch.train_accuracy) == (other.train_loss, other.train_accuracy)
        assert (epoch.validation_loss, epoch.validation_accuracy) == (other.validation_loss, other.validation_accuracy)


def test_each_argument_has_its_own_graph(stream):
    done = []

    def function(number):
        stream.do(lambda: done.append(number))
        return f"result {number}"

    captured = graph.Captured(function)
    assert [captured(number) for number in (1, 2, 1, 2, 1)] == [f"result {number}" for number in (1, 2, 1, 2, 1)]
    assert done == [1, 2, 1, 2, 1]
    assert stream.log == ["begin", "end", "launch", "begin", "end", "launch", "launch"]


def test_an_error_while_recording_is_not_hidden_by_that_of_ending_it(stream, monkeypatch):
    def end_capture():
        raise RuntimeError("cudaErrorStreamCaptureInvalidated")

    def function():
        raise MemoryError("out of memory while recording")

    monkeypatch.setattr(stream, "end_capture", end_capture)
    with pytest.raises(MemoryError, match="out of memory"):
        graph.record(function)


def test_failure_while_recording_ends_the_capture(stream):
    interrupted = iter([False, True, False])

    def function():
        if next(interrupted):
            raise KeyboardInterrupt

    captured = graph.Captured(function)
    captured()
    with pytest.raises(KeyboardInterrupt):
        captured()
    assert not stream.records
    captured()
    assert stream.log == ["begin", "end", "begin", "end", "launch"]


X, Y, Z = (SimpleNamespace(data=SimpleNamespace(ptr=64 * n), nbytes=64, ndim=2) for n in range(1, 4))


@pytest.fixture
def launch(stream):
    """launch(name, reads, writes) launches a kernel that is named in the list `launch.done` when it runs."""
    done = []

    def launch(name, reads=(), writes=()):
        arguments = [*reads, *writes, np.float32(0)]
        written = [*(False for _ in reads), *(True for _ in writes), True]
        graph.stream_of(arguments, written).do(lambda: done.append(name))

    launch.done = done
    return launch


def order_of(launch, function):
    """Return the kernels that each kernel of a recorded function waits for."""
    recorded = graph.record(function)
    for node in recorded.nodes:
        node.work()
    names = launch.done[-len(recorded.nodes) :]
    return {name: {names[n] for n in node.before} for name, node in zip(names, recorded.nodes, strict=True)}


def test_kernels_concurrent_others_wait_for_those_before_them(launch):
    def step():
        launch("dy", writes=[Y])
        with device.concurrently():
            launch("dweight", reads=[X, Y], writes=[Z])
        launch("dx", reads=[X, Y], writes=[SimpleNamespace(data=SimpleNamespace(ptr=0), nbytes=64, ndim=2)])
        with device.concurrently():
            launch("metrics")

    assert order_of(launch, step) == {
        "dy": set(),
        "dweight": {"dy"},
        "dx": {"dy"},
        "metrics": {"dy", "dweight", "dx"},
    }


@pytest.mark.parametrize(
    ("reads", "writes", "waits"),
    [([X, Y], [], False), ([Z], [], True), ([], [Z], True), ([], [X], True), ([X], [Y], True), ([], [], False)],
)
def test_a_kernel_waits_for_those_concurrent_it_if_one_writes_what_the_other_uses(launch, reads, writes, waits):
    def step():
        with device.concurrently():
            launch("dweight", reads=[X, Y], writes=[Z])
        launch("next", reads=reads, writes=writes)

    assert order_of(launch, step) == {"dweight": set(), "next": {"dweight"} if waits else set()}


def test_all_kernels_are_in_order_without_a_recording(launch, stream):
    with device.concurrently():
        assert graph.stream_of([X], [True]) is stream
    assert not device.is_concurrent()


def test_parts_of_an_array_are_memory_of_their_own():
    def use(address, size):
        return graph.Use(address, size, writes=True)

    assert use(0, 8).conflicts(use(7, 1))
    assert use(7, 1).conflicts(use(0, 8))
    assert not use(0, 8).conflicts(use(8, 8))
    assert not use(8, 8).conflicts(use(0, 8))
    assert not use(4, 0).conflicts(use(0, 4))
