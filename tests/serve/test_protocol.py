"""The HTTP protocol, and what it relies on in uvicorn's, a class that uvicorn does not document."""

import asyncio
import inspect
import re

import pytest

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from fastdigits.serve.guard import SECURITY_HEADERS
from fastdigits.serve.protocol import GRACE_S, MAX_HEAD_BYTES, MAX_PIPELINED, PIECE, GuardedProtocol

TIMEOUT_S = 60


def test_uvicorn_calls_the_methods_that_the_protocol_overrides():
    """A version of uvicorn that lacks one of them would leave the server without its limits."""
    parameters = {
        "connection_made": ["self", "transport"],
        "connection_lost": ["self", "exc"],
        "data_received": ["self", "data"],
        "on_message_begin": ["self"],
        "on_headers_complete": ["self"],
        "on_body": ["self", "body"],
        "on_message_complete": ["self"],
        "on_response_complete": ["self"],
        "pause_writing": ["self"],
        "resume_writing": ["self"],
        "shutdown": ["self"],
        "send_400_response": ["self", "msg"],
    }
    own = {name for name, value in vars(GuardedProtocol).items() if inspect.isfunction(value)}
    assert own & set(dir(HttpToolsProtocol)) - set(dir(object)) == set(parameters)
    for name, expected in parameters.items():
        assert list(inspect.signature(getattr(HttpToolsProtocol, name)).parameters) == expected


def test_uvicorn_has_the_attributes_that_the_protocol_reads():
    async def app(scope, receive, send):
        pass

    async def build():
        return HttpToolsProtocol(Config(app, lifespan="off"), ServerState(), {})

    protocol = asyncio.run(build())
    assert protocol.connections == set()
    assert isinstance(protocol.loop, asyncio.AbstractEventLoop)
    assert hasattr(protocol, "transport")


def test_uvicorn_has_the_status_lines_that_the_protocol_sends():
    for status in (400, 408, 431, 503):
        assert STATUS_LINE[status].startswith(b"HTTP/1.1 %d " % status)
        assert STATUS_LINE[status].endswith(b"\r\n")


class FakeTransport:
    """A transport that keeps what is written."""

    def __init__(self):
        self.written, self.closed, self.ended = b"", False, False

    def get_extra_info(self, name, default=None):
        return default

    def write(self, data):
        assert not self.closed
        assert not self.ended
        self.written += data

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True

    def write_eof(self):
        self.ended = True

    def nothing(self):
        pass

    abort, pause_reading, resume_reading = close, nothing, nothing


