"""Middleware that logs and counts all requests, limits their number, and answers those that fail."""

import logging
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastdigits.serve.guard import error_response
from fastdigits.serve.limits import Limits
from fastdigits.serve.metrics import Metrics

log = logging.getLogger("fastdigits.serve")

BUSY = "The server is busy with other requests; try again in a moment."
FAILED = "The server failed to answer this request; see its log for the cause."


class Observer:
    """ASGI middleware that observes an application."""

    def __init__(self, app: ASGIApp, metrics: Metrics, limits: Limits):
        self.app, self.metrics, self.limits, self.running = app, metrics, limits, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = perf_counter(), 0

        async def send_and_note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        app = self.app if self.running < self.limits.requests else error_response(503, BUSY, {"Retry-After": "1"})
        self.running += 1
        self.metrics.running.set(self.running)
        try:
            await app(scope, receive, send_and_note_status)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if not status:
                await error_response(500, FAILED)(scope, receive, send_and_note_status)
        finally:
            self.running -= 1
            self.metrics.running.set(self.running)
            self._record(scope, status, perf_counter() - start)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None)
        self.metrics.record_request(scope["method"], route, status, seconds)
        if log.isEnabledFor(logging.INFO):
            host, _ = scope.get("client") or (None, None)
            fields = {"client": host, "method": scope["method"], "path": scope["path"], "status": status}
            fields |= {"ms": round(1000 * seconds, 2)} | scope.get("state", {}).get("log_fields", {})
            log.info("request", extra={"fields": fields})


class JSONLines(logging.Formatter):
    """Format each log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": time, "level": record.levelname.lower(), "event": record.getMessage()}
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()
