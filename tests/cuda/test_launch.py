"""How kernels are compiled, kept and launched, with a stand-in for CuPy and the driver."""

import re
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fastdigits.errors import UserError
from fastdigits.ops.cuda import device
from fastdigits.ops.runtime import pool

RELEASE = "Cuda compilation tools, release 12.2"


class FakeCuPy:
    """The part of CuPy that launches kernels. Its driver loads PTX up to version `newest`."""

    def __init__(self):
        self.newest, self.launches, self.local = 99.0, [], threading.local()
        self.cuda = SimpleNamespace(
            Device=lambda: SimpleNamespace(compute_capability="90"), Module=self._module, Stream=self._stream
        )

    @property
    def current_stream(self):
        """The stream of CuPy's own operations in this thread."""
        return getattr(self.local, "stream", None)

    def empty(self, shape, dtype):
        return np.empty(shape, dtype)

    def _stream(self, **settings):
        stream = SimpleNamespace(**settings)

        def use():
            self.local.stream = stream
            return stream

        stream.use = use
        return stream

    def _module(self):
        return FakeModule(self)


class FakeModule:
    """A module of PTX, given as bytes."""

    def __init__(self, cupy):
        self.cupy = cupy

    def load(self, content):
        if float(re.search(rb"\.version ([0-9.]+)", content)[1]) > self.cupy.newest:
            raise RuntimeError("CUDA_ERROR_UNSUPPORTED_PTX_VERSION")
        self.content = content

    def get_function(self, name):
        return lambda grid, block, arguments, shared, stream: self.cupy.launches.append((name, grid, block, stream))


@pytest.fixture
def cupy(needs_numba_cuda, monkeypatch, tmp_path):
    """A stand-in for CuPy, and an empty cache in a folder whose name is not ASCII."""
    from fastdigits.ops.activation import cuda as activation

    fake = FakeCuPy()
    monkeypatch.setattr(device, "arrays", lambda: fake)
    monkeypatch.setattr(activation.relu_forward, "programs", {})
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "Zoë"))
    monkeypatch.setattr(device, "_LOCAL", threading.local())
    device._only_stream.cache_clear()
    yield fake
    device._only_stream.cache_clear()


@pytest.fixture
def compiled(monkeypatch):
    """Compile every kernel to the same small program of PTX `version`; `count` says how many."""
    from fastdigits.ops.cuda import ptx

    state = SimpleNamespace(version="8.2", count=0)

    def compile_kernel(*_):
        state.count += 1
        return f".version {state.version}\n.visible .entry relu_forward(\n)"

    monkeypatch.setattr(ptx, "compile_kernel", compile_kernel)
    monkeypatch.setattr(ptx, "nvvm_release", lambda: RELEASE)
    return state


def launch(start_anew=True):
    """Launch a kernel, as a process of its own would."""
    from fastdigits.ops.activation import cuda as activation

    if start_anew:
        activation.relu_forward.programs.clear()
    x = np.zeros((3, 32), np.float32)
    activation.relu_forward(x, np.empty_like(x))


def test_a_kernel_is_compiled_once_for_all_processes(cupy, compiled):
    launch()
    launch()
    assert compiled.count == 1
    (first, second) = cupy.launches
    assert first == second == ("relu_forward", (1,), (32, 4), cupy.current_stream)


def test_another_nvvm_compiles_anew(cupy, compiled, monkeypatch, tmp_path):
    """After `pip install cuda-toolkit==12.2.*` the kernels of a toolkit that is too new must not be loaded again."""
    from fastdigits.ops.cuda import ptx

    cupy.newest, compiled.version = 8.2, "8.8"
    monkeypatch.setattr(ptx, "nvvm_release", lambda: RELEASE.replace("12.2", "12.9"))
    with pytest.raises(RuntimeError, match="UNSUPPORTED_PTX_VERSION"):
        launch()
    compiled.version = "8.2"
    monkeypatch.setattr(ptx, "nvvm_release", lambda: RELEASE)
    launch()
    assert len(cupy.launches) == 1
    assert len(list(tmp_path.rglob("relu_forward-*.ptx"))) == 2, "both compilers use the same file"


def test_a_file_that_the_driver_refuses_is_compiled_once_more(cupy, compiled):
    compiled.version = "99.9"
    with pytest.raises(RuntimeError, match="UNSUPPORTED_PTX_VERSION"):
        launch()
    assert compiled.count == 2  # once more, in vain
    compiled.version = "8.2"
    launch()
    launch()
    assert (compiled.count, len(cupy.launches)) == (3, 2)


def test_nvvm_names_its_release_and_the_version_of_its_ptx(needs_numba_cuda):
    from fastdigits.ops.cuda import ptx

    release = ptx.nvvm_release()
    assert re.search(r"release \d+\.\d+, V\d+", release)
    assert re.search(r"^\.version \d+\.\d+$", release, re.MULTILINE)


def test_operations_of_cupy_run_on_the_stream_of_the_kernels(cupy, compiled):
    streams = []

    def work(operation):
        operation()
        streams.append(cupy.current_stream)

    graph = SimpleNamespace(launch=lambda stream: None)
    for operation in (launch, device.on_stream, lambda: device.scratch(1), lambda: device.launch(graph)):
        thread = threading.Thread(target=work, args=(operation,))
        thread.start()
        thread.join()
    assert streams == [device.stream()] * 4
    assert streams[0].non_blocking, "a graph cannot be recorded while another library uses the default stream"


def test_a_graph_is_launched_on_the_stream_of_the_kernels_whichever_is_current(cupy):
    launched = []
    graph, others = SimpleNamespace(launch=launched.append), cupy.cuda.Stream()
    for _ in range(2):
        others.use()
        device.launch(graph)
    assert launched == [device.stream()] * 2


def test_no_graph_is_launched_in_a_forked_process(cupy, monkeypatch):
    monkeypatch.setattr(pool._GPU, "why_lost", "this process was forked")
    with pytest.raises(UserError, match="The GPU cannot be used: this process was forked"):
        device.launch(SimpleNamespace(launch=lambda stream: pytest.fail("a graph is launched")))


@pytest.mark.slow
def test_the_host_is_measured_without_a_gpu(needs_numba_cuda):
    script = Path(__file__).parents[2] / "scripts" / "gpu_host.py"
    options = "--model", "linear", "--steps", "5", "--rounds", "2"
    done = subprocess.run([sys.executable, script, *options], capture_output=True, text=True, check=True)
    for part in ("an epoch, by step", "numbers of the step", "launch of the graph", "loop, schedule, callback"):
        assert re.search(rf"^{part} +\d+\.\d us$", done.stdout, re.MULTILINE)
