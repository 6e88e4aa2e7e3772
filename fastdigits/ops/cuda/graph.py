"""CUDA graphs: record the kernels of a step once, then launch all of them with a single call."""

from collections.abc import Callable
from typing import Any

from fastdigits.ops.cuda import device


class Captured:
    """A function that launches its kernels one by one at the first call, records them at the second, then replays them.

    Each set of arguments has its own graph. The first call is not recorded, because it loads the kernels, which CUDA
    does not allow while recording.
    """

    def __init__(self, function: Callable):
        self.function = function
        self.results: dict[tuple, Any] = {}
        self.graphs: dict[tuple, Any] = {}

    def __call__(self, *arguments: Any) -> Any:
        if arguments not in self.results:
            self.results[arguments] = self.function(*arguments)
            return self.results[arguments]
        if arguments not in self.graphs:
            self.graphs[arguments] = record(self.function, *arguments)
        self.graphs[arguments].launch(device.stream())
        return self.results[arguments]


def record(function: Callable, *arguments: Any) -> Any:
    """Return a graph of the kernels that a function launches on the stream, without running them."""
    stream = device.stream()
    with stream:  # to record operations of CuPy, too
        stream.begin_capture()
        try:
            function(*arguments)
        finally:  # also after Ctrl-C, or the stream would keep recording
            graph = stream.end_capture()
    return graph
