"""The routes for corrections, of a server that learns."""

import asyncio
import re
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response

from fastdigits.inference.sequences import DIGITS
from fastdigits.serve import bodies, schema
from fastdigits.serve.api import MAX_LENGTH, json_response, requested_model, sent_picture
from fastdigits.serve.limits import RequestError, shortened
from fastdigits.serve.models import ModelInfo
from fastdigits.serve.recognition import Content
from fastdigits.serve.samples import MAX_SAMPLES, Samples
from fastdigits.serve.teacher import Teacher
from fastdigits.storage import corrections

MAX_SHOWN = 100  # of the newest corrections, in an answer
TEXT = re.compile(rf"[\d.,\- ]{{1,{MAX_LENGTH}}}", re.ASCII)
LOOPBACK = ("127.", "::1", "::ffff:127.")


def add_routes(app: FastAPI, models: list[str]) -> None:
    """Add the routes to an application with models of these names."""
    common: dict[str, Any] = {"tags": ["Corrections"]}
    app.add_api_route("/corrections", listed, methods=["GET"], **schema.corrections(), **common)
    app.add_api_route("/corrections", correct, methods=["POST"], **schema.correct(models), **common)
    app.add_api_route("/corrections", clear, methods=["DELETE"], **schema.count("Delete all corrections"), **common)
    app.add_api_route("/corrections/file", download, methods=["GET"], **schema.corrections_file(), **common)
    app.add_api_route("/corrections/{identity}", remove, methods=["DELETE"], **schema.remove(), **common)
    app.add_api_route("/teach", teach, methods=["POST"], **schema.teach(models), **common)
    app.add_api_route("/undo", undo, methods=["POST"], **schema.undo(models), **common)


async def listed(request: Request) -> Response:
    """Return the number of corrections, the state of teaching, and the newest corrections with their images."""
    teacher = _teacher(request)
    current = teacher.samples.current
    newest = zip(current.ids, current.labels, current.predictions, current.times, current.images, strict=True)
    samples = [
        {
            "id": identity,
            "label": int(label),
            "predicted": int(predicted),
            "time": datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds"),
            "image": b64encode(image.tobytes()).decode(),
        }
        for identity, label, predicted, time, image in [*newest][-MAX_SHOWN:]
    ]
    content = {
        "file": teacher.samples.path.name,
        "count": len(current),
        "limit": MAX_SAMPLES,
        "per_digit": np.bincount(current.labels, minlength=10).tolist(),
        "state": teacher.state,
        "progress": teacher.progress,
        "lessons": teacher.lessons,
        "samples": samples[::-1],
    }
    return json_response(content)


async def correct(request: Request) -> Response:
    """Send what /predict takes, and as `text` what the picture really shows."""
    teacher, model = _teacher(request), requested_model(request)
    text = request.query_params.get("text", "")
    labels = [int(symbol) for symbol in text if symbol in DIGITS]
    if not TEXT.fullmatch(text) or not labels:
        raise RequestError(
            422, f"'text' must be what the picture shows, such as 7 or 12.50, not {shortened(repr(text))}."
        )
    async with bodies.received_body(request) as body:
        content = await sent_picture(request, body)
        images, predictions = await _digits(request, model, content, len(labels))
    arrays = np.stack(images), np.array(labels, np.uint8), np.array(predictions, np.uint8)
    ids = await asyncio.to_thread(teacher.samples.add, *arrays)
    return json_response({"ids": ids, "count": len(teacher.samples.current)})


async def clear(request: Request) -> Response:
    """Delete all corrections, also from the file. What the networks have learned remains until it is undone."""
    return await _changed(_teacher(request).samples, "clear")


async def remove(request: Request) -> Response:
    """Delete a correction, also from the file."""
    identity = request.path_params["identity"]
    if not (identity.isascii() and identity.isdecimal()):
        raise RequestError(404, f"There is no correction {shortened(repr(identity))}; see GET /corrections.")
    return await _changed(_teacher(request).samples, "remove", int(identity[:20]))


async def download(request: Request) -> Response:
    """Return the file of the corrections: HDF5, which `fastdigits train --data` reads."""
    current = _teacher(request).samples.current
    content = await asyncio.to_thread(corrections.encoded, current)
    headers = {"Content-Disposition": 'attachment; filename="corrections.h5"'}
    return Response(content, media_type=schema.HDF5, headers=headers)


async def teach(request: Request) -> Response:
    """Fine-tune a network on all corrections next to images of MNIST; predictions go on meanwhile."""
    teacher, model = _teacher(request), requested_model(request)
    lesson = await teacher.teach(model.index)
    result = lesson.result
    return json_response(
        {
            "model": model.name,
            "corrections": result.images,
            "right_before": result.before.corrected,
            "right_after": result.after.corrected,
            "mnist_images": result.held_out_images,
            "mnist_right_before": result.before.held_out,
            "mnist_right_after": result.after.held_out,
            "seconds": round(lesson.seconds, 3),
            "lessons": teacher.lessons[model.index],
        }
    )


async def undo(request: Request) -> Response:
    """Give a network the weights that it had before it was taught last."""
    teacher, model = _teacher(request), requested_model(request)
    await teacher.undo(model.index)
    return json_response({"model": model.name, "lessons": teacher.lessons[model.index]})


async def _digits(
    request: Request, model: ModelInfo, content: Content, count: int
) -> tuple[list[np.ndarray], list[int]]:
    """Return the images of the digits in a picture, and what the network says about each."""
    recognition = request.app.state.recognition
    if count == 1:
        prepared, answer = await recognition.recognize(model, content)
        if not prepared.image.any():
            raise RequestError(422, "The picture shows no digit; send another one.")
        return [prepared.image], [answer.prediction.digit]
    found = await recognition.read_digits(content)
    if len(found) != count:
        raise RequestError(
            422,
            f"'text' has {count} digits, but {len(found)} were found in the picture, so it is not clear which is "
            "which; send one digit at a time.",
        )
    answers = await asyncio.gather(*(recognition.worker.predict(model.index, image) for image in found))
    return [*found], [answer.prediction.digit for answer in answers]


async def _changed(samples: Samples, method: str, *arguments: int) -> Response:
    await asyncio.to_thread(getattr(samples, method), *arguments)
    return json_response({"count": len(samples.current)})


def _teacher(request: Request) -> Teacher:
    """Return the teacher; refuse requests from other machines."""
    host = request.client.host if request.client else "127.0.0.1"
    if not host.startswith(LOOPBACK):
        raise RequestError(403, "Only programs on the machine of the server may correct and teach.")
    teacher: Teacher = request.app.state.teacher
    teacher.samples.check_process()
    return teacher
