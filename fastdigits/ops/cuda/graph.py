"""CUDA graphs: record the kernels of a step once, then launch all of them with a single call."""

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

from fastdigits.ops.cuda import device

_HOST_WORK = count()  # advanced by every operation that runs on the host


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

    def __call__(self, *arguments: Any) -> Any:
        if self.works_on_host:
            return self.function(*arguments)
        if arguments not in self.results:
            before = next(_HOST_WORK)
            self.results[arguments] = self.function(*arguments)
            self.works_on_host = next(_HOST_WORK) != before + 1
            return self.results[arguments]
        if arguments not in self.graphs:
            self.graphs[arguments] = record(self.function, *arguments)
        self.graphs[arguments].launch(device.stream())
        return self.results[arguments]


def record(function: Callable, *arguments: Any) -> Any:
    """Return a graph of the kernels that a function launches on the stream, without running them."""
    stream = device.stream()  # that of CuPy's operations, too
    stream.begin_capture()
    try:
        function(*arguments)
    except BaseException:  # also Ctrl-C, after which the stream would keep recording
        with suppress(Exception):  # an error has made the recording invalid, which CUDA reports as another error
            stream.end_capture()
        raise
    return stream.end_capture()
