"""Read picture files as upright, opaque RGB pixels, large ones at a reduced size.

Only Pillow ever holds all pixels of a large picture: they are converted and reduced band by band.
"""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ctypes import CDLL
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image

from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.imaging.types import Box

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
MAX_PIXELS = 50_000_000
MAX_BYTES = 64 * 2**20
MAX_SIDE = 32_000  # pixels
MAX_DECODER_BYTES = 250_000_000  # memory for one picture while it is decoded
PROGRESSIVE_JPEG = "progressive JPEG"  # its decoder holds the coefficients of the whole picture
# Bytes per pixel at the peak, with copies that the decoder makes; a plain JPEG is decoded at a reduced size
DECODER_BYTES = {"JPEG": 5, PROGRESSIVE_JPEG: 10, "WEBP": 16, "PNG": 10, "BMP": 10, "TIFF": 10, "GIF": 10}
MAX_KEPT_SIDE = 3200  # pixels; twice the working size of a picture of many digits
BAND_PIXELS = 2**20  # converted at a time
DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")  # Pillow's modes for gray levels of more than 8 bits
WHITE, BLACK = 255, 0
ORIENTATIONS = {  # EXIF orientation: whether to swap rows and columns, then the steps through rows and columns
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, 1, -1),
    7: (True, -1, -1),
    8: (True, -1, 1),
}

# What Pillow warns of, such as damaged EXIF data, does not keep a picture from being read
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())
# libtiff, which Pillow brings along, prints what is wrong with a damaged TIFF, although Pillow raises an error, too
with suppress(AttributeError, OSError):  # where libtiff is a part of Pillow, nobody can tell it
    CDLL(Image.core.__file__).TIFFSetErrorHandler(None)
# Pillow only warns of a decompression bomb; raise an error instead
warnings.simplefilter("error", Image.DecompressionBombWarning)


class Picture(NamedTuple):
    """The pixels of a picture file, and its size.

    Attributes
    ----------
    pixels : uint8 (H, W, 3)
        Reduced by a whole factor if a side of the file has more than MAX_KEPT_SIDE pixels.
    file_shape : (rows, columns)
        Size of the upright picture in the file.
    """

    pixels: np.ndarray
    file_shape: tuple[int, int]

    def box_in_file(self, box: Box) -> Box:
        """Convert a box in `pixels` to pixels of the file."""
        return box.scaled(self.pixels.shape, self.file_shape)

    def point_in_file(self, x: float, y: float) -> tuple[float, float]:
        """Convert a point in `pixels` to pixels of the file."""
        (H, W), (file_H, file_W) = self.pixels.shape[:2], self.file_shape
        return x * file_W / W, y * file_H / H


def read_picture(source: StrPath | bytes | bytearray, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read the first frame or page of a PNG, JPEG, WebP, BMP, TIFF or GIF file.

    Rotate the picture according to its EXIF data, stretch gray levels of more than 8 bits to the full range, and
    replace a transparent background with white, or with black if the visible pixels are bright. Reduce a picture whose
    longer side has more than 3200 pixels by a whole factor; `open_picture` also tells its size in the file.

    Parameters
    ----------
    source : path or bytes
        The path of a file, or its content.
    max_pixels : int
        Larger pictures are rejected before they are decoded. Formats that take much memory have lower limits.

    Returns
    -------
    uint8 (H, W, 3)

    Raises
    ------
    UserError
        If the file cannot be read, has another format, is damaged or truncated, or is too large.
    """
    return open_picture(source, max_pixels).pixels


def open_picture(source: StrPath | bytes | bytearray, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a file like `read_picture`; return the pixels together with the size of the picture in the file."""
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source), max_pixels)
    try:
        return _decode(_read_bytes(source), max_pixels)
    except UserError as error:
        raise UserError(f"{os.fsdecode(source)}: {error}") from error


def decoder_bytes(content: bytes | bytearray, max_pixels: int = MAX_PIXELS) -> int:
    """Return the memory that decoding the content of a file will take at most; read only its header.

    Raises
    ------
    UserError
        If `read_picture` would reject the file by its header.
    """
    image = _open(bytes(content), max_pixels)
    return image.width * image.height * DECODER_BYTES[_kind(image)]


def _read_bytes(path: StrPath) -> bytes:
    try:
        if not os.path.isfile(path) and os.path.exists(path):
            raise UserError("it is not a file; give a picture file.")
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"it cannot be read ({error.strerror or error}); check the path.") from error
    return content


def _decode(content: bytes, max_pixels: int) -> Picture:
    image = _open(content, max_pixels)
    with _user_errors(max_pixels):
        return _as_rgb(image)


