"""The routes of the HTTP API."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import numpy as np
import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from fastdigits import __version__
from fastdigits.serve import bodies, schema
from fastdigits.serve.bodies import FORM, JSON, TEXT, URLENCODED
from fastdigits.serve.jobs import Answer
from fastdigits.serve.limits import RequestError, shortened
from fastdigits.serve.maps import FeatureMaps
from fastdigits.serve.models import ModelInfo
from fastdigits.serve.recognition import Recognition

PICTURE_TYPES = ("image/", "application/octet-stream")  # as prefixes
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def add_routes(app: FastAPI, models: Sequence[ModelInfo]) -> None:
    """Add the routes of the API to an application with these models.

    The handlers parse requests themselves and declare their schemas by hand: validation of 784 numbers by FastAPI
    would take longer than the prediction.
    """
    recognition: dict[str, Any] = {"methods": ["POST"], "tags": ["Recognition"]}
    grid = schema.neural(len(models))
    app.add_api_route("/predict", predict, **recognition, **schema.predict([model.name for model in models]))
    app.add_api_route("/api/neural", neural, operation_id="neural", **recognition, **grid)
    app.add_api_route("/", neural, operation_id="neural_at_root", **recognition, **grid)
    server: dict[str, Any] = {"tags": ["Server"]}
    add_get_route(app, "/health", health, response_model=schema.Health, summary="Check that the server is up", **server)
    add_get_route(app, "/models", list_models, response_model=schema.ModelList, summary="List the models", **server)
    add_get_route(app, "/metrics", metrics, response_class=PlainTextResponse, summary="Prometheus metrics", **server)


def add_get_route(app: FastAPI, path: str, handler: Callable[..., Any], **description: Any) -> None:
    """Add a route for GET, and one for HEAD that the API's description leaves out."""
    app.add_api_route(path, handler, methods=["GET"], **description)
    app.add_api_route(path, handler, methods=["HEAD"], include_in_schema=False)


async def predict(request: Request) -> Response:
    """Send 28 x 28 pixels as JSON, or a picture of any size: as the body, as a file of a form, or as text in Base64."""
    model = request.app.state.recognition.model(request.query_params.get("model", "0"))
    explain = _parse_boolean(request.query_params.get("explain", "false"), "explain")
    prepared, answer = await _recognize(request, model, explain)
    _record(request, model, answer)
    prediction = answer.prediction
    content: dict[str, Any] = {
        "model": model.name,
        "digit": prediction.digit,
        "confidence": prediction.confidence,
        "probabilities": prediction.probabilities,
        "second": prediction.second,
        "unsure": prediction.unsure,
    }
    if explain:
        content["image"], content["box"] = prepared.image.tolist(), prepared.box and list(prepared.box)
        content["features"] = [_maps_as_json(maps) for maps in answer.maps or []]
    return _json(content)


async def neural(request: Request) -> Response:
    """Send 28 rows of 28 numbers from 0, the background, to 255, the ink."""
    if bodies.media_type(request) != JSON:
        raise RequestError(415, f'Send {JSON}, such as {{"gridValues": [[0, ...], ...], "method": 0}}.')
    async with bodies.received_body(request) as body:
        content = bodies.json_object(body)
    image = bodies.image_from_json(content.get("gridValues"), "gridValues")
    method = content.get("method", 0)
    if type(method) is not int:
        raise RequestError(422, "'method' must be the index of a model, a whole number.")
    recognition = request.app.state.recognition
    model = recognition.model(method)
    _, answer = await recognition.recognize_image(model, image)
    _record(request, model, answer)
    return _json([str(answer.prediction.digit), f"{answer.prediction.confidence:.4f}"])


async def health(request: Request) -> Response:
    """Return the version, the number of models, and the seconds since the start."""
    uptime = round(monotonic() - request.app.state.started, 1)
    count = len(request.app.state.recognition.worker.models)
    return _json({"status": "ok", "version": __version__, "models": count, "uptime_s": uptime})


async def list_models(request: Request) -> Response:
    """Return each model's index and name; requests may choose a model by either."""
    return _json({"models": [model.to_dict() for model in request.app.state.recognition.worker.models]})


async def metrics(request: Request) -> Response:
    """Return requests, latencies, batch sizes, memory and processor time in the text format of Prometheus."""
    return PlainTextResponse(request.app.state.metrics.as_text(), media_type="text/plain; version=0.0.4")


def _parse_boolean(text: str, name: str) -> bool:
    if text.lower() not in BOOLEANS:
        raise RequestError(422, f"'{name}' must be true or false, not {shortened(repr(text))}.")
    return BOOLEANS[text.lower()]


async def _recognize(request: Request, model: ModelInfo, explain: bool) -> Recognition:
    """Recognize the digit in a body: JSON, a form, a picture file, or one in Base64."""
    recognition, kind = request.app.state.recognition, bodies.media_type(request)
    if kind not in (JSON, FORM, URLENCODED, TEXT) and not kind.startswith(PICTURE_TYPES):
        given = shortened(kind) or "a body of no type"
        raise RequestError(415, f"Send {JSON}, {FORM} or a picture such as image/png, not {given}.")
    async with bodies.received_body(request) as body:
        if kind != JSON:
            return await recognition.recognize_file(model, await bodies.picture_file(request, body), explain)
        content = bodies.json_object(body)
        if (text := bodies.text_without_pixels(content)) is not None:
            return await recognition.recognize_file(model, bodies.picture_from_text(text), explain)
        image = bodies.image_from_json(content.get("pixels"), "pixels", unit=True)
        return await recognition.recognize_image(model, image, explain)


def _record(request: Request, model: ModelInfo, answer: Answer) -> None:
    """Count a prediction, and add it to the request's line in the log."""
    request.app.state.metrics.predictions.labels(model.name, answer.prediction.unsure).inc()
    request.state.log_fields = {"model": model.name, "together": answer.batch_size}


def _maps_as_json(maps: FeatureMaps) -> dict[str, Any]:
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
