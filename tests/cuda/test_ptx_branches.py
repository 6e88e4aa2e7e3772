"""The two branches of a recorded step: the interpreter finds what nothing orders, and steps wait where they must."""

import re
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import pytest
from ptx.machine import Violation
from ptx.probe import at, kernel
from recording import CaptureError

from fastdigits.config.training import TrainConfig
from fastdigits.nn import BatchNorm, Conv2D, Dense, Flatten, MaxPool2D, Network, ReLU
from fastdigits.nn.layers import Activation
from fastdigits.ops import load
from fastdigits.ops.batchnorm import cuda as batchnorm
from fastdigits.ops.cuda import device, graph
from fastdigits.training.trainer import Trainer, build_for_training

pytestmark = pytest.mark.slow

IMAGES = 5
POOLED = [Conv2D(2, 3, padding="same"), ReLU(), MaxPool2D(2)]
CONVOLUTIONS = [*POOLED, Conv2D(8, 3, padding="same"), ReLU(), MaxPool2D(2), Flatten(), Dense(3)]
DENSE = [Flatten(), Dense(7), ReLU(), Dense(4), ReLU(), Dense(3)]

READ, WRITE = f"{at('y', '%r10')} ld.global.u32 %r1, [%rd9];", f"{at('y', '%r10')} st.global.u32 [%rd9], %r10;"
FAR_WRITE = f"{at('y', '%r10')} st.global.u32 [%rd9+128], %r10;"


class Streams:
    """The two streams of a GPU, and probes that read or write 32 numbers of an array of 64."""

    def __init__(self, gpu):
        self.gpu, (self.main, self.side) = gpu, gpu.streams
        self.y = gpu.zeros(64, np.uint32)

    def launch(self, stream, body):
        text = kernel(body, ["y"])
        self.gpu.declared = [True]
        self.gpu.load(text, "probe")((1,), (32,), [self.y], 0, stream)

    def wait(self, stream, other):
        stream.wait_event(other.record())


@pytest.fixture
def streams(interpreted):
    with interpreted() as gpu:
        yield Streams(gpu)


@pytest.mark.parametrize(
    ("first", "second", "rule"),
    [
        (READ, READ, None),
        (WRITE, READ, "reads what probe, which nothing orders before it, has written"),
        (READ, WRITE, "writes what probe, which nothing orders before it, has read"),
        (WRITE, WRITE, "writes what probe, which nothing orders before it, has written"),
        (WRITE, FAR_WRITE, None),
    ],
    ids=["both read", "written, then read", "read, then written", "both write", "both write, other numbers"],
)
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("first_on_side", [False, True])
def test_launches_that_nothing_orders_must_not_write_what_the_other_uses(
    streams, first, second, rule, ordered, first_on_side
):
    main, side = streams.main, streams.side
    main.begin_capture()
    streams.wait(side, main)
    one, other = (side, main) if first_on_side else (main, side)
    streams.launch(one, first)
    if ordered:
        streams.wait(other, one)
    streams.launch(other, second)
    streams.wait(main, side)
    recorded = main.end_capture()
    with pytest.raises(Violation, match=rule) if rule and not ordered else nullcontext():
        recorded.launch(main)
    if not rule or ordered:
        recorded.launch(main)  # after itself


def test_a_read_is_not_hidden_by_another_one_of_the_other_stream(streams):
    main, side = streams.main, streams.side
    main.begin_capture()
    streams.wait(side, main)
    streams.launch(side, READ)
    streams.launch(main, READ)
    streams.launch(main, WRITE)
    streams.wait(main, side)
    with pytest.raises(Violation, match="writes what probe, which nothing orders before it, has read"):
        main.end_capture().launch(main)


def test_what_the_second_stream_does_must_be_waited_for(streams):
    main, side = streams.main, streams.side
    main.begin_capture()
    streams.wait(side, main)
    streams.launch(side, WRITE)
    with pytest.raises(CaptureError, match="StreamCaptureUnjoined"):
        main.end_capture()
    assert not main.records
    assert not side.records


