"""Digits in the format of MNIST: 28 x 28 pixels, strokes of usual thickness, centre of mass in the middle.

Working copies of a picture are scaled here, too, and images that are in the format already are recognized.
"""

import numpy as np
from PIL import Image
from scipy import ndimage

from fastdigits.imaging.components import EIGHT_NEIGHBOURS
from fastdigits.imaging.types import SIDE, Box, Prepared, Step

FEW, MANY_TIMES = 24, 4  # pixels of a side that are few, and how many times larger they become
INK_SIDE = 20  # pixels of the longer side of a digit in MNIST
FINE = 4  # places of a pixel along each axis
MIN_SIDE, MAX_SIDE = INK_SIDE * FINE, 256  # of the digit while its strokes are measured
EDGE = 0.5  # of a stroke's strength
THINNEST, THICKEST = 1.9, 3.8  # pixels of a stroke: nine of ten digits of MNIST lie between
MIDDLE = 14.5 * FINE  # in MNIST the means of rows and of columns are 13.5 to 14.5
MIN_PEAK = 254  # of the brightest pixel
HALF_PIXEL = 0.51  # the centre of mass was brought to the middle by whole pixels


def resized(picture: np.ndarray, most: int) -> np.ndarray:
    """The picture (H, W, C) with no side longer than so many pixels; C is 1 where all is grey.

    One of a few pixels becomes larger, so that its strokes are told from its ground by more than single pixels.
    """
    if picture.ndim == 3 and (picture[..., :1] == picture[..., 1:]).all():
        picture = picture[..., 0]
    long_side = max(picture.shape[:2])
    if long_side > most:
        picture = _scaled(picture, most / long_side, Image.Resampling.BOX)
    elif long_side < FEW:
        picture = _scaled(picture, MANY_TIMES, Image.Resampling.BICUBIC)
    return picture[..., None] if picture.ndim == 2 else picture


def _scaled(picture: np.ndarray, factor: float, kind: Image.Resampling) -> np.ndarray:
    H, W = picture.shape[:2]
    return np.asarray(Image.fromarray(picture).resize((max(1, round(W * factor)), max(1, round(H * factor))), kind))


def drawn(strength: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The ink within a mask, both (h, w), as an image uint8 (28, 28)."""
    with_edges = ndimage.binary_dilation(mask, EIGHT_NEIGHBOURS)
    return centred(evened(np.where(with_edges, strength, 0)))


def enlarged(box: Box, small: np.ndarray, picture: np.ndarray) -> Box:
    """The box in a picture of which the other one, where it was found, is a smaller copy."""
    down, across = picture.shape[0] / small.shape[0], picture.shape[1] / small.shape[1]
    left, top = round(box.left * across), round(box.top * down)
    right, bottom = round((box.left + box.width) * across), round((box.top + box.height) * down)
    return Box(left, top, max(1, right - left), max(1, bottom - top))


def first_step(small: np.ndarray) -> Step:
    """The picture itself."""
    return Step("picture", small if small.shape[2] == 3 else small[..., 0])


def step(name: str, field: np.ndarray) -> Step:
    """Numbers 0 .. 1 as a grey picture."""
    return Step(name, np.round(255 * np.clip(field, 0, 1)).astype(np.uint8))


def found(image: np.ndarray, box: Box, *steps: Step) -> Prepared:
    """What was found, with the image as the last of the steps."""
    return Prepared(image, box, (*steps, Step("28 x 28", image)))


def evened(strength: np.ndarray) -> np.ndarray:
    """Strokes of a usual thickness: a digit's ink (H, W), 1/2 at its edges, as one of INK_SIDE * FINE places, 0 .. 1.

    The outline is moved in or out by the same distance everywhere.
    """
    side = min(max(*strength.shape, MIN_SIDE), MAX_SIDE)
    pixel = side / INK_SIDE
    reach = int(THINNEST * pixel / 2) + 2
    inside = np.zeros([length + 2 * reach for length in strength.shape], np.float32)
    inside[reach:-reach, reach:-reach] = strength
    inside = _scaled_field(inside, side / max(strength.shape)) > EDGE
    thickness = thickness_of(inside) / pixel
    grown = (min(max(thickness, THINNEST), THICKEST) - thickness) * pixel / 2
    if grown > 0:
        inside = np.clip(grown + 1 - ndimage.distance_transform_edt(~inside), 0, 1)
    elif grown < 0:
        inside = np.clip(grown + ndimage.distance_transform_edt(inside), 0, 1)
    drawn = cropped(inside.astype(np.float32))
    return _scaled_field(drawn, INK_SIDE * FINE / max(drawn.shape))


def thickness_of(inside: np.ndarray) -> float:
    """The mean thickness of strokes bool (H, W), in pixels, none of which lies at an edge: 2 area / perimeter.

    Edges of pixels are 4 / pi times as long as a line at random (Cauchy and Crofton).
    """
    edges = np.count_nonzero(inside[1:] != inside[:-1]) + np.count_nonzero(inside[:, 1:] != inside[:, :-1])
    return 2 * np.count_nonzero(inside) / max(edges * np.pi / 4, 1)


def cropped(drawn: np.ndarray) -> np.ndarray:
    """Without the empty rows and columns around it."""
    rows, columns = (np.flatnonzero((drawn > EDGE).any(axis)) for axis in (1, 0))
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scaled_field(field: np.ndarray, factor: float) -> np.ndarray:
    if factor == 1:
        return field
    H, W = field.shape
    size = max(1, round(W * factor)), max(1, round(H * factor))
    kind = Image.Resampling.BICUBIC if factor > 1 else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(field).resize(size, kind))


def centred(drawn: np.ndarray) -> np.ndarray:
    """Strokes (h, w), 0 .. 1, in FINE places a pixel, as an image uint8 (28, 28) around their centre of mass."""
    (h, w), N = drawn.shape, SIDE * FINE
    total = float(drawn.sum())
    top = round(MIDDLE - float(drawn.sum(1) @ (np.arange(h) + 0.5)) / total)
    left = round(MIDDLE - float(drawn.sum(0) @ (np.arange(w) + 0.5)) / total)
    top, left = min(max(top, 0), N - h), min(max(left, 0), N - w)
    canvas = np.zeros((N, N), np.float32)
    canvas[top : top + h, left : left + w] = drawn
    return np.round(255 * np.clip(canvas.reshape(SIDE, FINE, SIDE, FINE).mean((1, 3)), 0, 1)).astype(np.uint8)


def is_prepared(image: np.ndarray) -> bool:
    """Whether an image uint8 (H, W) is as MNIST has them: preparing it would find nothing to do.

    28 x 28 pixels, bright ink on 0 whose longer side is 20 pixels, its centre of mass in the middle. All but 13 of
    MNIST's 60,000 training images are so, to the pixel.
    """
    if image.shape != (SIDE, SIDE) or image.max() < MIN_PEAK:
        return False
    by_row, by_column = image.sum(1, dtype=np.int64), image.sum(0, dtype=np.int64)
    rows, columns = by_row.nonzero()[0], by_column.nonzero()[0]
    if not len(rows) or max(rows[-1] - rows[0], columns[-1] - columns[0]) != INK_SIDE - 1:
        return False
    places = np.arange(SIDE)
    centre = np.array([by_row @ places, by_column @ places]) / by_row.sum()
    return bool((abs(centre - SIDE / 2) <= HALF_PIXEL).all())
