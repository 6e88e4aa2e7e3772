"""Read picture files as upright, opaque RGB pixels."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

from fastdigits.errors import UserError
from fastdigits.files import StrPath

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
MAX_PIXELS = 50_000_000
MAX_BYTES = 64 * 2**20
MAX_SIDE = 32_000  # pixels
DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")  # Pillow's modes for gray levels of more than 8 bits
WHITE, BLACK = 255.0, 0.0

# What Pillow warns of, such as damaged EXIF data, does not keep a picture from being read
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())
# Pillow only warns of a decompression bomb; raise an error instead
warnings.simplefilter("error", Image.DecompressionBombWarning)


def read_picture(source: StrPath | bytes | bytearray, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read the first frame or page of a PNG, JPEG, WebP, BMP, TIFF or GIF file.

    Rotate the picture according to its EXIF data, stretch gray levels of more than 8 bits to the full range, and
    replace a transparent background with white, or with black if the visible pixels are bright.

    Parameters
    ----------
    source : path or bytes
        The path of a file, or its content.
    max_pixels : int
        Larger pictures are rejected before they are decoded.

    Returns
    -------
    uint8 (H, W, 3)

    Raises
    ------
    UserError
        If the file cannot be read, has another format, is damaged or truncated, or is too large.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source), max_pixels)
    try:
        return _decode(_read_bytes(source), max_pixels)
    except UserError as error:
        raise UserError(f"{os.fsdecode(source)}: {error}") from error


def _read_bytes(path: StrPath) -> bytes:
    try:
        if not os.path.isfile(path) and os.path.exists(path):
            raise UserError("it is not a file; give a picture file.")
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"it cannot be read ({error.strerror or error}); check the path.") from error
    return content


def _decode(content: bytes, max_pixels: int) -> np.ndarray:
    if not content:
        raise UserError("it is empty; give a picture file.")
    if len(content) > MAX_BYTES:
        raise UserError(f"it is larger than {MAX_BYTES // 2**20} MiB; save a smaller picture.")
    with _user_errors():
        image = Image.open(BytesIO(content), formats=FORMATS)
        width, height = image.size
    if width * height > max_pixels or max(width, height) > MAX_SIDE:
        raise UserError(
            f"the picture has {width} x {height} pixels, more than {max_pixels:,} in total or {MAX_SIDE:,} on a side; "
            "make it smaller."
        )
    with _user_errors():
        return _as_rgb(ImageOps.exif_transpose(image))


@contextmanager
def _user_errors() -> Iterator[None]:
    """Convert the errors of Pillow, which raises almost any exception for damaged files."""
    try:
        yield
    except Image.UnidentifiedImageError as error:
        raise UserError(
            "it is not a picture in a supported format; give a PNG, JPEG, WebP, BMP, TIFF or GIF file."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise UserError("the picture has too many pixels; make it smaller.") from error
    except Exception as error:
        raise UserError("the picture is damaged or cut short; use another copy of the file.") from error


def _as_rgb(image: Image.Image) -> np.ndarray:
    image.load()
    if image.mode in DEEP_MODES:
        gray = _stretch(np.asarray(image, np.float64))
        return np.repeat(gray[..., None], 3, axis=2)
    if image.has_transparency_data:
        return _flatten(np.asarray(image.convert("RGBA")))
    return np.array(image.convert("RGB"))


def _stretch(levels: np.ndarray) -> np.ndarray:
    """Scale gray levels of any range to uint8; levels that are not finite become 0."""
    finite = np.isfinite(levels)
    low, high = (levels[finite].min(), levels[finite].max()) if finite.any() else (0.0, 1.0)
    scaled = (np.where(finite, levels, low) - low) / max(high - low, 1e-300)
    return np.round(255 * scaled).astype(np.uint8)


def _flatten(rgba: np.ndarray) -> np.ndarray:
    """Put a picture with transparency on white, or on black if its visible pixels are bright."""
    color, opacity = rgba[..., :3].astype(np.float32), rgba[..., 3:].astype(np.float32) / 255
    visible = float(opacity.sum())
    brightness = float((color.mean(2, keepdims=True) * opacity).sum()) / visible if visible else BLACK
    background = BLACK if brightness > WHITE / 2 else WHITE
    return np.round(color * opacity + background * (1 - opacity)).astype(np.uint8)
