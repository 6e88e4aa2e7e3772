"""What programs ask for."""

from base64 import b64encode
from time import monotonic
from typing import Any

import numpy as np
import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from fastdigits import __version__
from fastdigits.serve import bodies, schema
from fastdigits.serve.bodies import FORM, JSON
from fastdigits.serve.limits import Refused
from fastdigits.serve.maps import FeatureMaps
from fastdigits.serve.models import ModelFacts
from fastdigits.serve.recogniser import Look
from fastdigits.serve.worker import Answer

PICTURE_KINDS = ("image/", "application/octet-stream")
TRUTH = {"true": True, "1": True, "false": False, "0": False}


def add_routes(app: FastAPI) -> None:
    """Let an application answer what programs ask.

    The routes take requests as they are and give answers as they go out: to have FastAPI take 784 numbers apart would
    cost more than to read the digit. Their schemas are therefore written out.
    """
    reading = {"methods": ["POST"], "tags": ["Reading"]}
    app.add_api_route("/predict", predict, **reading, **schema.PREDICT)
    app.add_api_route("/api/neural", neural, operation_id="neural", **reading, **schema.NEURAL)
    app.add_api_route("/", neural, operation_id="neural_at_root", **reading, **schema.NEURAL)
    server = {"methods": ["GET"], "tags": ["Server"]}
    app.add_api_route("/health", health, response_model=schema.Health, summary="Whether the server is up", **server)
    app.add_api_route("/models", models, response_model=schema.Offer, summary="The models there are", **server)
    app.add_api_route("/metrics", metrics, response_class=PlainTextResponse, summary="For Prometheus", **server)


async def predict(request: Request) -> Response:
    """Read a digit: 28 x 28 pixels as JSON, or a picture of any size."""
    facts = request.app.state.recogniser.model(request.query_params.get("model", "0"))
    explain = _is_true(request.query_params.get("explain", "false"), "explain")
    prepared, answer = await _look(request, facts, explain)
    _note(request, facts, answer)
    reading = answer.reading
    said: dict[str, Any] = {
        "model": facts.name,
        "digit": reading.digit,
        "confidence": reading.confidence,
        "probabilities": reading.probabilities,
        "second": reading.second,
        "unsure": reading.unsure,
    }
    if explain:
        said["image"], said["box"] = prepared.image.tolist(), prepared.box and list(prepared.box)
        said["features"] = [_as_json(maps) for maps in answer.maps]
    return _json(said)


async def neural(request: Request) -> Response:
    """Read a digit drawn on a grid: 28 rows of 28 numbers from 0 to 255."""
    if bodies.media_type(request) != JSON:
        raise Refused(415, f'Send {JSON}, such as {{"gridValues": [[0, ...], ...], "method": 0}}.')
    async with bodies.received(request) as body:
        found = bodies.json_object(body)
    image = bodies.image_of(found.get("gridValues"), "gridValues")
    method = found.get("method", 0)
    if type(method) is not int:
        raise Refused(422, "'method' must be the index of a model, a whole number.")
    recogniser = request.app.state.recogniser
    facts = recogniser.model(method)
    _, answer = await recogniser.look_at_image(facts, image)
    _note(request, facts, answer)
    return _json([str(answer.reading.digit), f"{answer.reading.confidence:.4f}"])


async def health(request: Request) -> Response:
    """Its version, how many models it has, and for how long it has been up."""
    uptime = round(monotonic() - request.app.state.started, 1)
    models = len(request.app.state.recogniser.worker.models)
    return _json({"status": "ok", "version": __version__, "models": models, "uptime_s": uptime})


async def models(request: Request) -> Response:
    """Each has an index and a name, and may be chosen by either."""
    return _json({"models": [vars(facts) for facts in request.app.state.recogniser.worker.models]})


async def metrics(request: Request) -> Response:
    """Requests, times, batches, memory and processor time in the text format of Prometheus."""
    return PlainTextResponse(request.app.state.metrics.as_text(), media_type="text/plain; version=0.0.4")


def _is_true(text: str, name: str) -> bool:
    if text.lower() not in TRUTH:
        raise Refused(422, f"'{name}' must be true or false, not {text!r}.")
    return TRUTH[text.lower()]


async def _look(request: Request, facts: ModelFacts, explain: bool) -> Look:
    """What the network reads in the image that the body holds in one way or another."""
    recogniser, kind = request.app.state.recogniser, bodies.media_type(request)
    if kind not in (JSON, FORM) and not kind.startswith(PICTURE_KINDS):
        raise Refused(415, f"Send {JSON}, {FORM} or a picture such as image/png, not {kind or 'a body of no type'}.")
    async with bodies.received(request) as body:
        if kind == JSON:
            image = bodies.image_of(bodies.json_object(body).get("pixels"), "pixels", unit=True)
            return await recogniser.look_at_image(facts, image, explain)
        content = await bodies.uploaded_file(request, body) if kind == FORM else body
        return await recogniser.look_at_picture(facts, content, explain)


def _note(request: Request, facts: ModelFacts, answer: Answer) -> None:
    """For the figures and the log."""
    request.app.state.metrics.predictions.labels(facts.name, answer.reading.unsure).inc()
    request.state.noted = {"model": facts.name, "together": answer.together}


def _as_json(maps: FeatureMaps) -> dict[str, Any]:
    low, high = float(maps.values.min()), float(maps.values.max())
    levels = np.rint((maps.values - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)
    return {
        "layer": maps.layer,
        "shape": maps.values.shape,
        "total": maps.total,
        "low": low,
        "high": high,
        "levels": b64encode(levels.tobytes()).decode(),
    }


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type=JSON)
