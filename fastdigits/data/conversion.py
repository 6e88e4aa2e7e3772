"""Convert images of any type, range, shape and size to uint8 (N, H, W), ink and background as in the files."""

from math import isqrt

import numpy as np
from PIL import Image

from fastdigits.data.dataset import Size
from fastdigits.errors import UserError, worded

Range = tuple[float, float]  # the values of black and white
FULL: Range = (0.0, 255.0)
TOLERANCE = 0.001  # of the range, by which values may exceed it
MAX_SIDE = 1024  # pixels
INK_THRESHOLD = 0.25  # of the strongest ink of an image
MIN_WIDER = 1.05  # times as wide as high are the characters of transposed images; upright ones, 0.6 to 0.95
MAX_SAMPLE = 1000  # images that are examined


def value_range(sample: np.ndarray, source: str) -> Range:
    """Recognize the values of black and white: 0 to 255, 0 to 1, -1 to 1, 0 to 16, or all values of the type.

    Raises
    ------
    UserError
        If the values are none of these, or not finite.
    """
    _check_numbers(sample, source, 0)
    low, high, whole = float(sample.min()), float(sample.max()), sample.dtype.kind in "iu"
    whole = whole or bool((sample == np.rint(sample)).all())
    if low == high == 0:
        return FULL
    if low >= -TOLERANCE and high <= 1 + TOLERANCE:
        return 0.0, 1.0
    if low >= -1 - TOLERANCE and high <= 1 + TOLERANCE:
        return -1.0, 1.0
    if low >= 0 and high <= 16 and whole:  # as in the digits of scikit-learn
        return 0.0, 16.0
    if low >= -TOLERANCE and high <= 255 + TOLERANCE:
        return FULL
    if sample.dtype == np.int8:
        return -128.0, 127.0
    if low >= 0 and high <= 65535 and whole:
        return 0.0, 65535.0
    raise UserError(f"{source} has values from {low:g} to {high:g}, which is no known range; {how_to_give_range()}")


def how_to_give_range() -> str:
    """Return the end of a sentence about values of an unknown range."""
    given = worded("--value-range BLACK,WHITE", "value_range=(BLACK, WHITE)")
    return f"say with {given} which values are black and white."


def to_bytes(images: np.ndarray, values: Range, source: str, first: int = 0) -> np.ndarray:
    """Scale images of any type from the range `values` to uint8; `first` is the index of the first image.

    Raises
    ------
    UserError
        If a value is not finite or lies outside the range.
    """
    _check_numbers(images, source, first)
    if images.dtype == np.uint8 and values == FULL:
        return images
    (black, white), tolerance = values, TOLERANCE * abs(values[1] - values[0])
    low, high = min(values) - tolerance, max(values) + tolerance
    outside = ((images < low) | (images > high)).reshape(len(images), -1).any(1)
    if outside.any():
        number = int(outside.argmax())
        wrong = images[number]
        raise UserError(
            f"Image {first + number} of {source} has values from {wrong.min():g} to {wrong.max():g}, which is outside "
            f"{black:g} to {white:g}; {how_to_give_range()}"
        )
    scaled = (images.astype(np.float64) - black) * (255 / (white - black))
    return np.rint(scaled.clip(0, 255)).astype(np.uint8)


def as_images(images: np.ndarray, source: str) -> np.ndarray:
    """Return images (N, H, W), or (N, H, W, 3) in color, of arrays with flat images or with an axis of channels.

    Raises
    ------
    UserError
        If the shape is not that of images.
    """
    if images.ndim == 2 and isqrt(images.shape[1]) ** 2 == images.shape[1]:
        side = isqrt(images.shape[1])
        images = images.reshape(-1, side, side)
    if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[3] not in (1, 3):
        images = np.moveaxis(images, 1, -1)
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if not (images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)):
        raise UserError(
            f"{source} has images of the shape {images.shape[1:]}; give gray images (H, W), color images (H, W, 3), or "
            "rows of a square number of pixels."
        )
    return images


def to_gray(colors: np.ndarray) -> np.ndarray:
    """Return the brightness uint8 (..., H, W) of colors uint8 (..., H, W, 3)."""
    red, green, blue = (colors[..., channel].astype(np.uint32) for channel in range(3))
    return ((299 * red + 587 * green + 114 * blue + 500) // 1000).astype(np.uint8)


def fitted(image: np.ndarray, size: Size) -> np.ndarray:
    """Resize an image uint8 (H, W) without distortion: it is padded with its background to the shape of `size`."""
    if image.shape == size:
        return image
    (rows, columns), (height, width) = size, image.shape
    scale = min(rows / height, columns / width)
    inner = max(1, round(height * scale)), max(1, round(width * scale))
    resized = np.asarray(Image.fromarray(image).resize(inner[::-1], Image.Resampling.BICUBIC))
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    result = np.full(size, np.median(border), np.uint8)
    top, left = (rows - inner[0]) // 2, (columns - inner[1]) // 2
    result[top : top + inner[0], left : left + inner[1]] = resized
    return result


def look_transposed(images: np.ndarray) -> bool:
    """Return whether the characters in images uint8 (N, H, W) are wider than high, as if rows and columns were swapped.

    Digits and letters are higher than wide on average. The background of an image is the median of its border.
    """
    ratios = []
    for image in images[:: max(1, -(-len(images) // MAX_SAMPLE))]:
        border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        strength = abs(image.astype(np.int16) - int(np.median(border)))
        ink = strength > INK_THRESHOLD * strength.max()
        if ink.any():
            rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
            ratios.append((columns[-1] - columns[0] + 1) / (rows[-1] - rows[0] + 1))
    return bool(ratios) and float(np.median(ratios)) > MIN_WIDER


def _check_numbers(images: np.ndarray, source: str, first: int) -> None:
    if images.dtype.kind not in "biuf":
        raise UserError(f"{source} holds values of type {images.dtype} instead of numbers; convert them first.")
    if images.dtype.kind == "f":
        finite = np.isfinite(images).reshape(len(images), -1).all(1)
        if not finite.all():
            raise UserError(
                f"Image {first + int((~finite).argmax())} of {source} holds NaN or infinity; replace or remove it."
            )