def test_events_do_not_leave_a_recording(streams):
    main, side = streams.main, streams.side
    outside = side.record()
    main.begin_capture()
    within = main.record()
    with pytest.raises(CaptureError, match="StreamCaptureIsolation"):
        main.wait_event(outside)
    with pytest.raises(CaptureError, match="StreamCaptureUnmatched"):
        side.end_capture()
    side.begin_capture()
    with pytest.raises(CaptureError, match="StreamCaptureMerge"):
        side.wait_event(within)
    side.end_capture()
    main.end_capture()
    with pytest.raises(CaptureError, match="CapturedEvent"):
        side.wait_event(within)
    timed = streams.gpu.cuda.Event()
    main.begin_capture()
    timed.record(main)
    with pytest.raises(CaptureError, match="CapturedEvent"):
        timed.synchronize()


def test_kernels_outside_of_the_recording_are_refused(streams):
    with pytest.raises(AssertionError, match="probe is launched on the second stream, which does not record"):
        streams.launch(streams.side, READ)
    streams.side.begin_capture()
    with pytest.raises(AssertionError, match="while a stream records"):
        streams.launch(streams.main, READ)


def record_step(gpu, layers):
    """Record and replay a training step, after one that is not; return (kernel, stream, after) of each launch."""
    ops, random = load("cuda"), np.random.default_rng(0)
    network = Network(layers, (1, 6, 6))
    config = TrainConfig(batch_size=IMAGES, validation=0, optimizer="sgd")
    images, labels = random.integers(0, 256, (IMAGES, 6, 6), np.uint8), np.arange(IMAGES, dtype=np.uint8) % 3
    rows = np.arange(IMAGES, dtype=np.int32)
    batches = build_for_training(network, images, labels, rows, ops, config)
    network.initialise(0)
    trainer = Trainer(network, batches, config, rows)
    trainer.start_epoch(1, [0.0])  # no step changes the weights
    trainer.step(0, IMAGES)
    gradients = ops.download(network.buffer.gradients)
    gpu.launches.clear()
    trainer.step(0, IMAGES)
    assert "launch" in gpu.stream.log
    assert ops.download(network.buffer.gradients).tobytes() == gradients.tobytes()
    return [(one.name, one.place.stream, one.place.after) for one in gpu.launches]


def test_gradients_of_weights_run_concurrent_those_of_inputs(interpreted):
    with interpreted() as gpu:
        assert record_step(gpu, DENSE) == [
            ("next_step", 0, None),
            ("gather_batch", 0, None),
            *[("dense_forward", 0, None)] * 3,
            ("_softmax_cross_entropy", 0, None),
            ("accumulate_metrics", 1, 5),
            ("dense_backward_weight", 1, None),
            ("dense_backward_input", 0, None),
            ("dense_backward_weight", 1, 8),
            ("dense_backward_input", 0, None),
            ("dense_backward_weight", 0, None),  # of the first layer: nothing else is left to do
            ("sgd_step", 0, 9),
        ]


def test_a_kernel_waits_for_those_concurrent_it_that_read_what_it_overwrites(interpreted):
    """Here the unpooled gradient of the first convolution takes the memory of the second one's."""
    with interpreted() as gpu:
        launches = record_step(gpu, CONVOLUTIONS)
    names = [name for name, *_ in launches]
    second = len(names) - 1 - names[::-1].index("unpool")
    read = names.index("conv2d_backward_weight")
    assert launches[read][1:] == (1, names.index("unpool"))
    assert launches[second] == ("unpool", 0, read + 1)
    assert names[read + 1] == "add_parts"


@pytest.mark.parametrize("most_vectors", [batchnorm.MAX_VECTORS, 0], ids=["one kernel", "parts"])
def test_a_normalization_that_reads_the_same_arrays_does_not_wait(interpreted, monkeypatch, most_vectors):
    monkeypatch.setattr(batchnorm, "MAX_VECTORS", most_vectors)
    with interpreted() as gpu:
        launches = record_step(gpu, [Conv2D(2, 3), BatchNorm(), ReLU(), Conv2D(2, 2), Flatten(), Dense(3)])
    waits = [name for name, stream, after in launches if stream == 0 and after is not None]
    assert {name for name, *_ in launches} >= {"conv2d_backward_weight", "dense_backward_weight"}
    assert waits == ["sgd_step"]


