"""Receive the bodies of requests and extract the pixels or the picture file in them."""

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

from fastdigits.imaging.types import IMAGE_SIDE
from fastdigits.serve.limits import MAX_JSON_BYTES, BufferedBytes, Limits, RequestError

PIXELS = IMAGE_SIDE * IMAGE_SIDE
JSON, FORM = "application/json", "multipart/form-data"


def media_type(request: Request) -> str:
    """Return the media type of the body without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@asynccontextmanager
async def received_body(request: Request) -> AsyncIterator[bytearray]:
    """Receive the whole body, and count its bytes as buffered until the end of the block.

    Raises
    ------
    RequestError
        If the body is too long, takes too long to arrive, or does not fit in the buffer of all bodies.
    """
    limits, buffered, body = request.app.state.limits, request.app.state.buffered, bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            await _receive(request, limits, buffered, body)
        yield body
    except TimeoutError:
        raise RequestError(408, f"The request did not arrive within {limits.seconds:g} s; send it faster.") from None
    except ClientDisconnect:
        raise RequestError(400, "The request ended before its body was complete.") from None
    finally:
        buffered.total -= len(body)


def json_object(body: bytearray) -> dict[str, Any]:
    """Parse a body that must be a JSON object."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"The body is not JSON ({error}); see /docs for an example.") from None
    if not isinstance(parsed, dict):
        raise RequestError(422, "The body must be a JSON object; see /docs for an example.")
    return parsed


def image_from_json(values: Any, name: str, unit: bool = False) -> np.ndarray:
    """Convert 28 rows of 28 numbers from 0 to 255, or 784 numbers row by row, to an image uint8 (28, 28).

    With `unit`, numbers that are all at most 1 range from 0 to 1 instead.
    """
    numbers = _flat(values)
    if numbers is None:
        raise RequestError(
            422, f"'{name}' must be {IMAGE_SIDE} rows of {IMAGE_SIDE} numbers, or {PIXELS} numbers row by row."
        )
    if not set(map(type, numbers)) <= {int, float}:
        raise RequestError(422, f"'{name}' must hold numbers and nothing else.")
    largest = max(numbers)
    if min(numbers) < 0 or largest > 255:
        raise RequestError(422, f"'{name}' must hold numbers from 0 to 255" + (" or from 0 to 1." if unit else "."))
    levels = np.array(numbers, np.float32) * np.float32(255 if unit and largest <= 1 else 1)
    return np.rint(levels).astype(np.uint8).reshape(IMAGE_SIDE, IMAGE_SIDE)


async def uploaded_file(request: Request, body: bytearray) -> bytes:
    """Return the content of the one file of a form."""

    async def replay() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(body)}

    try:
        async with Request(request.scope, replay).form(max_files=1, max_fields=10) as form:
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            if not files:
                raise RequestError(422, "The form holds no file; send the picture as a file of the form.")
            return await files[0].read()
    except HTTPException as error:
        raise RequestError(400, f"The form cannot be parsed ({error.detail.rstrip('.')}).") from None


async def _receive(request: Request, limits: Limits, buffered: BufferedBytes, body: bytearray) -> None:
    limit = MAX_JSON_BYTES if media_type(request) == JSON else limits.body_bytes
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_long(limit)
    async for chunk in request.stream():
        body += chunk
        buffered.total += len(chunk)
        if len(body) > limit:
            raise _too_long(limit)
        if buffered.total > limits.buffered_bytes:
            raise RequestError(503, "The server is busy with other requests' data; try again in a moment.")


def _too_long(limit: int) -> RequestError:
    size = f"{limit / 2**20:g} MiB" if limit >= 2**20 else f"{limit // 2**10} KiB"
    return RequestError(413, f"The body is longer than {size}; send less.")


def _flat(values: Any) -> list | None:
    """Return PIXELS values in one list, or None if the nested lists have another shape."""
    if isinstance(values, list) and len(values) == IMAGE_SIDE:
        if not all(isinstance(row, list) and len(row) == IMAGE_SIDE for row in values):
            return None
        return list(chain.from_iterable(values))
    return values if isinstance(values, list) and len(values) == PIXELS else None
