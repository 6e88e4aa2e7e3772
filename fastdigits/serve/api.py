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
from fastdigits.errors import UserError
from fastdigits.inference.sequences import Restriction
from fastdigits.nn.class_names import are_digits, label_of
from fastdigits.serve import bodies, schema
from fastdigits.serve.bodies import FORM, JSON, TEXT, URLENCODED
from fastdigits.serve.limits import RequestError, shortened
from fastdigits.serve.maps import FeatureMaps
from fastdigits.serve.models import ModelInfo
from fastdigits.serve.recognition import Content, Recognition

PICTURE_TYPES = ("image/", "application/octet-stream")  # as prefixes
MAX_LENGTH = 40  # of a number
MIN_NUMBER = 2  # characters; a shorter text is read as a single digit, too
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
    recognition, query = request.app.state.recognition, request.query_params
    model, explain = requested_model(request), _parse_boolean(query.get("explain", "false"), "explain")
    several, restriction = _parse_boolean(query.get("several", "false"), "several"), _restriction(request)
    if not several and restriction != Restriction():
        raise RequestError(422, "'length' and 'pattern' are for numbers; add several=true.")
    async with bodies.received_body(request) as body:
        content = await sent_picture(request, body)
        if several:
            return json_response(await _predict_several(request, model, content, restriction, explain))
        found = await recognition.recognize(model, content, explain)
    _record(request, model, found.answer.prediction.unsure, found.answer.batch_size)
    return json_response(_prediction(model, found, explain))


async def _predict_several(
    request: Request, model: ModelInfo, content: Content, restriction: Restriction, explain: bool
) -> dict[str, Any]:
    """Read the numbers in a picture; with `explain`, also recognize it as a single digit if it may be one."""
    recognition = request.app.state.recognition
    if not are_digits(model.classes):
        raise RequestError(422, f"The model {model.name} does not recognize digits; leave several=true out.")
    number = await recognition.read_numbers(content, restriction)
    digits = [{"digit": one.digit, "confidence": one.confidence, "box": list(one.box)} for one in number.digits]
    answer = {"model": model.name, "text": number.text, "confidence": number.confidence, "unsure": number.unsure}
    single = None
    if explain and (len(number.text) < MIN_NUMBER or number.unsure):
        found = await recognition.recognize(model, content, explain)
        if len(number.text) < MIN_NUMBER or (found.prepared.alone and not found.answer.prediction.unsure):
            single = _prediction(model, found, explain)
    _record(request, model, number.unsure if single is None else single["unsure"], 1)
    return answer | {"digits": digits} | ({"single": single} if explain else {})


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
    _, answer = await recognition.recognize(model, image)
    _record(request, model, answer.prediction.unsure, answer.batch_size)
    return json_response([answer.prediction.label, f"{answer.prediction.confidence:.4f}"])


async def health(request: Request) -> Response:
    """Return the version, the number of models, and the seconds since the start."""
    uptime = round(monotonic() - request.app.state.started, 1)
    count = len(request.app.state.recognition.worker.models)
    return json_response({"status": "ok", "version": __version__, "models": count, "uptime_s": uptime})


async def list_models(request: Request) -> Response:
    """Return each model's index and name; requests may choose a model by either."""
    models = [model.to_dict() for model in request.app.state.recognition.worker.models]
    return json_response({"models": models, "learning": request.app.state.teacher is not None})


async def metrics(request: Request) -> Response:
    """Return requests, latencies, batch sizes, memory and processor time in the text format of Prometheus."""
    return PlainTextResponse(request.app.state.metrics.as_text(), media_type="text/plain; version=0.0.4")


def _parse_boolean(text: str, name: str) -> bool:
    if text.lower() not in BOOLEANS:
        raise RequestError(422, f"'{name}' must be true or false, not {shortened(repr(text))}.")
    return BOOLEANS[text.lower()]


def _restriction(request: Request) -> Restriction:
    length, pattern = (request.query_params.get(name) for name in ("length", "pattern"))
    if length is not None and not (length.isdecimal() and length.isascii() and 1 <= int(length[:9]) <= MAX_LENGTH):
        raise RequestError(
            422, f"'length' must be a number of digits from 1 to {MAX_LENGTH}, not {shortened(repr(length))}."
        )
    if pattern is not None and len(pattern) > MAX_LENGTH:
        raise RequestError(422, f"'pattern' must have at most {MAX_LENGTH} characters.")
    try:
        return Restriction(int(length) if length else None, pattern)
    except UserError as error:
        raise RequestError(422, str(error)) from None


def requested_model(request: Request) -> ModelInfo:
    """Return the model that the query names, by default the first."""
    return request.app.state.recognition.model(request.query_params.get("model", "0"))


async def sent_picture(request: Request, body: bytearray) -> Content:
    """Return the picture in a body: pixels in JSON, or a file: the body itself, one in a form, or one in Base64."""
    kind = bodies.media_type(request)
    if kind not in (JSON, FORM, URLENCODED, TEXT) and not kind.startswith(PICTURE_TYPES):
        given = shortened(kind) or "a body of no type"
        raise RequestError(415, f"Send {JSON}, {FORM} or a picture such as image/png, not {given}.")
    if kind != JSON:
        return await bodies.picture_file(request, body)
    content = bodies.json_object(body)
    if (text := bodies.text_without_pixels(content)) is not None:
        return bodies.picture_from_text(text)
    return bodies.image_from_json(content.get("pixels"), "pixels", unit=True)


def _prediction(model: ModelInfo, found: Recognition, explain: bool) -> dict[str, Any]:
    prepared, prediction = found.prepared, found.answer.prediction
    content: dict[str, Any] = {
        "model": model.name,
        **({"digit": label_of(model.classes, prediction.digit)} if are_digits(model.classes) else {}),
        "label": prediction.label,
        "confidence": prediction.confidence,
        "probabilities": prediction.probabilities,
        "second": label_of(model.classes, prediction.second),
        "unsure": prediction.unsure,
        "no_digit": prediction.no_digit,
    }
    if explain:
        content["classes"] = model.classes
        content["image"], content["box"] = prepared.image.tolist(), prepared.box and list(prepared.box)
        content["features"] = [_maps_as_json(maps) for maps in found.answer.maps or []]
    return content


def _record(request: Request, model: ModelInfo, unsure: bool, batch_size: int) -> None:
    """Count a prediction, and add it to the request's line in the log."""
    request.app.state.metrics.predictions.labels(model.name, unsure).inc()
    request.state.log_fields = {"model": model.name, "together": batch_size}


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


def json_response(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type=JSON)
