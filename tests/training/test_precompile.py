"""Compile kernels before training, with a helper process."""

import subprocess
import sys
from dataclasses import asdict
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from fastdigits import ops
from fastdigits.config.training import TrainConfig
from fastdigits.models import network_of
from fastdigits.ops.runtime.rehearsal import DeferredOps
from fastdigits.training import precompile
from fastdigits.training.precompile import compile_in_reverse

STEP = (
    "conv2d_backward_weight",
    "gather_batch",
    "augment_batch",
    "softmax_cross_entropy",
    "accumulate_metrics",
    "dense_backward",
    "adamw_step",
)


@pytest.fixture
def network():
    network = network_of("linear", input_shape=(1, 28, 28))
    network.build(ops.load("cpu"), 128)
    network.ops = SimpleNamespace(device="cpu", threads=2)
    return network


@pytest.fixture
def helpers(monkeypatch):
    """The helper processes that were started; each sleeps for a minute."""
    started = []

    def start(network, config):
        started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        return started[-1]

    monkeypatch.setattr(precompile, "_start_helper", start)
    monkeypatch.setattr(precompile, "HELPER_DELAY_S", -1.0)
    yield started
    for process in started:
        process.kill()
        process.wait()


def compile_something():
    from numba import njit

    assert njit(lambda x: x + 1)(1) == 2


def test_the_helper_compiles_everything_that_training_needs(tmp_path, environment):
    """Start with an empty cache folder; after the helper, training must have nothing left to compile.

    The helper compiles exactly the kernels that are planned.
    """
    program = """if True:
        import sys
        import numpy as np
        from fastdigits import ops
        from fastdigits.config.training import TrainConfig
        from fastdigits.models import network_of
        from fastdigits.ops.runtime import compilation, rehearsal
        from fastdigits.ops.runtime.compilation import on_compilation
        from fastdigits.training import precompile
        from fastdigits.training.trainer import build_for_training

        network, config = network_of("linear", input_shape=(1, 28, 28)), TrainConfig()
        images, rows = np.zeros((300, 28, 28), np.uint8), np.arange(300)
        batches = build_for_training(network, images, np.zeros(300, np.uint8), rows, ops.load("cpu"), config)
        rehearsal._plan(lambda rehearsal: precompile._rehearse(network, config, False, rehearsal))
        before = compilation.counts()
        assert before[0] == 0
        assert precompile._start_helper(network, config).wait() == 0
        assert compilation.counts() == (before[1], before[1])
        compiled = []
        with on_compilation(lambda: compiled.append(1)):
            precompile.run_each_kernel_once(network, batches, config)
        print(len(compiled), compilation.counts() == (before[1], before[1]))
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {"XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.stdout == "0 True\n", done.stderr


def test_convolutions_are_compiled_first_then_the_end_of_the_step(monkeypatch):
    order = []

    class RecordingOps(DeferredOps):
        def __getattr__(self, name):
            deferred = super().__getattr__(name)
            if name not in STEP:
                return deferred

            def record(*_arguments, **_named):
                order.append(name)

            record.__name__ = name
            return lambda *arguments, **named: self._calls.append(partial(record, *arguments, **named))

    monkeypatch.setattr("fastdigits.ops.runtime.rehearsal.DeferredOps", RecordingOps)
    config = TrainConfig(pad=1, augment="shift=1")
    compile_in_reverse(network_of("conv1", input_shape=(1, 30, 30)).config(), asdict(config), 1)
    assert [name for name, after in zip(order, [*order[1:], None], strict=True) if name != after] == [
        "conv2d_backward_weight",
        "gather_batch",  # of evaluation
        "adamw_step",
        "dense_backward",
        "accumulate_metrics",
        "softmax_cross_entropy",
        "augment_batch",
    ]


def test_deferred_operations_do_not_run_at_once():
    recording = DeferredOps(ops.load("reference"), calls := [])
    x, y = recording.upload(np.float32([[-1], [2]])), recording.empty((2, 1))
    assert (y == 0).all()
    recording.relu_forward(x, y)
    assert (y == 0).all()
    (call,) = calls
    call()
    assert y.tolist() == [[0], [2]]
    assert (recording.lanes, recording.device) == (1, "reference")


def test_a_helper_ends_with_the_compilation(network, helpers):
    with precompile.helper_process(network, TrainConfig()):
        compile_something()
        compile_something()
        (helper,) = helpers
        assert helper.poll() is None
    assert helper.poll() is not None


def test_a_helper_ends_with_an_interrupt(network, helpers):
    def interrupted():
        with precompile.helper_process(network, TrainConfig()):
            compile_something()
            compile_something()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert helpers[0].poll() is not None


def test_no_helper_starts_if_little_is_compiled(network, helpers, monkeypatch):
    with precompile.helper_process(network, TrainConfig()):
        pass
    monkeypatch.setattr(precompile, "HELPER_DELAY_S", 1000.0)
    with precompile.helper_process(network, TrainConfig()):
        compile_something()
    assert helpers == []


def test_no_helper_starts_on_one_core(network, helpers):
    network.ops = SimpleNamespace(device="cpu", threads=1)
    with precompile.helper_process(network, TrainConfig()):
        compile_something()
    assert helpers == []


def test_one_process_compiles_everything_if_no_helper_can_start(network, helpers, monkeypatch):
    def start(network, config):
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(precompile, "_start_helper", start)
    with precompile.helper_process(network, TrainConfig()):
        compile_something()
