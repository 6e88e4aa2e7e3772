"""Receive the bodies of requests and extract the pixels or the picture file in them."""

import asyncio
import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

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
URLENCODED, TEXT = "application/x-www-form-urlencoded", "text/plain"
MAX_FIELDS = 10  # of a form
DATA_URL = re.compile(rb"data:[^,]{0,200};base64,", re.IGNORECASE)
URL_SAFE, STANDARD, SPACES = b"-_", b"+/", b" \t\r\n"


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


def text_without_pixels(content: dict[str, Any]) -> str | None:
    """Return the longest text of a JSON object, a picture under any name; None if it has pixels or no text."""
    if isinstance(content.get("pixels"), list):
        return None
    return max((value for value in content.values() if isinstance(value, str)), key=len, default=None)


def picture_from_text(text: str | bytes | bytearray) -> bytes:
    """Decode a data URL or Base64, standard or URL-safe, with or without padding and line breaks."""
    try:
        data = text.strip().encode("ascii") if isinstance(text, str) else bytes(text.strip())
        if prefix := DATA_URL.match(data):
            data = unquote_to_bytes(data[prefix.end() :])
        data = data.translate(bytes.maketrans(URL_SAFE, STANDARD), SPACES).rstrip(b"=")
        return a2b_base64(data + b"=" * (-len(data) % 4), strict_mode=True)
    except (UnicodeEncodeError, Base64Error):
        raise RequestError(
            400, f"The text is not a picture in Base64 or a data URL; send numbers as {JSON}, under 'pixels'."
        ) from None


async def picture_file(request: Request, body: bytearray) -> bytes | bytearray:
    """Return the content of the picture file that is the body, that a form holds, or that is in Base64."""
    kind = media_type(request)
    if kind == FORM:
        return await _uploaded_file(request, body)
    if kind == URLENCODED:
        return picture_from_text(_text_of_fields(body))
    return picture_from_text(body) if kind == TEXT else body


async def _uploaded_file(request: Request, body: bytearray) -> bytes:
    """Return the content of the one file of a form, or of its longest text in Base64."""

    async def replay() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(body)}

    try:
        async with Request(request.scope, replay).form(max_files=1, max_fields=MAX_FIELDS) as form:
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            if files:
                return await files[0].read()
            texts = [value for value in form.values() if isinstance(value, str)]
    except HTTPException as error:
        raise RequestError(400, f"The form cannot be parsed ({error.detail.rstrip('.')}).") from None
    if not texts:
        raise RequestError(422, "The form holds no file; send the picture as a file of the form.")
    return picture_from_text(max(texts, key=len))


def _text_of_fields(body: bytearray) -> str | bytearray:
    """Return the longest value of a URL-encoded form, where + may stand for itself; or the body, if it is no form."""
    try:
        fields = parse_qsl(body.decode("ascii").rstrip("= \r\n"), max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise RequestError(
            400, "The form is not in ASCII; send a picture file with its own type, such as image/png."
        ) from None
    except ValueError:
        raise RequestError(400, f"The form has too many fields; send at most {MAX_FIELDS} fields.") from None
    return max((value.replace(" ", "+") for _, value in fields), key=len, default=body)


async def _receive(request: Request, limits: Limits, buffered: BufferedBytes, body: bytearray) -> None:
    limit = MAX_JSON_BYTES if media_type(request) in (JSON, URLENCODED) else limits.body_bytes
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_long(request, limit)
    async for chunk in request.stream():
        body += chunk
        buffered.total += len(chunk)
        if len(body) > limit:
            raise _too_long(request, limit)
        if buffered.total > limits.buffered_bytes:
            raise RequestError(503, "The server is busy with other requests' data; try again in a moment.")


def _too_long(request: Request, limit: int) -> RequestError:
    size = f"{limit / 2**20:g} MiB" if limit >= 2**20 else f"{limit // 2**10} KiB"
    fix = "send the picture itself, as image/png" if media_type(request) in (JSON, URLENCODED) else "send less"
    return RequestError(413, f"The body is longer than {size}; {fix}.")


def _flat(values: Any) -> list | None:
    """Return PIXELS values in one list, or None if the nested lists have another shape."""
    if isinstance(values, list) and len(values) == IMAGE_SIDE:
        if not all(isinstance(row, list) and len(row) == IMAGE_SIDE for row in values):
            return None
        return list(chain.from_iterable(values))
    return values if isinstance(values, list) and len(values) == PIXELS else None