@dataclass(eq=False)
class InPlaceReLU(Activation):
    """A ReLU whose gradient overwrites its output, which the next layer needs for the gradient of its weights."""

    only_operations = True

    def apply(self, x, y):
        self.ops.relu_forward(x, y)

    def apply_gradient(self, x, y, dy, dx):
        self.ops.relu_backward(y, dy, y)
        self.ops.copy(y, dx)


def test_a_layer_that_overwrites_its_output_waits_for_the_gradients_of_weights(interpreted):
    with interpreted() as gpu:
        launches = record_step(gpu, [Flatten(), Dense(4), InPlaceReLU(), Dense(3)])
    names = [name for name, *_ in launches]
    assert launches[names.index("relu_backward")] == ("relu_backward", 0, names.index("dense_backward_weight"))


def never_waits_again(monkeypatch):
    """The second stream waits for the first one only when it begins."""
    _change_ahead(monkeypatch, lambda branches: branches.ahead and not branches.pending)


def never_waits(monkeypatch):
    """The second stream does not wait for the first one."""
    _change_ahead(monkeypatch, lambda branches: False)


def _change_ahead(monkeypatch, is_ahead):
    stream_of = graph.Branches.stream_of

    def stream_of_mutant(branches, uses):
        branches.ahead = is_ahead(branches)
        return stream_of(branches, uses)

    monkeypatch.setattr(graph.Branches, "stream_of", stream_of_mutant)


def joins_only_at_the_end(monkeypatch):
    """The first stream does not wait before it overwrites or reads anything."""
    monkeypatch.setattr(graph.Use, "conflicts", lambda use, other: False)


def never_joins(monkeypatch):
    """The first stream never waits for the second one."""
    monkeypatch.setattr(graph.Branches, "join", lambda branches: None)


def shares_scratch(monkeypatch):
    """Both streams use the same scratch memory, and do not wait for each other there."""
    from fastdigits.ops.conv2d import cuda as conv2d

    def scratch(numbers, used=0):
        with monkeypatch.context() as patch:
            patch.setattr(device, "is_concurrent", lambda: False)
            return own(numbers, used)

    own = device.scratch
    monkeypatch.setattr(conv2d, "scratch", scratch)
    joins_only_at_the_end(monkeypatch)


def reads_only(monkeypatch):
    """A kernel does not name the array that it writes."""
    from fastdigits.ops.dense import cuda as dense

    kernel = dense.kernel
    monkeypatch.setattr(dense, "kernel", lambda *given, writes=None: kernel(*given, writes=writes and ["dweight"]))
    monkeypatch.setattr(dense, "_backward_input", dense._backward_input.__wrapped__)  # which keeps no mutants


MUTANTS = {  # what is changed, the network, and what is said
    "a fork that does not wait": (
        *(never_waits_again, DENSE),
        "dense_backward_weight: .* reads what dense_backward_input, which nothing orders before it, has written",
    ),
    "no fork": (never_waits, DENSE, "accumulate_metrics is launched on the second stream, which does not record"),
    "no join before the optimizer": (
        *(joins_only_at_the_end, DENSE),
        "sgd_step: .* reads what dense_backward_weight, which nothing orders before it, has written",
    ),
    "no join before memory is used again": (
        *(joins_only_at_the_end, CONVOLUTIONS),
        "unpool: .* writes what conv2d_backward_weight, which nothing orders before it, has read",
    ),
    "no join at all": (never_joins, [Flatten(), Dense(3)], "cudaErrorStreamCaptureUnjoined"),
    "scratch memory that both branches use": (
        *(shares_scratch, [*POOLED[:2], Conv2D(2, 3), ReLU(), Flatten(), Dense(3)]),
        "conv2d_backward_weight: .* writes what (conv2d_backward_weight|add_parts), which nothing orders before it",
    ),
    "an array that a kernel does not say it writes": (reads_only, DENSE, "dense_backward_input: writes array 4"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_step_that_does_not_wait_is_found(interpreted, monkeypatch, name):
    mutate, layers, said = MUTANTS[name]
    with interpreted() as gpu:
        mutate(monkeypatch)
        with pytest.raises((AssertionError, CaptureError)) as error:
            record_step(gpu, layers)
    assert re.search(said, str(error.value)), error.value