def _open(content: bytes, max_pixels: int) -> Image.Image:
    """Read the header of a picture and check its size."""
    if not content:
        raise UserError("it is empty; give a picture file.")
    if len(content) > MAX_BYTES:
        raise UserError(f"it is larger than {MAX_BYTES // 2**20} MiB; save a smaller picture.")
    with _user_errors(max_pixels):
        image = Image.open(BytesIO(content), formats=FORMATS)
        (width, height), kind = image.size, _kind(image)
    limit = min(max_pixels, MAX_DECODER_BYTES // DECODER_BYTES[kind])
    if width * height > limit or max(width, height) > MAX_SIDE:
        of_kind = f" of a {kind}" if limit < max_pixels else ""
        raise UserError(
            f"the picture has {width} x {height} pixels, more than the limit{of_kind} of {limit:,} in total or "
            f"{MAX_SIDE:,} on a side; make it smaller."
        )
    return image


def _kind(image: Image.Image) -> str:
    """Return the key of a picture in DECODER_BYTES."""
    is_jpeg = image.format in ("JPEG", "MPO")
    if is_jpeg and ("progressive" in image.info or "progression" in image.info):
        return PROGRESSIVE_JPEG
    return "JPEG" if is_jpeg else str(image.format)


@contextmanager
def _user_errors(max_pixels: int) -> Iterator[None]:
    """Convert the errors of Pillow, which raises almost any exception for damaged files."""
    try:
        yield
    except Image.UnidentifiedImageError as error:
        raise UserError(
            "it is not a picture in a supported format; give a PNG, JPEG, WebP, BMP, TIFF or GIF file."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UserError(f"the picture has more than {max_pixels:,} pixels; make it smaller.") from error
    except MemoryError as error:
        raise UserError("there is not enough memory for the picture; make it smaller.") from error
    except Exception as error:
        raise UserError("the picture is damaged or cut short; use another copy of the file.") from error


def _as_rgb(image: Image.Image) -> Picture:
    file_size = image.size
    factor = -(-max(file_size) // MAX_KEPT_SIDE)
    drafted = factor > 1 and _kind(image) in ("JPEG", PROGRESSIVE_JPEG)
    if drafted:  # the decoder divides both sides by 2, 4 or 8
        image.draft(None, (max(1, image.width // factor), max(1, image.height // factor)))
    image.load()
    if drafted:
        factor = -(-factor // round(max(file_size) / max(image.size)))
    else:
        file_size = image.size  # Pillow has rotated a TIFF
    pixels = _reduced(image, factor)
    if pixels.ndim == 2:
        pixels = _stretch(pixels)
    elif pixels.shape[2] == 4:
        pixels = _flatten(pixels)
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    swap, y_step, x_step = ORIENTATIONS.get(orientation, (False, 1, 1))
    upright = (pixels.swapaxes(0, 1) if swap else pixels)[::y_step, ::x_step]
    return Picture(np.ascontiguousarray(upright), file_size if swap else file_size[::-1])


def _reduced(image: Image.Image, factor: int) -> np.ndarray:
    """Average squares of `factor` pixels; return deep gray levels (H, W), RGB (H, W, 3) or RGBA (H, W, 4)."""
    W, H = image.size
    rows = factor * max(1, BAND_PIXELS // (W * factor))
    return np.concatenate(
        [_reduced_band(image.crop((0, top, W, min(top + rows, H))), factor) for top in range(0, H, rows)]
    )


def _reduced_band(band: Image.Image, factor: int) -> np.ndarray:
    if band.mode in DEEP_MODES:
        levels = np.array(band)
        return levels if factor == 1 else np.array(Image.fromarray(levels.astype(np.float32)).reduce(factor))
    band = band.convert("RGBA" if band.has_transparency_data else "RGB")
    return np.array(band.reduce(factor) if factor > 1 else band)


def _bands(array: np.ndarray) -> list[np.ndarray]:
    """Split an array (H, W, ...) into bands of rows."""
    rows = max(1, BAND_PIXELS // array.shape[1])
    return [array[top : top + rows] for top in range(0, len(array), rows)]


def _stretch(levels: np.ndarray) -> np.ndarray:
    """Scale gray levels (H, W) of any range to uint8 (H, W, 3); levels that are not finite become 0."""
    low, high = np.inf, -np.inf
    for band in _bands(levels):
        finite = band[np.isfinite(band)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    low, high = (low, high) if low <= high else (0.0, 1.0)
    gray = np.empty((*levels.shape, 3), np.uint8)
    for band, stretched in zip(_bands(levels), _bands(gray), strict=True):
        scaled = (np.where(np.isfinite(band), band.astype(np.float64), low) - low) / max(high - low, 1e-300)
        stretched[...] = np.round(255 * scaled).astype(np.uint8)[..., None]
    return gray


def _flatten(rgba: np.ndarray) -> np.ndarray:
    """Put a picture with transparency on white, or on black if its visible pixels are bright."""
    visible = brightness = 0
    for band in _bands(rgba):
        opacity = band[..., 3].astype(np.uint32)
        visible += int(opacity.sum())
        brightness += sum(int((band[..., channel] * opacity).sum()) for channel in range(3))
    background = BLACK if brightness > WHITE / 2 * 3 * visible else WHITE
    levels = np.arange(256, dtype=np.float32)
    opacities = levels[:, None] / 255
    blended = np.round(levels * opacities + background * (1 - opacities)).astype(np.uint8).reshape(-1)
    flat = np.empty((*rgba.shape[:2], 3), np.uint8)
    for band, result in zip(_bands(rgba), _bands(flat), strict=True):
        row = band[..., 3].astype(np.uint16) << 8  # of the table
        for channel in range(3):
            result[..., channel] = blended[row | band[..., channel]]
    return flat
