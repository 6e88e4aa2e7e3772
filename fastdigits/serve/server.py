"""Serve an application on a socket until it is interrupted."""

import gc
import logging
import signal
import socket
import sys
from contextlib import suppress
from ipaddress import ip_address

import uvicorn
from fastapi import FastAPI

from fastdigits.errors import UserError
from fastdigits.serve.observer import JSONLines
from fastdigits.serve.protocol import GuardedProtocol

SHUTDOWN_S = 10  # time for requests in progress to finish after a signal to stop
SWITCH_INTERVAL_S = 0.001  # time that a thread may keep the GIL; Python's default of 0.005 delays short answers


def bind(host: str, port: int) -> socket.socket:
    """Create a listening socket; port 0 takes any free port.

    Raises
    ------
    UserError
        If the address does not belong to this machine, or the port is taken.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"Cannot listen at {host}, port {port} ({reason}); choose another --host or --port.") from None


def url(listener: socket.socket) -> str:
    """Return the URL of a listening socket for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_local(listener: socket.socket) -> bool:
    """Return whether only programs on this machine can connect to a listening socket."""
    return ip_address(listener.getsockname()[0]).is_loopback


def own_hosts(host: str, listener: socket.socket) -> list[str]:
    """Return the names and addresses by which a server at `host` may be called.

    A server at all addresses may be called by any address, because those before a router or a container are unknown.
    """
    address = ip_address(listener.getsockname()[0])
    if address.is_loopback:
        return [host, str(address), "localhost", "127.0.0.1", "::1"]
    names = [host, socket.gethostname(), f"{socket.gethostname()}.local"]
    return [*names, "localhost", "0.0.0.0/0", "::/0"] if address.is_unspecified else [*names, str(address)]


def run(app: FastAPI, listener: socket.socket) -> None:
    """Serve until Ctrl-C, SIGTERM or SIGHUP, then finish the requests in progress and accept no new ones."""
    _log_json_lines()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()  # exempts all objects so far from garbage collection, which would delay requests
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
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn raises the signal again when it has stopped
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # uvicorn does not know it
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _log_json_lines() -> None:
    """Log to stderr, one line of JSON per record."""
    handler = logging.StreamHandler()
    handler.setFormatter(JSONLines())
    for name, level in {"fastdigits.serve": logging.INFO, "uvicorn": logging.WARNING}.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
