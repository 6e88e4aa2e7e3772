"""Convert the ink of a digit to the format of MNIST, and scale the working copies of pictures.

An image in the format of MNIST has 28 x 28 pixels; the digit's longer side has 20, its strokes have a usual width, and
its center of mass lies in the middle.
"""

import numpy as np
from PIL import Image
from scipy import ndimage

from fastdigits.imaging.components import EIGHT_NEIGHBORS
from fastdigits.imaging.types import IMAGE_SIDE, Box, PreparationStep, Prepared

DIGIT_SIDE = 20  # pixels of the longer side of a digit in MNIST
MIN_STROKE_WIDTH, MAX_STROKE_WIDTH = 1.9, 3.8  # pixels; nine of ten digits of MNIST lie within this range
SUBPIXELS = 4  # along each axis of a pixel
CENTER = 14.5 * SUBPIXELS  # subpixels; in MNIST the mean row and the mean column are 13.5 to 14.5
MIN_MEASURED_SIDE, MAX_MEASURED_SIDE = DIGIT_SIDE * SUBPIXELS, 256  # pixels of a digit whose strokes are measured
STROKE_THRESHOLD = 0.5  # of the strength of ink: the edge of a stroke
MIN_SIDE, ENLARGEMENT = 24, 4  # pixels; smaller pictures are enlarged by this factor
MIN_PEAK = 254  # 0 .. 255; of the brightest pixel of an image of MNIST
CENTER_TOLERANCE = 0.51  # pixels; MNIST was centered by whole pixels


def scale_picture(picture: np.ndarray, max_side: int) -> np.ndarray:
    """Scale a picture (H, W) or (H, W, 3) so that no side is longer than `max_side` pixels.

    Enlarge very small pictures, so that strokes are more than single pixels wide.

    Returns
    -------
    (H, W, C), where C is 1 if all pixels are gray.
    """
    if picture.ndim == 3 and (picture[..., :1] == picture[..., 1:]).all():
        picture = picture[..., 0]
    long_side = max(picture.shape[:2])
    if long_side > max_side:
        picture = _resize(picture, max_side / long_side, Image.Resampling.BOX)
    elif long_side < MIN_SIDE:
        picture = _resize(picture, ENLARGEMENT, Image.Resampling.BICUBIC)
    return picture[..., None] if picture.ndim == 2 else picture


def scale_box(box: Box, scaled: np.ndarray, picture: np.ndarray) -> Box:
    """Convert a box in a scaled copy of a picture to the box in the picture itself."""
    return box.scaled(scaled.shape, picture.shape)


def is_prepared(image: np.ndarray) -> bool:
    """Return whether an image uint8 (H, W) is in the format of MNIST, so that it needs no preparation.

    It has 28 x 28 pixels, and bright ink on 0 whose longer side is 20 pixels, centered by mass. This holds for all but
    13 of the 60,000 training images of MNIST.
    """
    if image.shape != (IMAGE_SIDE, IMAGE_SIDE) or image.max() < MIN_PEAK:
        return False
    row_sums, column_sums = image.sum(1, dtype=np.int64), image.sum(0, dtype=np.int64)
    rows, columns = row_sums.nonzero()[0], column_sums.nonzero()[0]
    if not len(rows) or max(rows[-1] - rows[0], columns[-1] - columns[0]) != DIGIT_SIDE - 1:
        return False
    positions = np.arange(IMAGE_SIDE)
    center = np.array([row_sums @ positions, column_sums @ positions]) / row_sums.sum()
    return bool((abs(center - IMAGE_SIDE / 2) <= CENTER_TOLERANCE).all())


