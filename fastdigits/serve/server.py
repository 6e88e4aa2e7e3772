"""An application on a socket, until somebody stops it."""

import gc
import logging
import signal
import socket
import sys
from contextlib import suppress

import uvicorn
from fastapi import FastAPI

from fastdigits.errors import UserError
from fastdigits.serve.observer import JSONLines
from fastdigits.serve.protocol import GuardedProtocol

LAST_ANSWERS_S = 10  # for requests that have begun when the server is told to stop
TURN_S = 0.001  # of a thread that keeps Python to itself; 0.005, Python's own, lets a short answer wait for many turns


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes any that is free.

    Raises
    ------
    UserError
        If there is no such address here, or another program listens there.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"Cannot listen at {host}, port {port} ({reason}); choose another --host or --port.") from None


def url(listener: socket.socket) -> str:
    """Where a browser finds what listens there."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(app: FastAPI, listener: socket.socket) -> None:
    """Serve until Ctrl-C or SIGTERM: then nothing new is taken, and what has begun is answered."""
    _log_lines_of_json()
    sys.setswitchinterval(TURN_S)
    gc.collect()
    gc.freeze()  # what is loaded by now stays: looking through it again and again would hold up requests
    seconds = app.state.limits.seconds
    config = uvicorn.Config(
        app,
        http=type("Protocol", (GuardedProtocol,), {"seconds": seconds}),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=LAST_ANSWERS_S,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # for uvicorn raises again what has stopped it
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _log_lines_of_json() -> None:
    """All that is said while requests are answered: a line of JSON each, on stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JSONLines())
    for name, level in {"fastdigits.serve": logging.INFO, "uvicorn": logging.WARNING}.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
