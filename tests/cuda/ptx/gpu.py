"""Stand in for CuPy and the driver: arrays in memory that is watched, and kernels that the interpreter runs."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from itertools import count
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import recording

from ptx.code import Code
from ptx.machine import Argument, Launch, Place, Violation
from ptx.memory import Memory
from ptx.program import parse

THREADS = 16384  # that run at a time
CAPABILITY = (9, 0)
MEMORY_BYTES = 141 * 10**9
ATTRIBUTES = {  # of an H200: clocks in kHz, bits of its memory's bus
    **{"MultiProcessorCount": 132, "ClockRate": 1_980_000},
    **{"MemoryClockRate": 3_201_000, "GlobalMemoryBusWidth": 6144},
}

code_of = cache(lambda text: Code(parse(text)))


class DeviceArray(np.ndarray):
    """An array in the memory of the pretended GPU; `home` is that memory."""

    home: Memory | None = None

    def __array_finalize__(self, parent: Any) -> None:
        self.home = getattr(parent, "home", None)

    def get(self, stream: Any = None) -> np.ndarray:
        """Return a copy in host memory."""
        return np.array(self.read(), subok=False)

    def read(self) -> "DeviceArray":
        """Return the array itself.

        Raises
        ------
        Violation
            If it is on the device, and some of its numbers have not been written.
        """
        if self._is_on_device() and not self._initialized().all():
            raise Violation(f"the host or CuPy reads uninitialized memory in an array of shape {self.shape}")
        return self

    def reshape(self, *shape: Any, **options: Any) -> "DeviceArray":
        """Return a view, or a copy of which the same numbers are initialized."""
        found = super().reshape(*shape, **options)
        if not self._is_on_device() or found._is_on_device():
            return found
        memory = Memory(found.nbytes, found.itemsize)
        copy = memory.array(found.shape, found.dtype).view(DeviceArray)
        np.copyto(copy, found)
        copy.home = memory
        copy._initialized()[...] = self._initialized().reshape(*found.shape, found.itemsize)
        return copy

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        if not (isinstance(found, DeviceArray) and found._is_on_device()):  # a number or a copy, not a view
            self.read()
        return found

    def __setitem__(self, at: Any, value: Any) -> None:
        super().__setitem__(at, value.read() if isinstance(value, DeviceArray) else value)
        self._initialized()[at] = 1

    def __iadd__(self, other: Any) -> "DeviceArray":
        self[...] = self.read() + (other.read() if isinstance(other, DeviceArray) else other)
        return self

    @property
    def data(self) -> SimpleNamespace:  # type: ignore[override]
        """The address of the array, as CuPy gives it."""
        return SimpleNamespace(ptr=self.__array_interface__["data"][0])

    def argument(self) -> Argument:
        """Return the array as a kernel gets it."""
        assert self.flags.c_contiguous, "a kernel is given an array with gaps"
        return Argument(self.home, self._offset(), self.nbytes)

    def _offset(self) -> int:
        assert self._is_on_device(), "a kernel is given an array that is not on the device"
        return self.__array_interface__["data"][0] - self.home.bytes.ctypes.data

    def _is_on_device(self) -> bool:
        return self.home is not None and (not self.size or np.may_share_memory(self, self.home.bytes))

    def _initialized(self) -> np.ndarray:
        """Return the marks of the array's bytes: an array with one more axis."""
        shape, strides = (*self.shape, self.itemsize), (*self.strides, 1)
        return np.ndarray(shape, np.uint8, self.home.initialized, self._offset(), strides)


class Work:
    """A kernel with its grid and arguments, to be launched on a stream, which is given by its number.

    `written` are the arrays of memory that it may write, by their id.
    """

    def __init__(
        self, gpu: "Gpu", code: Code, grid: Sequence[int], block: Sequence[int], arguments: Sequence[Any], stream: int
    ):
        self.gpu, self.code, self.grid, self.block, self.stream = gpu, code, grid, block, stream
        self.arguments = [one.argument() if isinstance(one, DeviceArray) else one for one in arguments]
        named = zip(code.program.parameters, self.arguments, strict=False)  # Launch compares their numbers
        self.written = {id(one.memory) for name, one in named if isinstance(one, Argument) and name in code.written}

    def __call__(self, number: int | None = None, place: Place | None = None) -> None:
        number = next(self.gpu.times) if number is None else number
        launch = Launch(self.code, self.grid, self.block, self.arguments, number, self.gpu.counts_memory, place)
        self.gpu.launches.append(launch)
        launch.run(THREADS)