async def length_of_body(scope, receive, send):
    """Answer with the number of bytes of the body."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length, more = length + len(message["body"]), message["more_body"]
    content = b"%d bytes" % length
    head = {"status": 200, "headers": [(b"content-length", b"%d" % len(content))]}
    await send({"type": "http.response.start", **head})
    await send({"type": "http.response.body", "body": content})


def protocol_on(transport, seconds=60.0):
    """Return a protocol that has been connected; call this in an event loop."""
    kind = type("Protocol", (GuardedProtocol,), {"seconds": seconds})
    config = Config(length_of_body, lifespan="off", log_config=None, access_log=False, proxy_headers=False)
    protocol = kind(config, ServerState(), {})
    protocol.connection_made(transport)
    return protocol


def converse(*parts):
    """Return what a connection answers to bytes that arrive in parts."""

    async def answer():
        transport = FakeTransport()
        protocol = protocol_on(transport)
        for part in parts:
            protocol.data_received(part)
            await asyncio.sleep(0)
        while any(not cycle.response_complete for cycle in protocol.unanswered) and not transport.closed:
            await asyncio.sleep(0)
        if not transport.closed:
            protocol.connection_lost(None)
        return transport.written

    return asyncio.run(answer())


def statuses(written):
    return [int(status) for status in re.findall(rb"HTTP/1.1 (\d+) ", written)]


def head(size, shape):
    """Return a request whose head has a size in bytes."""
    line, end = b"GET /%s HTTP/1.1\r\nHost: x\r\n", b"\r\n"
    rest = size - len(line % b"" + end)
    if shape == "a long line":
        return line % (b"x" * rest) + end
    if shape == "one header":
        return line % b"" + b"x: " + b"x" * (rest - 5) + b"\r\n" + end
    names = [b"x%04d: y\r\n" % number for number in range(rest // 10)]
    return line % (b"x" * (rest % 10)) + b"".join(names) + end


@pytest.mark.parametrize("shape", ["a long line", "one header", "many headers"])
@pytest.mark.parametrize("size", [20, 1000, 2**20])
def test_the_head_of_a_request_is_limited_however_it_arrives(shape, size):
    def answers(length, before=b""):
        content = before + head(length, shape)
        return converse(*(content[at : at + size] for at in range(0, len(content), size)))

    assert len(head(MAX_HEAD_BYTES, shape)) == 2**16
    assert statuses(answers(MAX_HEAD_BYTES)) == [200]
    refused = answers(MAX_HEAD_BYTES + 1)
    assert statuses(refused) == [431]
    assert b"64 KiB" in refused
    assert statuses(answers(MAX_HEAD_BYTES, before=head(100, shape))) == [200, 200]
    assert statuses(answers(MAX_HEAD_BYTES + 1, before=head(100, shape))) == [200, 431]


def test_a_head_may_arrive_byte_by_byte():
    content = head(MAX_HEAD_BYTES, "one header")
    assert statuses(converse(*(content[at : at + 1] for at in range(len(content))))) == [200]


def test_a_head_without_an_end_is_refused():
    for start in (b"GET /", b"GET / HTTP/1.1\r\nx", b"GET / HTTP/1.1\r\nx: ", b"\r\n"):
        assert statuses(converse(start + start[-1:] * (MAX_HEAD_BYTES + PIECE))) == [431]


CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_what_surrounds_chunks_is_limited():
    many = b"x" * (MAX_HEAD_BYTES + 2 * PIECE)
    trailers = b"".join(b"x%d: y\r\n" % number for number in range(9000))
    assert statuses(converse(CHUNKED + b"1;" + many + b"\r\nx\r\n0\r\n\r\n")) == [431]
    assert statuses(converse(CHUNKED + (b"1;" + b"x" * 1000 + b"\r\nx\r\n") * 100)) == [431]
    assert statuses(converse(CHUNKED + b"1\r\nx\r\n0\r\n" + trailers + b"\r\n")) == [431]


def test_bodies_in_chunks_of_any_size_are_received():
    for size, count in [(1, 30_000), (1000, 1000), (2**20, 3)]:
        chunk = b"%x\r\n%s\r\n" % (size, b"x" * size)
        answer = converse(CHUNKED + chunk * count + b"0\r\n\r\n")
        assert statuses(answer) == [200]
        assert answer.endswith(b"%d bytes" % (size * count))


def test_requests_before_a_malformed_one_are_answered_first():
    answer = converse(head(100, "one header") * 2 + b"GIBBERISH\r\n\r\n" + head(100, "one header"))
    assert statuses(answer) == [200, 200, 400]


def test_a_malformed_body_is_refused_at_once():
    assert statuses(converse(CHUNKED + b"no length\r\n")) == [400]


def test_requests_that_wait_on_a_connection_are_limited():
    answer = converse(head(100, "one header") * (MAX_PIPELINED + 5))
    assert statuses(answer) == [200] * (MAX_PIPELINED + 1) + [503]
    assert b"retry-after: 1\r\n" in answer
    assert statuses(converse(*[head(100, "one header")] * 500)) == [200] * 500


def test_refusals_have_the_security_headers():
    answer = converse(b"GIBBERISH\r\n\r\n")
    for name, value in SECURITY_HEADERS.items():
        assert f"\r\n{name.lower()}: {value}\r\n".encode() in answer


@pytest.mark.parametrize("answer", ["early", "refusal"])
def test_an_answer_is_not_lost_because_the_request_has_not_arrived(answer):
    """Closing a connection on which bytes arrive resets it, and the client may never read the answer."""

    async def answer_early(scope, receive, send):
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    async def talk():
        transport = FakeTransport()
        protocol = protocol_on(transport)
        protocol.app = answer_early
        if answer == "early":
            protocol.data_received(
                b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\nx"
            )
        else:
            protocol.data_received(CHUNKED + b"no length\r\n")
        while not transport.written:
            await asyncio.sleep(0)
        ended = transport.ended and not transport.closed
        protocol.data_received(b"x" * 1000)
        protocol.shutdown()  # when the server stops
        assert transport.closed
        protocol.connection_lost(None)
        return ended, statuses(transport.written)

    assert asyncio.run(asyncio.wait_for(talk(), TIMEOUT_S)) == (True, [413 if answer == "early" else 400])


@pytest.mark.parametrize("action", ["say nothing", "send half a request", "send line ends", "read no answer"])
def test_connections_on_which_nothing_happens_are_closed(action):
    async def close():
        transport = FakeTransport()
        protocol = protocol_on(transport, seconds=0.01 - GRACE_S)
        if action == "send half a request":
            protocol.data_received(b"GET / HTTP/1.1\r\nHost")
        if action == "send line ends":  # after a request, which ends the first time limit
            protocol.data_received(head(100, "one header"))
            while protocol.unanswered:
                await asyncio.sleep(0)
            protocol.data_received(b"\r\n")
        if action == "read no answer":
            protocol.data_received(head(100, "one header"))
            protocol.pause_writing()
        while not transport.closed:
            await asyncio.sleep(0.01)
        protocol.connection_lost(None)
        return transport.written

    written = asyncio.run(asyncio.wait_for(close(), TIMEOUT_S))
    assert statuses(written) == {"send half a request": [408], "send line ends": [200]}.get(action, [])


def test_a_client_that_keeps_up_is_not_cut_off():
    async def pauses():
        transport = FakeTransport()
        protocol = protocol_on(transport, seconds=0.05 - GRACE_S)
        protocol.data_received(head(100, "one header"))
        protocol.pause_writing()
        protocol.resume_writing()
        assert protocol.write_deadline is None
        while protocol.unanswered:
            await asyncio.sleep(0)
        protocol.connection_lost(None)
        return transport.written

    assert statuses(asyncio.run(pauses())) == [200]
