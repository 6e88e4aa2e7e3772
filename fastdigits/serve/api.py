"""What programs ask for."""

from base64 import b64encode
from time import monotonic
from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse

from fastdigits import __version__
from fastdigits.imaging import Prepared
from fastdigits.serve import bodies, schema
from fastdigits.serve.bodies import FORM, JSON
from fastdigits.serve.limits import Refused
from fastdigits.serve.maps import FeatureMaps
from fastdigits.serve.models import ModelFacts
from fastdigits.serve.worker import Answer

PICTURE_KINDS = ("image/", "application/octet-stream")
router = APIRouter()


@router.post(
    "/predict",
    response_model=schema.Prediction,
    responses=schema.REFUSALS,
    openapi_extra=schema.PREDICT_BODY,
    tags=["Reading"],
    summary="Read a digit in pixels or in a picture",
)
async def predict(
    request: Request,
    model: Annotated[str, Query(description="The name of the model, or its index.")] = "0",
    explain: Annotated[bool, Query(description="Also tell what the network sees and makes of it.")] = False,
) -> Response:
    """Read a digit: 28 x 28 pixels as JSON, or a picture of any size."""
    facts = request.app.state.recogniser.model(model)
    prepared = await _prepared(request)
    answer = await _read(request, facts, prepared, explain)
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


NEURAL: dict[str, Any] = {
    "tags": ["Reading"],
    "summary": "Read a digit on a grid",
    "responses": schema.REFUSALS
    | {200: {"content": {JSON: {"schema": schema.DIGIT_AND_CONFIDENCE}}, "description": "What the network reads"}},
    "openapi_extra": schema.NEURAL_BODY,
}


@router.post("/", operation_id="neural_at_root", **NEURAL)
@router.post("/api/neural", operation_id="neural", **NEURAL)
async def neural(request: Request) -> Response:
    """Read a digit drawn on a grid: 28 rows of 28 numbers from 0 to 255."""
    if bodies.media_type(request) != JSON:
        raise Refused(415, f'Send {JSON}, such as {{"gridValues": [[0, ...], ...], "method": 0}}.')
    found = bodies.json_object(await bodies.read_body(request, request.app.state.limits))
    image = bodies.image_of(found.get("gridValues"), "gridValues")
    method = found.get("method", 0)
    if type(method) is not int:
        raise Refused(422, "'method' must be the index of a model, a whole number.")
    recogniser = request.app.state.recogniser
    answer = await _read(request, recogniser.model(method), await recogniser.prepare_image(image))
    return _json([str(answer.reading.digit), f"{answer.reading.confidence:.4f}"])


@router.get("/health", response_model=schema.Health, tags=["Server"], summary="Whether the server is up")
async def health(request: Request) -> Response:
    """Its version, how many models it has, and for how long it has been up."""
    uptime = round(monotonic() - request.app.state.started, 1)
    models = len(request.app.state.recogniser.worker.models)
    return _json({"status": "ok", "version": __version__, "models": models, "uptime_s": uptime})


@router.get("/models", response_model=schema.Offer, tags=["Server"], summary="The models that can be chosen")
async def models(request: Request) -> Response:
    """Each has an index and a name, and may be chosen by either."""
    return _json({"models": [vars(facts) for facts in request.app.state.recogniser.worker.models]})


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    tags=["Server"],
    summary="Figures for Prometheus",
)
async def metrics(request: Request) -> Response:
    """Requests, times, batches, memory and processor time in the text format of Prometheus."""
    return Response(request.app.state.metrics.as_text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _prepared(request: Request) -> Prepared:
    """The image that the body of a request holds in one way or another."""
    recogniser, kind = request.app.state.recogniser, bodies.media_type(request)
    if kind not in (JSON, FORM) and not kind.startswith(PICTURE_KINDS):
        raise Refused(415, f"Send {JSON}, {FORM} or a picture such as image/png, not {kind or 'a body of no type'}.")
    body = await bodies.read_body(request, request.app.state.limits)
    if kind == JSON:
        pixels = bodies.json_object(body).get("pixels")
        return await recogniser.prepare_image(bodies.image_of(pixels, "pixels", unit=True))
    return await recogniser.prepare_picture(await bodies.uploaded_file(request, body) if kind == FORM else body)


async def _read(request: Request, facts: ModelFacts, prepared: Prepared, explain: bool = False) -> Answer:
    answer = await request.app.state.recogniser.read(facts, prepared.image, explain)
    request.app.state.metrics.predictions.labels(facts.name, answer.reading.unsure).inc()
    request.state.noted = {"model": facts.name, "together": answer.together}
    return answer


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