class GpuGraph(recording.Graph):
    """Recorded kernels. Each launch runs them in the order in which they were recorded, and knows which need not be."""

    def launch(self, stream: recording.Stream) -> None:
        assert stream is self.stream
        stream.log.append("launch")
        numbers = [next(node.work.gpu.times) for node in self.nodes]
        for n, (number, node) in enumerate(zip(numbers, self.nodes, strict=True)):
            node.work(number, self._place(n, numbers))

    def _place(self, n: int, numbers: list[int]) -> Place:
        works = [node.work for node in self.nodes]
        concurrent = [m for m in self._concurrent[n] if m < n]
        return Place(
            works[n].stream,
            self.after[n],
            {numbers[m]: works[m].code.program.name for m in concurrent},
            set().union(*(works[m].written for m in self._concurrent[n])),
        )

    @cached_property
    def _concurrent(self) -> list[list[int]]:
        """The positions of the nodes that nothing orders before or after each node."""
        each = list(enumerate(self.nodes))
        return [
            [m for m, other in each if m != n and m not in node.before and n not in other.before] for n, node in each
        ]

    @cached_property
    def after(self) -> list[int | None]:
        """The last node of another stream that each node waits for, if the one before it does not."""
        found, waited = list[int | None](), {}
        for node in self.nodes:
            stream = node.work.stream
            last = max((m for m in node.before if self.nodes[m].work.stream != stream), default=-1)
            found.append(last if last > waited.get(stream, -1) else None)
            waited[stream] = last
        return found


class GpuStream(recording.Stream):
    """A stream: work is done at once or recorded.

    Outside of a recording, only the main stream is expected to be used, which is in order by itself.
    """

    graph_type = GpuGraph

    def __init__(self, gpu: "Gpu", number: int):
        super().__init__()
        self.gpu, self.number = gpu, number

    def do(self, work: Callable) -> None:
        if not self.records:
            assert self.number == 0, f"{work.code.program.name} is launched on the second stream, which does not record"
            assert not any(stream.records for stream in self.gpu.streams), "a kernel runs while a stream records"
        super().do(work)


class Event(recording.Event):
    """A point in the work of a stream; the time is that of the host."""

    def record(self, stream: GpuStream) -> None:
        super().record(stream)
        self.seconds = perf_counter()

    def synchronize(self) -> None:
        """Work is done at once, unless it is recorded."""
        if self.capture:
            raise recording.CaptureError("cudaErrorCapturedEvent")


class Module:
    """A loaded file of PTX."""

    def __init__(self, gpu: "Gpu"):
        self.gpu, self.text = gpu, ""

    def load(self, content: bytes) -> None:
        self.text = content.decode()

    def get_function(self, name: str) -> Callable:
        return self.gpu.load(self.text, name)


def counts_by_kernel(launches: Iterable[Launch]) -> dict[str, Counter[str]]:
    """Return what launches have counted, added up for each kernel: warp instructions by kind, and uses of memory."""
    found: dict[str, Counter[str]] = {}
    for launch in launches:
        found.setdefault(launch.name, Counter()).update(launch.instructions + launch.memory)
    return found


