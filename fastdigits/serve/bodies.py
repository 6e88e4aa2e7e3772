"""The bodies of requests: how they arrive, and what image or picture they hold."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any

import numpy as np
import orjson
from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from fastdigits.imaging.types import SIDE
from fastdigits.serve.limits import MAX_JSON_BYTES, Held, Limits, Refused

PIXELS = SIDE * SIDE
JSON, FORM = "application/json", "multipart/form-data"


def media_type(request: Request) -> str:
    """The type of the body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[bytearray]:
    """The whole body, which the server holds while the block lasts; Refused if it is too long or takes too long."""
    limits, held, body = request.app.state.limits, request.app.state.held, bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            await _receive(request, limits, held, body)
        yield body
    except TimeoutError:
        raise Refused(408, f"The request did not arrive within {limits.seconds:g} s; send it faster.") from None
    except ClientDisconnect:
        raise Refused(400, "The request ended before its body did.") from None
    finally:
        held.total -= len(body)


async def _receive(request: Request, limits: Limits, held: Held, body: bytearray) -> None:
    most = MAX_JSON_BYTES if media_type(request) == JSON else limits.body_bytes
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise _too_long(most)
    async for chunk in request.stream():
        body += chunk
        held.total += len(chunk)
        if len(body) > most:
            raise _too_long(most)
        if held.total > limits.held_bytes:
            raise Refused(503, "The server has as many bodies of requests as it can bear; try again in a moment.")


def json_object(body: bytearray) -> dict[str, Any]:
    """The JSON object that a body is."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"The body is not JSON ({error}); see /docs for an example.") from None
    if not isinstance(found, dict):
        raise Refused(422, "The body must be a JSON object; see /docs for an example.")
    return found


def image_of(values: Any, name: str, unit: bool = False) -> np.ndarray:
    """The image uint8 (28, 28) of numbers from 0 to 255, given as 28 rows of 28 or one after the other.

    With `unit` they may lie between 0 and 1 instead: so they are read if none is above 1.
    """
    numbers = _in_a_row(values)
    if numbers is None:
        raise Refused(422, f"'{name}' must be {SIDE} rows of {SIDE} numbers, or {PIXELS} numbers row by row.")
    if not set(map(type, numbers)) <= {int, float}:
        raise Refused(422, f"'{name}' must hold numbers and nothing else.")
    most = max(numbers)
    if min(numbers) < 0 or most > 255:
        raise Refused(422, f"'{name}' must hold numbers from 0 to 255" + (" or from 0 to 1." if unit else "."))
    levels = np.array(numbers, np.float32) * np.float32(255 if unit and most <= 1 else 1)
    return np.rint(levels).astype(np.uint8).reshape(SIDE, SIDE)


def _in_a_row(values: Any) -> list | None:
    """PIXELS values one after the other, or None where there are not so many."""
    if isinstance(values, list) and len(values) == SIDE:
        if not all(isinstance(row, list) and len(row) == SIDE for row in values):
            return None
        return list(chain.from_iterable(values))
    return values if isinstance(values, list) and len(values) == PIXELS else None


async def uploaded_file(request: Request, body: bytearray) -> bytes:
    """The content of the one file of a form."""

    async def replay() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(body)}

    try:
        async with Request(request.scope, replay).form(max_files=1, max_fields=10) as form:
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            if not files:
                raise Refused(422, "The form holds no file; send the picture as a file of the form.")
            return await files[0].read()
    except HTTPException as error:
        raise Refused(400, f"The form cannot be read ({error.detail.rstrip('.')}).") from None


def _too_long(most: int) -> Refused:
    size = f"{most / 2**20:g} MiB" if most >= 2**20 else f"{most // 2**10} KiB"
    return Refused(413, f"The body is longer than {size}; send less.")
