"""Middleware that refuses requests of other sites and sends security headers with every answer.

A page of any site can make a browser send requests to this server. The page cannot read the answers, unless its own
name resolves to this server's address (DNS rebinding). Guard therefore checks which host a request is meant for, and
which site a POST comes from.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
HOST = re.compile(r"(?:\[(?P<address>[\w.:%]+)\]|(?P<name>[\w.-]+))(?::\d*)?", re.ASCII)
ANY = "*"


def error_response(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Create the JSON answer to a request that failed."""
    return JSONResponse({"error": message}, status, headers)


class Hosts:
    """The names and addresses by which a server may be called, such as "example.org", "10.0.0.0/8" or "*" for all."""

    def __init__(self, hosts: Sequence[str]):
        self.any = ANY in hosts
        networks = {host: _network(host) for host in hosts}
        self.names = {host.lower() for host, network in networks.items() if network is None}
        self.networks = [network for network in networks.values() if network is not None]

    def include(self, host: str) -> bool:
        """Return whether a server may be called by a name or an address."""
        network = _network(host)
        if network is None:
            return host.lower().removesuffix(".") in self.names
        return any(network.network_address in allowed for allowed in self.networks)


class Gateway:
    """ASGI middleware that adds security headers to every answer, and `root_path` to the path of every request.

    It drops the header Range, because all files are small.
    """

    def __init__(self, app: ASGIApp, root_path: str = ""):
        self.app, self.root_path = app, root_path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                if "accept-ranges" in headers:
                    headers["accept-ranges"] = "none"
                if "location" in headers:  # without the scheme and host, which a proxy may have changed
                    headers["location"] = urlsplit(headers["location"])._replace(scheme="", netloc="").geturl()
            await send(message)

        headers = [(name, value) for name, value in scope["headers"] if name not in (b"range", b"if-range")]
        await self.app({**scope, **self._paths(scope), "headers": headers}, receive, send_with_headers)

    def _paths(self, scope: Scope) -> dict[str, str]:
        """Return the paths of a request; a proxy may have removed `root_path` from it or not."""
        if not self.root_path:
            return {}
        below = f"{scope['path']}/".startswith(f"{self.root_path}/")
        return {"root_path": self.root_path, "path": scope["path"] if below else self.root_path + scope["path"]}


class Guard:
    """ASGI middleware that refuses requests for other hosts, and those that change something for pages of other sites.

    Parameters
    ----------
    app : ASGI application
    hosts : Hosts
        Names and addresses of this server.
    origins : sequence of str
        Other sites whose pages may send any request.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, origins: Sequence[str] = ()):
        self.app, self.hosts, self.origins = app, hosts, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        return self._refusal_of_host(scope, headers) or self._refusal_of_origin(scope, headers)

    def _refusal_of_host(self, scope: Scope, headers: Headers) -> JSONResponse | None:
        given = headers.getlist("host")
        if self.hosts.any or (not given and scope["http_version"] == "1.0"):
            return None
        match = HOST.fullmatch(given[0]) if len(given) == 1 else None
        if match is None:
            return error_response(HTTPStatus.BAD_REQUEST, "The request must name its host in one valid header Host.")
        host = match["address"] or match["name"]
        if self.hosts.include(host):
            return None
        message = f"This server does not answer for the host {host:.253}; allow it with --allow-host {host:.253}."
        return error_response(HTTPStatus.MISDIRECTED_REQUEST, message)

    def _refusal_of_origin(self, scope: Scope, headers: Headers) -> JSONResponse | None:
        """Refuse what a page of another site sends; programs send neither Origin nor Sec-Fetch-Site."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if scope["method"] in SAFE_METHODS or ANY in self.origins or origin in self.origins:
            return None
        if site in ("same-origin", "none") or (site is None and origin is None):
            return None
        if site is None and origin and origin.partition("://")[2] == headers.get("host", "").lower():
            return None
        message = "Pages of other sites may not send this request; allow their site with --allow-origin."
        return error_response(HTTPStatus.FORBIDDEN, message)


def _network(host: str) -> Any:
    """Return an IP address or network, or None for a name."""
    try:
        return ip_network(host, strict=False)
    except ValueError:
        return None
