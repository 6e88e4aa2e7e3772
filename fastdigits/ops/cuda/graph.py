"""CUDA graphs: a step's kernels are recorded once and then started together, in the time of a single start."""

from collections.abc import Callable
from typing import Any

from fastdigits.ops.cuda import device


class Captured:
    """A function that starts its kernels one by one at the first call, records them at the second and then replays.

    Each set of arguments has a graph of its own. The first call loads what the kernels need, which must not be
    done while others are recorded.
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
    """What a function starts on the stream, as a graph; none of it is done yet."""
    stream = device.stream()
    with stream:  # so that CuPy's own operations are recorded, too
        stream.begin_capture()
        try:
            function(*arguments)
        finally:  # after Ctrl-C, too, or the stream would go on recording
            graph = stream.end_capture()
    return graph
