"""Create the application: networks, routes, page, error answers and middleware."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
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
from fastdigits.imaging.line_format import LINE_HEIGHT, MIN_WIDTH
from fastdigits.inference.line_reader import LineReader
from fastdigits.inference.numbers import NumberReader
from fastdigits.ops.runtime.rehearsal import Rehearsal, planned
from fastdigits.serve import api, corrections_api
from fastdigits.serve.guard import ANY, Gateway, Guard, Hosts, error_response
from fastdigits.serve.limits import BufferedBytes, Limits, RequestError, shortened
from fastdigits.serve.metrics import Metrics
from fastdigits.serve.models import Model, load_models
from fastdigits.serve.observer import Observer
from fastdigits.serve.recognition import RecognitionService
from fastdigits.serve.teacher import Teacher
from fastdigits.serve.worker import Worker, warm_up

STATIC = Path(__file__).parent / "static"
NO_CACHE = {"Cache-Control": "no-cache"}


def create_app(
    models: Sequence[StrPath | None] = (None,),
    limits: Limits | None = None,
    allow_origins: Sequence[str] = (),
    allow_hosts: Sequence[str] = (ANY,),
    root_path: str = "",
    device: str = "auto",
    threads: int | None = None,
    learn: StrPath | None = None,
) -> FastAPI:
    """Load networks and create the application that serves them, for any ASGI server.

    Parameters
    ----------
    models : sequence of paths
        Weights files; None stands for the model shipped with fastdigits.
    limits : Limits, optional
    allow_origins : sequence of str
        Other sites whose pages may send requests, such as "https://example.org", or "*" for all.
    allow_hosts : sequence of str
        Names and addresses by which the server may be called, such as "example.org" or "10.0.0.0/8"; by default "*",
        for all.
    root_path : str
        Path of the application behind a proxy, such as "/digits".
    device : str
    threads : int, optional
        Number of processor cores for the kernels; defaults to all.
    learn : path, optional
        File for corrected images, which the server learns from; only clients on its own machine may correct and teach.

    Raises
    ------
    UserError
        If a network cannot be loaded, or `learn` is not such a file.
    """
    limits = limits or Limits()
    loaded, numbers = load_models(models, device, threads), NumberReader(None, device, threads)
    with planned(partial(_rehearse, loaded, numbers)):
        worker = Worker(loaded)
        _warm_up_lines(numbers.line_reader)
    app = FastAPIOffline(
        title="fastdigits",
        version=__version__,
        description="Recognizes handwritten digits.",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.limits, app.state.buffered, app.state.started = limits, BufferedBytes(), monotonic()
    app.state.recognition = RecognitionService(worker, numbers, limits)
    app.state.metrics = Metrics(lambda: worker.queued)
    worker.on_batch = app.state.metrics.batches.observe
    api.add_routes(app, worker.models)
    app.state.teacher = None
    if learn is not None:
        app.state.teacher = Teacher(learn, worker, threads)
        corrections_api.add_routes(app, [model.name for model in worker.models])
    page: dict[str, Any] = {"response_class": HTMLResponse, "tags": ["Server"]}
    api.add_get_route(app, "/", _page, summary="The page to draw on", **page)
    api.add_get_route(app, "/docs", _docs, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for kind, handler in ERROR_HANDLERS.items():
        app.add_exception_handler(kind, handler)
    if allow_origins:
        app.add_middleware(JSONErrorCORS, allow_origins=allow_origins, allow_methods=["GET", "POST"])
    app.add_middleware(Guard, hosts=Hosts(allow_hosts), origins=allow_origins)
    app.add_middleware(Observer, metrics=app.state.metrics, limits=limits)
    app.add_middleware(Gateway, root_path=root_path)
    return app


def _warm_up_lines(reader: LineReader) -> None:
    """Compile the kernels that read lines."""
    reader.search([np.zeros((LINE_HEIGHT, MIN_WIDTH), np.uint8)])


def _rehearse(models: Sequence[Model], numbers: NumberReader, rehearsal: Rehearsal) -> None:
    for model in models:
        warm_up(model.deferred(rehearsal))
    _warm_up_lines(numbers.line_reader.deferred(rehearsal))


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
    if app.state.teacher:
        await asyncio.to_thread(app.state.teacher.close)
    await asyncio.to_thread(app.state.recognition.close)


async def _page() -> FileResponse:
    """Return a page that sends what is drawn on it to /predict."""
    return FileResponse(STATIC / "index.html", headers=NO_CACHE)


async def _docs() -> FileResponse:
    """Return a page that describes the API."""
    return FileResponse(STATIC / "docs.html", headers=NO_CACHE)


async def _on_request_error(request: Request, error: RequestError) -> Response:
    headers = {"Retry-After": "1"} if error.status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return error_response(error.status, error.message, headers)


async def _on_not_finite(request: Request, error: NotFiniteError) -> Response:
    return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


async def _on_http_exception(request: Request, error: HTTPException) -> Response:
    path, docs = shortened(request.url.path), f"{request.scope.get('root_path', '')}/docs"
    messages: dict[int, str] = {
        HTTPStatus.NOT_FOUND: f"There is nothing at {path}; see {docs}.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not allowed for {path}; see {docs}.",
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
