"""The application: what answers requests, however they arrive."""

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
from fastdigits.files import StrPath
from fastdigits.serve import api
from fastdigits.serve.limits import Held, Limits, Refused
from fastdigits.serve.metrics import Metrics
from fastdigits.serve.observer import Observer, problem
from fastdigits.serve.recogniser import Recogniser
from fastdigits.serve.worker import Worker

STATIC = Path(__file__).parent / "static"
ONLY_FROM_HERE = "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'"


def create_app(
    models: Sequence[StrPath | None] = (None,),
    limits: Limits | None = None,
    allow_origins: Sequence[str] = (),
    device: str = "auto",
    threads: int | None = None,
) -> FastAPI:
    """The application that serves networks, for any ASGI server; the networks are loaded when it returns.

    Parameters
    ----------
    models : sequence of paths
        Weights files; None stands for the model that ships.
    limits : Limits, optional
    allow_origins : sequence of str
        Other sites whose pages may ask this server, such as "https://example.org", or "*".
    device : str
    threads : int, optional
        Processor cores that the kernels use; all of them unless given.

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
        description="Reads handwritten digits.",
        lifespan=_lifespan,
        redoc_url=None,
        favicon_url="/static/icon.svg",
        swagger_ui_parameters={"validatorUrl": None, "defaultModelsExpandDepth": 0},
    )
    app.state.limits, app.state.held, app.state.started = limits, Held(), monotonic()
    app.state.recogniser, app.state.metrics = Recogniser(worker, limits), Metrics(lambda: worker.waiting)
    worker.on_batch = app.state.metrics.batches.observe
    api.add_routes(app)
    app.add_api_route("/", _page, response_class=HTMLResponse, tags=["Server"], summary="The page to draw on")
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for kind, answer in ERRORS.items():
        app.add_exception_handler(kind, answer)
    if allow_origins:
        app.add_middleware(Crossing, allow_origins=allow_origins, allow_methods=["GET", "POST"])
    app.add_middleware(Observer, metrics=app.state.metrics, limits=limits)
    return app


class Crossing(CORSMiddleware):
    """Lets pages of other sites ask; those that may not are told so as of every other error."""

    def preflight_response(self, request_headers: Any) -> Response:
        answer = super().preflight_response(request_headers)
        if answer.status_code == HTTPStatus.OK:
            return answer
        kept = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        return problem(answer.status_code, f"{answer.body.decode()}; see --allow-origin.", kept)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await asyncio.to_thread(app.state.recogniser.close)


async def _page() -> FileResponse:
    """A page that sends what is drawn on it to /predict."""
    headers = {"Content-Security-Policy": ONLY_FROM_HERE, "Cache-Control": "no-cache"}
    return FileResponse(STATIC / "index.html", headers=headers)


async def _refused(request: Request, refused: Refused) -> Response:
    headers = {"Retry-After": "1"} if refused.status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return problem(refused.status, refused.sentence, headers)


async def _no_route(request: Request, error: HTTPException) -> Response:
    sentences = {
        HTTPStatus.NOT_FOUND: f"There is nothing at {request.url.path}; see /docs.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not for {request.url.path}; see /docs.",
    }
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_allowed(request)))
    return problem(error.status_code, sentences.get(error.status_code, f"{error.detail}."), headers)


def _allowed(request: Request) -> set[str]:
    """The methods of all routes to a path; where there is none, it is that of a file."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    to_path = [route for route in routes if route.matches(request.scope)[0] != Match.NONE]
    return {method for route in to_path for method in route.methods} or {"GET", "HEAD"}


ERRORS = {Refused: _refused, HTTPException: _no_route}
