"""An HTTP protocol that closes slow connections and answers malformed requests in JSON."""

import json
from asyncio import TimerHandle, Transport
from collections import deque
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from fastdigits.serve.guard import SECURITY_HEADERS

MAX_CONNECTIONS = 512
MAX_HEAD_BYTES = 2**16
MAX_PIPELINED = 64  # requests of a connection that wait for the answer to another
GRACE_S = 1.0  # added to the time limit, so that the application itself can report a late body
PIECE = 2**12  # bytes parsed at once; a head that does not end is refused within two pieces of the limit
CHUNK_FRAME = 16  # bytes around a chunk: its length and two line ends
LINE_FRAME, HEADER_FRAME = len(b"  HTTP/1.1\r\n\r\n"), len(b": \r\n")  # of a head besides method, URL and headers
TOO_LONG = f"The head of the request is longer than {MAX_HEAD_BYTES // 2**10} KiB; send less."
NOTHING, HEAD, BODY = range(3)


class Refused(Exception):
    """Ends the parsing of a request that has been refused."""


class LingeringTransport:
    """The transport of an answer; closed before all of the request has arrived, it could lose the answer."""

    def __init__(self, protocol: "GuardedProtocol"):
        self.protocol = protocol

    def __getattr__(self, name: str) -> Any:
        return getattr(self.protocol.transport, name)

    def close(self) -> None:
        """Close the transport once the client has."""
        self.protocol.finish()


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with limits on connections, on the size of heads, and on the time to arrive.

    A subclass sets the time limit, `seconds`.
    """

    seconds: float
    arriving = NOTHING  # the part of a request that is arriving
    head_bytes = 0  # received of a head, or between and after the chunks of a body
    deadline: TimerHandle | None = None  # of the request that is arriving
    write_deadline: TimerHandle | None = None  # of an answer that the client does not receive
    refusal: bytes | None = None  # the last answer, which follows those to earlier requests
    finished = False  # whether the last answer has been sent, and all that arrives is ignored

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.unanswered: deque[RequestResponseCycle] = deque()

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._start_deadline()
        if len(self.connections) > MAX_CONNECTIONS:
            self.refuse(503, "The server has too many connections; try again in a moment.")
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        self._abandon()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.refusal or self.finished or self.transport.is_closing():
            return
        if self.deadline is None and self.arriving == NOTHING:
            self._start_deadline()
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            self.head_bytes += len(piece)
            super().data_received(piece)
            if self.head_bytes > MAX_HEAD_BYTES:
                self.refuse(431, TOO_LONG)
            if self.refusal or self.finished or self.transport.is_closing():
                return

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.arriving = HEAD
        self._start_deadline()

    def on_headers_complete(self) -> None:
        headers = sum(len(name) + len(value) + HEADER_FRAME for name, value in self.headers)
        if len(self.parser.get_method()) + len(self.url) + LINE_FRAME + headers > MAX_HEAD_BYTES:
            self.refuse(431, TOO_LONG)
        if len(self.unanswered) > MAX_PIPELINED:
            self.refuse(503, f"More than {MAX_PIPELINED} requests wait on this connection; wait for answers.")
        if self.refusal:
            raise Refused
        self.arriving, self.head_bytes = BODY, 0
        super().on_headers_complete()
        self.cycle.transport = LingeringTransport(self)  # type: ignore[assignment]
        self.unanswered.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        self.head_bytes = max(0, self.head_bytes - len(body))
        super().on_body(body)

    def on_chunk_header(self) -> None:
        self.head_bytes = max(0, self.head_bytes - CHUNK_FRAME)

    def on_message_complete(self) -> None:
        self._cancel_deadline()
        self.arriving, self.head_bytes = NOTHING, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self.unanswered:
            self.unanswered.popleft()
        super().on_response_complete()
        if self.refusal and not self.unanswered:
            self._close_with_refusal()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.write_deadline = self.loop.call_later(self.seconds + GRACE_S, self.transport.abort)

    def resume_writing(self) -> None:
        if self.write_deadline is not None:
            self.write_deadline.cancel()
            self.write_deadline = None
        super().resume_writing()

    def shutdown(self) -> None:
        if self.finished:
            self.transport.close()
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        self.refuse(400, "The request is not valid HTTP; check the program that sends it.")

    def refuse(self, status: int, message: str) -> None:
        """Answer with an error without calling the application, after all earlier requests; close the connection."""
        if self.refusal or self.transport.is_closing():
            return
        self._cancel_deadline()
        content = json.dumps({"error": message}).encode()
        headers = {"content-type": "application/json", "content-length": len(content), **SECURITY_HEADERS}
        headers |= {"retry-after": 1} if status == 503 else {}
        lines = [f"{name.lower()}: {value}\r\n".encode() for name, value in headers.items()]
        self.refusal = b"".join([STATUS_LINE[status], *lines, b"connection: close\r\n\r\n", content])
        if not self.unanswered or (self.arriving == BODY and len(self.unanswered) == 1):  # it is of this very request
            self._close_with_refusal()

    def finish(self) -> None:
        """Close the connection; if a request is still arriving, first ignore the rest of it."""
        if self.arriving == NOTHING:
            self.transport.close()
        else:
            self._linger()

    def _close_with_refusal(self) -> None:
        self._abandon()
        if not self.finished and not self.transport.is_closing():
            self.transport.write(self.refusal or b"")
            self._linger()

    def _linger(self) -> None:
        """Ignore what arrives until the client closes the connection."""
        if not self.finished and not self.transport.is_closing():
            self.finished = True
            self.transport.write_eof()
            self._start_deadline()

    def _abandon(self) -> None:
        """Let the application know that its answers to all requests can no longer be sent."""
        for cycle in self.unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        self.unanswered.clear()

    def _start_deadline(self) -> None:
        self._cancel_deadline()
        self.deadline = self.loop.call_later(self.seconds + GRACE_S, self._on_deadline)

    def _cancel_deadline(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def _on_deadline(self) -> None:
        if self.arriving == HEAD and not self.refusal:
            self.refuse(408, f"The request did not arrive within {self.seconds:g} s; send it faster.")
        elif not self.transport.is_closing():
            self.transport.abort()
