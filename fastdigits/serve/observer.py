"""What surrounds every request: a line in the log, figures, a limit on their number, and an answer come what may."""

import logging
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import orjson
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastdigits.serve.limits import Limits
from fastdigits.serve.metrics import Metrics

log = logging.getLogger("fastdigits.serve")

BUSY = "The server has as many requests as it can bear; try again in a moment."
FAILED = "The server failed at this request; its log says why."


def problem(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Every error's answer."""
    return JSONResponse({"error": sentence}, status, headers)


class Observer:
    """The ASGI application within, observed."""

    def __init__(self, app: ASGIApp, metrics: Metrics, limits: Limits):
        self.app, self.metrics, self.limits, self.running = app, metrics, limits, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = perf_counter(), 0

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        app = self.app if self.running < self.limits.requests else problem(503, BUSY, {"Retry-After": "1"})
        self.running += 1
        self.metrics.running.set(self.running)
        try:
            await app(scope, receive, noting_status)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if not status:
                await problem(500, FAILED)(scope, receive, noting_status)
        finally:
            self.running -= 1
            self.metrics.running.set(self.running)
            self._note(scope, status, perf_counter() - start)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None)
        self.metrics.request(scope["method"], route, status, seconds)
        if log.isEnabledFor(logging.INFO):
            host, port = scope.get("client") or (None, None)
            said = {"client": host, "method": scope["method"], "path": scope["path"], "status": status}
            noted = scope.get("state", {}).get("noted", {})
            log.info("request", extra={"fields": said | {"ms": round(1000 * seconds, 2)} | noted})


class JSONLines(logging.Formatter):
    """A record of the log as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": time, "level": record.levelname.lower(), "event": record.getMessage()}
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()
