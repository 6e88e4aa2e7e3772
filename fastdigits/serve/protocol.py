"""An HTTP protocol that closes slow connections and answers malformed requests in JSON."""

import json
from asyncio import Transport

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_CONNECTIONS = 512
MAX_HEAD_BYTES = 2**16
GRACE_S = 1.0  # added to the time limit, so that the application itself can report a late body


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with limits on connections, on the size of headers, and on the time to arrive.

    A subclass sets the time limit, `seconds`.
    """

    seconds: float
    deadline = None  # timer of the request that is arriving
    head_bytes: int | None = None  # bytes of headers received so far; None while the body arrives

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self.refuse(503, "The server has too many connections; try again in a moment.")
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.head_bytes is not None:
            self.head_bytes += len(data)
        super().data_received(data)
        if self.head_bytes is not None and self.head_bytes > MAX_HEAD_BYTES:
            self.refuse(431, f"The headers of the request are longer than {MAX_HEAD_BYTES // 2**10} KiB; send less.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self.head_bytes = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._cancel_deadline()
        super().on_message_complete()
        self.head_bytes = 0

    def send_400_response(self, msg: str) -> None:
        self.refuse(400, "The request is not valid HTTP; check the program that sends it.")

    def refuse(self, status: int, message: str) -> None:
        """Answer with an error without calling the application, and close the connection."""
        content = json.dumps({"error": message}).encode()
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(content)
        self.transport.write(STATUS_LINE[status] + head + content)
        self.transport.close()

    def _expect_head(self) -> None:
        self._cancel_deadline()
        self.head_bytes = self.head_bytes or 0
        self.deadline = self.loop.call_later(self.seconds + GRACE_S, self._on_deadline)

    def _cancel_deadline(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def _on_deadline(self) -> None:
        if self.transport.is_closing():
            return
        if self.head_bytes:
            self.refuse(408, f"The request did not arrive within {self.seconds:g} s; send it faster.")
        else:
            self.transport.abort()
