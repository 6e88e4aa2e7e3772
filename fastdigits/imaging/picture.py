"""Any picture file as pixels: upright, opaque, red, green and blue."""

import os
import warnings
from contextlib import contextmanager
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

from fastdigits.errors import UserError
from fastdigits.files import StrPath

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
MAX_PIXELS = 50_000_000
MAX_BYTES = 64 * 2**20
MAX_SIDE = 32_000
DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
WHITE, BLACK = 255.0, 0.0

# Pillow warns where it should refuse: a picture of more pixels than it deems sane
warnings.simplefilter("error", Image.DecompressionBombWarning)


def read_picture(source: StrPath | bytes, most_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The first picture of a PNG, JPEG, WebP, BMP, TIFF or GIF file, turned upright as its EXIF data say.

    Grey levels of more than 8 bits are stretched from the least to the greatest. What is transparent becomes white,
    or black where what is drawn on it is bright.

    Parameters
    ----------
    source : path or bytes
        A file, or its content.
    most_pixels : int
        Larger pictures are refused before they are unpacked.

    Returns
    -------
    uint8 (H, W, 3)

    Raises
    ------
    UserError
        If the file cannot be read, is no such picture, is damaged or cut short, or is too large.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source), most_pixels)
    try:
        return _decode(_content(source), most_pixels)
    except UserError as error:
        raise UserError(f"{os.fsdecode(source)}: {error}") from error


def _content(path: StrPath) -> bytes:
    try:
        if not os.path.isfile(path) and os.path.exists(path):
            raise UserError("this is not a file; give a picture.")
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"it cannot be read ({error.strerror or error}); check the path.") from error
    return content


def _decode(content: bytes, most_pixels: int) -> np.ndarray:
    if not content:
        raise UserError("it is empty; give a picture.")
    if len(content) > MAX_BYTES:
        raise UserError(f"it has more than {MAX_BYTES // 2**20} MiB; save the picture smaller.")
    with _explained():
        image = Image.open(BytesIO(content), formats=FORMATS)
        width, height = image.size
    if width * height > most_pixels or max(width, height) > MAX_SIDE:
        raise UserError(
            f"the picture has {width} x {height} pixels, more than {most_pixels:,} or a side beyond {MAX_SIDE:,}; "
            "make it smaller."
        )
    with _explained():
        return _as_rgb(ImageOps.exif_transpose(image))


@contextmanager
def _explained():
    """Around calls of Pillow and nothing else: it raises almost anything on damaged files."""
    try:
        yield
    except Image.UnidentifiedImageError as error:
        raise UserError(
            "it is not a picture that can be read; give a PNG, JPEG, WebP, BMP, TIFF or GIF file."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise UserError("the picture has too many pixels; make it smaller.") from error
    except Exception as error:
        raise UserError("the picture is damaged or cut short; take another copy of the file.") from error


def _as_rgb(image: Image.Image) -> np.ndarray:
    image.load()
    if image.mode in DEEP_MODES:
        grey = _stretched(np.asarray(image, np.float64))
        return np.repeat(grey[..., None], 3, axis=2)
    if image.has_transparency_data:
        return _composed(np.asarray(image.convert("RGBA")))
    return np.array(image.convert("RGB"))


def _stretched(levels: np.ndarray) -> np.ndarray:
    """Grey levels of any range as uint8; those that are not finite count as the least."""
    finite = np.isfinite(levels)
    least, most = (levels[finite].min(), levels[finite].max()) if finite.any() else (0.0, 1.0)
    share = (np.where(finite, levels, least) - least) / max(most - least, 1e-300)
    return np.round(255 * share).astype(np.uint8)


def _composed(rgba: np.ndarray) -> np.ndarray:
    """What is drawn on a transparent sheet, on the one of black and white that it can be seen on."""
    colour, opacity = rgba[..., :3].astype(np.float32), rgba[..., 3:].astype(np.float32) / 255
    visible = float(opacity.sum())
    brightness = float((colour.mean(2, keepdims=True) * opacity).sum()) / visible if visible else BLACK
    ground = BLACK if brightness > WHITE / 2 else WHITE
    return np.round(colour * opacity + ground * (1 - opacity)).astype(np.uint8)