def to_mnist_format(strength: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Convert the strength of ink within a mask, both (h, w), to an image uint8 (28, 28)."""
    with_edges = ndimage.binary_dilation(mask, EIGHT_NEIGHBORS)
    return _center(_normalize_strokes(np.where(with_edges, strength, 0)))


def stroke_width(mask: np.ndarray) -> float:
    """Estimate the mean width of strokes, in pixels, as 2 area / perimeter.

    A digitized outline is 4 / pi times as long as the outline itself, on average over its directions (Cauchy-Crofton).

    Parameters
    ----------
    mask : bool (H, W)
        Strokes that do not touch the edges.
    """
    edges = np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    return 2 * np.count_nonzero(mask) / max(edges * np.pi / 4, 1)


def picture_step(scaled: np.ndarray) -> PreparationStep:
    """Return a picture (H, W, C) as the first step of its preparation."""
    return PreparationStep("picture", scaled if scaled.shape[2] == 3 else scaled[..., 0])


def gray_step(name: str, values: np.ndarray) -> PreparationStep:
    """Return values (H, W) from 0 to 1 as a step of the preparation."""
    return PreparationStep(name, np.round(255 * np.clip(values, 0, 1)).astype(np.uint8))


def with_steps(image: np.ndarray, box: Box, *steps: PreparationStep) -> Prepared:
    """Return an image as prepared, with itself as the last of the steps."""
    return Prepared(image, box, (*steps, PreparationStep("28 x 28", image)))


def _normalize_strokes(strength: np.ndarray) -> np.ndarray:
    """Change the stroke width to a usual one, and scale the digit to its size in subpixels.

    Scale the ink (H, W), threshold it, move the outline in or out by the same distance everywhere, and crop. Return
    the coverage of each subpixel, 0 .. 1, with DIGIT_SIDE * SUBPIXELS subpixels along the longer side.
    """
    side = min(max(*strength.shape, MIN_MEASURED_SIDE), MAX_MEASURED_SIDE)
    pixel = side / DIGIT_SIDE
    margin = int(MIN_STROKE_WIDTH * pixel / 2) + 2  # for strokes to grow into
    padded = np.zeros([length + 2 * margin for length in strength.shape], np.float32)
    padded[margin:-margin, margin:-margin] = strength
    mask = _resize_field(padded, side / max(strength.shape)) > STROKE_THRESHOLD
    width = stroke_width(mask) / pixel
    growth = (min(max(width, MIN_STROKE_WIDTH), MAX_STROKE_WIDTH) - width) * pixel / 2
    if growth > 0:
        mask = np.clip(growth + 1 - ndimage.distance_transform_edt(~mask), 0, 1)
    elif growth < 0:
        mask = np.clip(growth + ndimage.distance_transform_edt(mask), 0, 1)
    digit = _crop(mask.astype(np.float32))
    return _resize_field(digit, DIGIT_SIDE * SUBPIXELS / max(digit.shape))


def _crop(coverage: np.ndarray) -> np.ndarray:
    """Remove empty rows and columns at the edges."""
    rows, columns = (np.flatnonzero((coverage > STROKE_THRESHOLD).any(axis)) for axis in (1, 0))
    return coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _center(coverage: np.ndarray) -> np.ndarray:
    """Render the coverage (h, w) of subpixels, 0 .. 1, as an image uint8 (28, 28) centered by mass."""
    (h, w), side = coverage.shape, IMAGE_SIDE * SUBPIXELS
    total = float(coverage.sum())
    top = round(CENTER - float(coverage.sum(1) @ (np.arange(h) + 0.5)) / total)
    left = round(CENTER - float(coverage.sum(0) @ (np.arange(w) + 0.5)) / total)
    top, left = min(max(top, 0), side - h), min(max(left, 0), side - w)
    canvas = np.zeros((side, side), np.float32)
    canvas[top : top + h, left : left + w] = coverage
    pixels = canvas.reshape(IMAGE_SIDE, SUBPIXELS, IMAGE_SIDE, SUBPIXELS).mean((1, 3))
    return np.round(255 * np.clip(pixels, 0, 1)).astype(np.uint8)


def _resize(picture: np.ndarray, factor: float, resampling: Image.Resampling) -> np.ndarray:
    H, W = picture.shape[:2]
    size = max(1, round(W * factor)), max(1, round(H * factor))
    return np.asarray(Image.fromarray(picture).resize(size, resampling))


def _resize_field(field: np.ndarray, factor: float) -> np.ndarray:
    if factor == 1:
        return field
    return _resize(field, factor, Image.Resampling.BICUBIC if factor > 1 else Image.Resampling.BILINEAR)