class Gpu:
    """What the package uses of CuPy.

    Parameters
    ----------
    counts_memory : bool
        Whether launches count memory sectors and bank conflicts, which takes long.

    Attributes
    ----------
    launches : list of Launch
        All launches, with their counts.
    alter : function
        Maps the text of each program to the text that is run, for tests.
    """

    def __init__(self, counts_memory: bool = False):
        self.launches: list[Launch] = []
        self.times = count(1)
        self.counts_memory = counts_memory
        self.alter: Callable[[str], str] = str
        self.streams = [GpuStream(self, number) for number in range(2)]
        self.stream = self.streams[0]
        self.declared: list[bool] = []  # of the kernel to be launched: for each array, whether it may write it
        unused = iter(self.streams)
        device = SimpleNamespace(compute_capability="".join(map(str, CAPABILITY)), attributes=ATTRIBUTES)
        self.cuda = SimpleNamespace(
            Stream=lambda **options: next(unused),
            Device=lambda: device,
            Module=lambda: Module(self),
            Event=Event,
            get_elapsed_time=lambda first, last: 1000 * (last.seconds - first.seconds),
            runtime=SimpleNamespace(memGetInfo=lambda: (MEMORY_BYTES, MEMORY_BYTES)),
        )

    def empty(self, shape: Any, dtype: Any = np.float32) -> DeviceArray:
        """Return an array in new memory, filled with what no kernel may read."""
        shape, dtype = (shape,) if isinstance(shape, int) else tuple(shape), np.dtype(dtype)
        memory = Memory(int(np.prod(shape)) * dtype.itemsize, dtype.itemsize)
        array = memory.array(shape, dtype).view(DeviceArray)
        array.fill(np.nan if dtype.kind == "f" else 77)
        array.home = memory
        return array

    def array(self, values: Any, dtype: Any = None) -> DeviceArray:
        """Return a copy of an array."""
        values = np.asarray(values, dtype)
        copy = self.empty(values.shape, values.dtype)
        copy[...] = values
        return copy

    def zeros(self, shape: Any, dtype: Any = np.float32) -> DeviceArray:
        """Return an array of zeros."""
        return self.array(np.zeros(shape, dtype))

    def asarray(self, values: Any) -> DeviceArray:
        """Return an array on the device."""
        return values if isinstance(values, DeviceArray) else self.array(values)

    def get_default_memory_pool(self) -> SimpleNamespace:
        """Return the pool of memory, which keeps nothing."""
        return SimpleNamespace(free_all_blocks=lambda: None, used_bytes=lambda: 0)

    def load(self, text: str, name: str) -> Callable:
        """Return the kernel of a program as a function of grid, block and arguments."""
        code = code_of(self.alter(text))
        assert name == code.program.entry

        def launch(
            grid: Sequence[int], block: Sequence[int], arguments: Sequence[Any], shared_bytes: int, stream: GpuStream
        ) -> None:
            self._check_declaration(code, arguments)
            stream.do(Work(self, code, grid, block, arguments, stream.number))

        return launch

    def _check_declaration(self, code: Code, arguments: Sequence[Any]) -> None:
        """Refuse a kernel that may write an array which its declaration, `writes`, leaves out."""
        arrays = [name for name, one in zip(code.program.parameters, arguments, strict=False) if _is_array(one)]
        for number, (name, may_write) in enumerate(zip(arrays, self.declared, strict=True), 1):
            if name in code.written and not may_write:
                raise Violation(f"{code.program.name}: writes array {number}, which `writes` does not name")


def _is_array(argument: Any) -> bool:
    return isinstance(argument, DeviceArray)


_KERNELS: set[Any] = set()  # which keep the programs that they have loaded


@contextmanager
def interpreted(**settings: Any) -> Iterator[Gpu]:
    """Within the context, the device cuda is the interpreter."""
    from numba.cuda import dispatcher

    from fastdigits import ops
    from fastdigits.ops.batch import cuda as batch
    from fastdigits.ops.cuda import device, launch

    gpu, start = Gpu(**settings), launch.start

    def start_noted(kernel: Any, grid: Any, arguments: Any) -> None:
        _KERNELS.add(kernel)
        gpu.declared = [may_write for one, may_write in zip(arguments, kernel.written, strict=True) if one.ndim]
        start(kernel, grid, arguments)

    def forget() -> None:
        for kernel in _KERNELS:
            kernel.programs.clear()
        for value in (*vars(device).values(), *vars(batch).values()):
            if hasattr(value, "cache_clear"):
                value.cache_clear()
        device._LOCAL.__dict__.clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", gpu)
        patch.setattr(ops, "_why_no_cuda", lambda: None)
        patch.setattr(launch, "start", start_noted)
        patch.setattr(dispatcher, "get_current_device", lambda: SimpleNamespace(compute_capability=CAPABILITY))
        forget()
        yield gpu
        forget()
