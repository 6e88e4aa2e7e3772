"""The operations of the reference on a fake stream, which records them like a CUDA stream records kernels."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastdigits.ops import LoadedOps, Ops, load
from fastdigits.ops.cuda import graph


class Stream:
    """The part of a CuPy stream that recording needs; `log` lists the events without repetitions."""

    def __init__(self):
        self.log: list[str] = []
        self.recorded: list[Callable] | None = None

    def use(self) -> "Stream":
        """Become CuPy's current stream."""
        return self

    @property
    def records(self) -> bool:
        """Whether work is recorded instead of done."""
        return self.recorded is not None

    def begin_capture(self) -> None:
        self.note("begin")
        self.recorded = []

    def end_capture(self) -> "Graph":
        self.note("end")
        done, self.recorded = Graph(self, self.recorded), None
        return done

    def note(self, event: str) -> None:
        """Add an event to the log, unless it is the last one there."""
        if self.log[-1:] != [event]:
            self.log.append(event)

    def do(self, work: Callable) -> None:
        """Do some work now, or record it for later."""
        if self.records:
            self.recorded.append(work)
        else:
            work()


class Graph:
    """The work that a stream has recorded."""

    def __init__(self, stream: Stream, works: list[Callable]):
        self.stream, self.works = stream, works

    def launch(self, stream: Stream) -> None:
        assert stream is self.stream
        stream.log.append("launch")  # repetitions included
        for work in self.works:
            work()


class Array(np.ndarray):
    """An array of the fake device: changes can be recorded, and it cannot be read while recording."""

    stream: Stream | None = None

    def __array_finalize__(self, parent: Any) -> None:
        self.stream = getattr(parent, "stream", None)

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        assert isinstance(found, np.ndarray) or not self._recorded, "the host reads an array while the stream records"
        return found

    def __setitem__(self, at: Any, value: Any) -> None:
        if self._recorded:
            self.stream.do(lambda: self.__setitem__(at, value))
        else:
            super().__setitem__(at, value)

    def __iadd__(self, other: Any) -> "Array":
        if self._recorded:
            self.stream.do(lambda: self.__iadd__(other))
            return self
        return super().__iadd__(other)

    @property
    def _recorded(self) -> bool:
        return self.stream is not None and self.stream.records


def recording_ops(stream: Stream) -> Ops:
    """Return the operations of the reference on the stream; the log calls them "eager" unless they are replayed."""
    reference = load("reference")

    def making(name: str) -> Callable:
        def make(*arguments, **named):
            assert not stream.records, f"{name} makes an array while the stream records"
            array = getattr(reference, name)(*arguments, **named).view(Array)
            array.stream = stream
            return array

        return make

    def at_once(name: str) -> Callable:
        def do(*arguments, **named):
            assert not stream.records, f"{name} is called while the stream records"
            stream.note(name)
            return getattr(reference, name)(*arguments, **named)

        return do

    def started(name: str) -> Callable:
        def start(*arguments, **named):
            if not stream.records:
                stream.note("eager")
            stream.do(lambda: getattr(reference, name)(*arguments, **named))

        return start

    functions = {name: started(name) for name, function in vars(reference).items() if callable(function)}
    functions |= {name: making(name) for name in ("empty", "zeros", "upload")}
    functions |= {name: at_once(name) for name in ("download", "write", "pack", "unpack")}
    return LoadedOps("recorded", reference.lanes, functions | {"captured": graph.Captured})
