"""The operations of the reference on a fake stream, which records them like CUDA streams record kernels."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastdigits.ops import LoadedOps, Ops, load
from fastdigits.ops.cuda import graph


class CaptureError(RuntimeError):
    """What CUDA refuses while streams are recorded; the message is the name of its error."""


class Node(NamedTuple):
    """Some work in a graph, and the positions of all work that is done before it."""

    work: Callable
    before: frozenset[int]


class Capture:
    """A recording, in which several streams may take part."""

    def __init__(self, origin: "Stream"):
        self.origin, self.nodes, self.ended = origin, list[Node](), False


class Event:
    """A point in the work of a stream: `before` are the positions of the work before it in the recording, if any."""

    capture: Capture | None = None
    before: frozenset[int] = frozenset()

    def record(self, stream: "Stream") -> None:
        self.capture, self.before = stream.capture, frozenset(stream.before)


class Stream:
    """The part of a CuPy stream that recording needs; `log` lists the events without repetitions.

    Attributes
    ----------
    is_current : bool
        Whether it is CuPy's current stream, on which changes of arrays run.
    """

    graph_type: type["Graph"]

    def __init__(self):
        self.log: list[str] = []
        self.before: set[int] = set()  # positions of the work that is done before the next one in the recording
        self._capture: Capture | None = None
        self.is_current = self.is_working = False

    def use(self) -> "Stream":
        """Become CuPy's current stream."""
        self.is_current = True
        return self

    @property
    def capture(self) -> Capture | None:
        """The recording that the stream takes part in. It leaves the recording when that ends."""
        if self._capture and self._capture.ended:
            self._capture, self.before = None, set()
        return self._capture

    @property
    def records(self) -> bool:
        """Whether work is recorded instead of done."""
        return self.capture is not None

    def begin_capture(self) -> None:
        self.note("begin")
        self._capture = Capture(self)

    def end_capture(self) -> "Graph":
        """Return the graph. Work of another stream must be done before what this one would do next."""
        self.note("end")
        capture = self.capture
        if capture is None or capture.origin is not self:
            raise CaptureError("cudaErrorStreamCaptureUnmatched")
        capture.ended = True
        if len(self.before) < len(capture.nodes):
            raise CaptureError("cudaErrorStreamCaptureUnjoined")
        return self.graph_type(self, capture.nodes)

    def record(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Do further work after that before an event. If the event is recorded, record the work, too."""
        if event.capture is not self.capture:
            if event.capture is None:
                raise CaptureError("cudaErrorStreamCaptureIsolation")
            if event.capture.ended:
                raise CaptureError("cudaErrorCapturedEvent")
            if self.capture:
                raise CaptureError("cudaErrorStreamCaptureMerge")
        self._capture = event.capture
        self.before |= event.before

    def note(self, event: str) -> None:
        """Add an event to the log, unless it is the last one there."""
        if self.log[-1:] != [event]:
            self.log.append(event)

    def do(self, work: Callable) -> None:
        """Do some work now, or record it for later."""
        if self.capture:
            self.capture.nodes.append(Node(work, frozenset(self.before)))
            self.before.add(len(self.capture.nodes) - 1)
        else:
            self.work([work])

    def work(self, works: list[Callable]) -> None:
        """Do some work of the device."""
        self.is_working = True
        for work in works:
            work()
        self.is_working = False


class Graph:
    """The work that streams have recorded."""

    def __init__(self, stream: Stream, nodes: list[Node]):
        self.stream, self.nodes = stream, nodes

    def launch(self, stream: Stream) -> None:
        assert stream is self.stream
        stream.log.append("launch")  # repetitions included
        stream.work([node.work for node in self.nodes])


Stream.graph_type = Graph


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
            self._note_change()
            super().__setitem__(at, value)

    def __iadd__(self, other: Any) -> "Array":
        if self._recorded:
            self.stream.do(lambda: self.__iadd__(other))
            return self
        self._note_change()
        return super().__iadd__(other)

    @property
    def _recorded(self) -> bool:
        return self.stream is not None and self.stream.records

    def _note_change(self) -> None:
        if self.stream is not None and not self.stream.is_working:
            assert self.stream.is_current, "CuPy changes an array on another stream"
            self.stream.note("host")


def recording_ops(stream: Stream) -> Ops:
    """Return the operations of the reference on the stream.

    The log calls them "eager" unless they are replayed, and "host" if the host makes or changes an array.
    """
    reference = load("reference")

    def making(name: str) -> Callable:
        def make(*arguments, **named):
            assert not stream.records, f"{name} makes an array while the stream records"
            stream.use().note("host")
            array = getattr(reference, name)(*arguments, **named).view(Array)
            array.stream = stream
            return array

        return make

    def at_once(name: str) -> Callable:
        def do(*arguments, **named):
            assert not stream.records, f"{name} is called while the stream records"
            stream.use().note(name)
            return getattr(reference, name)(*arguments, **named)

        return do

    def started(name: str) -> Callable:
        def start(*arguments, **named):
            if not stream.use().records:
                stream.note("eager")
            stream.do(lambda: getattr(reference, name)(*arguments, **named))

        return start

    functions = {name: started(name) for name, function in vars(reference).items() if callable(function)}
    functions |= {name: making(name) for name in ("empty", "zeros", "upload")}
    functions |= {name: at_once(name) for name in ("download", "pack", "unpack")}
    return LoadedOps("recorded", reference.lanes, functions | {"captured": graph.Captured})
