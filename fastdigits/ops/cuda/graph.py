"""CUDA graphs: record the kernels of a step once, then launch all of them with a single call."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple

from fastdigits.ops.cuda import device

_HOST_WORK = count()  # advanced by every operation that runs on the host
_LOCAL = threading.local()  # its `branches` are those of the graph that this thread records


def note_host_work() -> None:
    """Note that an operation runs on the host, which no graph can replay."""
    next(_HOST_WORK)


class Captured:
    """A function that launches its kernels one by one at the first call, records them at the second, then replays them.

    Each set of arguments has its own graph. The first call is not recorded, because it loads the kernels, which CUDA
    does not allow while recording. If an operation runs on the host, nothing is recorded.
    """

    def __init__(self, function: Callable):
        self.function = function
        self.results: dict[tuple, Any] = {}
        self.graphs: dict[tuple, Any] = {}
        self.works_on_host = False

    def __call__(self, *arguments: Any, times: int = 1) -> Any:
        for _ in range(times):
            if graph := self.graphs.get(arguments) or self._recorded(arguments):
                device.launch(graph)
            else:
                self._run(arguments)
        return self.results[arguments]

    def _recorded(self, arguments: tuple) -> Any:
        """Return a new graph, or None if the kernels are not loaded or an operation runs on the host."""
        if self.works_on_host or arguments not in self.results:
            return None
        self.graphs[arguments] = record(self.function, *arguments)
        return self.graphs[arguments]

    def _run(self, arguments: tuple) -> None:
        """Launch the kernels one by one."""
        before = next(_HOST_WORK)
        self.results[arguments] = self.function(*arguments)
        self.works_on_host |= next(_HOST_WORK) != before + 1


def record(function: Callable, *arguments: Any) -> Any:
    """Return a graph of the kernels that a function launches on the stream, without running them."""
    stream = device.stream()  # that of CuPy's operations, too
    branches = _LOCAL.branches = Branches(stream, device.side_stream())
    stream.begin_capture()
    try:
        function(*arguments)
        branches.join()
    except BaseException:  # also Ctrl-C, after which the streams would keep recording
        with suppress(Exception):  # an error has made the recording invalid, which CUDA reports as another error
            stream.end_capture()
        raise
    finally:
        _LOCAL.branches = None
    return stream.end_capture()


class Use(NamedTuple):
    """The memory that a kernel uses for an argument: an address, a number of bytes, and whether it may write there."""

    address: int
    size: int
    writes: bool

    def conflicts(self, other: "Use") -> bool:
        """Return whether one of two uses writes what the other one reads or writes."""
        overlap = self.address < other.address + other.size and other.address < self.address + self.size
        return overlap and (self.writes or other.writes)


class Branches:
    """The two streams of a graph that is being recorded: the main one, and one for kernels within `concurrently`.

    A kernel on the side stream waits for the kernels that were launched before it. The main stream waits for the side
    stream only before a kernel that uses what that has written, or overwrites what it uses, and at the end. So the
    graph gives the same bits as the kernels one after another.

    A stream takes part in a recording from its first wait for an event that is recorded there, to the end, before which
    the main stream must have waited for it, or CUDA refuses the recording ("Cross-stream Dependencies and Events" in
    the CUDA Programming Guide). CuPy records in the relaxed mode, in which a stream that takes no part would run its
    kernels at once.
    """

    def __init__(self, main: Any, side: Any):
        self.main, self.side = main, side
        self.ahead = True  # whether the side stream has yet to wait for what was launched on the main one
        self.pending: list[Use] = []  # of kernels on the side stream that the main one has not waited for

    def stream_of(self, uses: Iterable[Use]) -> Any:
        """Return the stream on which to launch a kernel, which waits for all that the kernel depends on."""
        if device.is_concurrent():
            if self.ahead:
                self.side.wait_event(self.main.record())
            self.ahead = False
            self.pending += uses
            return self.side
        if any(use.conflicts(other) for use in uses for other in self.pending):
            self.join()
        self.ahead = True
        return self.main

    def join(self) -> None:
        """Let the main stream wait for the side stream."""
        if self.pending:
            self.main.wait_event(self.side.record())
        self.pending = []


def stream_of(arguments: Iterable[Any], written: Iterable[bool]) -> Any:
    """Return the stream on which to launch a kernel, given its arguments, and for each whether it may be written."""
    branches = getattr(_LOCAL, "branches", None)
    if branches is None:
        return device.stream()
    return branches.stream_of([_use(*one) for one in zip(arguments, written, strict=True) if one[0].ndim])


def _use(array: Any, writes: bool) -> Use:
    return Use(array.data.ptr, array.nbytes, writes)
