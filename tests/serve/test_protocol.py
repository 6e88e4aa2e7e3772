"""What the server relies on in uvicorn's HTTP protocol, a class that uvicorn does not document."""

import asyncio
import inspect

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from fastdigits.serve.protocol import GuardedProtocol


def test_uvicorn_calls_the_methods_that_the_protocol_overrides():
    """A version of uvicorn that lacks one of them would leave the server without its limits."""
    parameters = {
        "connection_made": ["self", "transport"],
        "connection_lost": ["self", "exc"],
        "data_received": ["self", "data"],
        "on_message_begin": ["self"],
        "on_headers_complete": ["self"],
        "on_message_complete": ["self"],
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
