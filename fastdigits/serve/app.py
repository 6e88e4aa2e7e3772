"""Create the application: networks, routes, page, error answers and middleware."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Match, Route

from fastdigits import __version__
from fastdigits.errors import NotFiniteError
from fastdigits.files import StrPath
from fastdigits.serve import api
from fastdigits.serve.limits import BufferedBytes, Limits, RequestError
from fastdigits.serve.metrics import Metrics
from fastdigits.serve.observer import Observer, error_response
from fastdigits.serve.recognition import RecognitionService
from fastdigits.serve.worker import Worker

STATIC = Path(__file__).parent / "static"
CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'"


def create_app(
    models: Sequence[StrPath | None] = (None,),
    limits: Limits | None = None,
    allow_origins: Sequence[str] = (),
    device: str = "auto",
    threads: int | None = None,
) -> FastAPI:
    """Load networks and create the application that serves them, for any ASGI server.

    Parameters
    ----------
    models : sequence of paths
        Weights files; None stands for the model shipped with fastdigits.
    limits : Limits, optional
    allow_origins : sequence of str
        Other sites whose pages may send requests, such as "https://example.org", or "*" for all.
    device : str
    threads : int, optional
        Number of processor cores for the kernels; defaults to all.

    Raises
    ------
    UserError
        If a network cannot be loaded.
    """
    limits = limits or Limits()
    worker = Worker(models, device, threads)
    app = FastAPIOffline(
        title="fastdigits",
        version=__version__,
        description="Recognizes handwritten digits.",
        lifespan=_lifespan,
        redoc_url=None,
        favicon_url="/static/icon.svg",
        swagger_ui_parameters={"validatorUrl": None, "defaultModelsExpandDepth": 0},
    )
    app.state.limits, app.state.buffered, app.state.started = limits, BufferedBytes(), monotonic()
    app.state.recognition, app.state.metrics = RecognitionService(worker, limits), Metrics(lambda: worker.queued)
    worker.on_batch = app.state.metrics.batches.observe
    api.add_routes(app)
    app.add_api_route("/", _page, response_class=HTMLResponse, tags=["Server"], summary="The page to draw on")
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for kind, handler in ERROR_HANDLERS.items():
        app.add_exception_handler(kind, handler)
    if allow_origins:
        app.add_middleware(JSONErrorCORS, allow_origins=allow_origins, allow_methods=["GET", "POST"])
    app.add_middleware(Observer, metrics=app.state.metrics, limits=limits)
    return app


class JSONErrorCORS(CORSMiddleware):
    """CORS middleware whose refusals are JSON, like all other errors."""

    def preflight_response(self, request_headers: Any) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == HTTPStatus.OK:
            return response
        headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return error_response(response.status_code, f"{bytes(response.body).decode()}; see --allow-origin.", headers)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await asyncio.to_thread(app.state.recognition.close)


async def _page() -> FileResponse:
    """Return a page that sends what is drawn on it to /predict."""
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}
    return FileResponse(STATIC / "index.html", headers=headers)


async def _on_request_error(request: Request, error: RequestError) -> Response:
    headers = {"Retry-After": "1"} if error.status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return error_response(error.status, error.message, headers)


async def _on_not_finite(request: Request, error: NotFiniteError) -> Response:
    return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


async def _on_http_exception(request: Request, error: HTTPException) -> Response:
    messages: dict[int, str] = {
        HTTPStatus.NOT_FOUND: f"There is nothing at {request.url.path}; see /docs.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not allowed for {request.url.path}; see /docs.",
    }
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_allowed_methods(request)))
    return error_response(error.status_code, messages.get(error.status_code, f"{error.detail}."), headers)


def _allowed_methods(request: Request) -> set[str]:
    """Return the methods of all routes to the request's path; a path without a route is that of a static file."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    matching = [route for route in routes if route.matches(request.scope)[0] != Match.NONE]
    return {method for route in matching for method in route.methods or ()} or {"GET", "HEAD"}


ERROR_HANDLERS: dict[type[Exception], Any] = {
    RequestError: _on_request_error,
    NotFiniteError: _on_not_finite,
    HTTPException: _on_http_exception,
}
