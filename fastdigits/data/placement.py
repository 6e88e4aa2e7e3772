"""Measure where the digits of training images lie, and move digits in the format of MNIST to the same place."""

from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

IMAGE_SIDE, DIGIT_SIDE = 28, 20  # pixels of an image of MNIST, and of the longer side of its digit
EIGHT_NEIGHBORS = np.ones((3, 3), bool)
MIN_SIDE = 4  # pixels of the longer side of a digit
MIDDLE = 14.5  # pixels from the edges to the center of mass in MNIST
INK_THRESHOLD = 0.25  # of the strongest ink of an image
MIN_COMPONENT = 0.1  # of the area of the largest component; smaller ones are specks
MAX_BORDER_INK = 0.75  # density of ink at the border relative to the whole image; noise has the same everywhere
MAX_SAMPLE = 300  # images to measure
MIN_DIGITS = 20  # fewer are too few to tell
MIN_MEASURED = 0.5  # fraction of the images that must show a digit
MIN_STRETCHED = 0.6  # fraction of the digits that are as high as wide if they were stretched
MAX_BOX_SPREAD = 0.75  # of the centers of the boxes relative to the centers of mass, if the boxes were centered
TOLERANCE = 1  # pixels; differences from MNIST up to this size do not count


class Placement(NamedTuple):
    """Where digits lie in images of 28 x 28 pixels.

    Attributes
    ----------
    side : int
        Pixels of the longer side of a digit.
    row, column : float
        Pixels from the top and from the left edge to its center.
    fit : str
        "mass" if that is the center of mass, "box" if it is the center of the bounding box, and "stretch" if the
        bounding box is centered and was made a square.
    """

    side: int
    row: float
    column: float
    fit: str


AS_MNIST = Placement(DIGIT_SIDE, MIDDLE, MIDDLE, "mass")


def measure(images: np.ndarray) -> Placement:
    """Measure where the digits lie in images of light ink, uint8 (N, 28, 28): the median over the images.

    At most MAX_SAMPLE images are examined. Return AS_MNIST for images of another size, and if few show a digit.
    """
    if images.shape[1:] != (IMAGE_SIDE, IMAGE_SIDE):
        return AS_MNIST
    images = images[:: max(1, -(-len(images) // MAX_SAMPLE))]
    found = [digit for digit in map(_measure_digit, images) if digit is not None]
    if len(found) < max(MIN_DIGITS, MIN_MEASURED * len(images)):
        return AS_MNIST
    sizes, box_centers, mass_centers = np.array(found).transpose(1, 0, 2)
    side = round(np.median(sizes.max(1)))
    side = DIGIT_SIDE if abs(side - DIGIT_SIDE) <= TOLERANCE else max(side, MIN_SIDE)
    if (abs(sizes[:, 0] - sizes[:, 1]) <= TOLERANCE).mean() >= MIN_STRETCHED:
        fit = "stretch"
    else:
        fit = "box" if _spread(box_centers) < MAX_BOX_SPREAD * _spread(mass_centers) else "mass"
    centers = np.median(mass_centers if fit == "mass" else box_centers, axis=0)
    if fit == "mass" and (abs(centers - MIDDLE) <= TOLERANCE).all():
        return Placement(side, MIDDLE, MIDDLE, fit)
    row, column = (np.round(2 * centers) / 2).tolist()
    return Placement(side, row, column, fit)


def move(images: np.ndarray, placement: Placement) -> np.ndarray:
    """Scale and move the digits of images in the format of MNIST, uint8 (N, 28, 28), without cutting them off."""
    return np.stack([_moved(image, placement) for image in images]) if len(images) else images


def _measure_digit(image: np.ndarray) -> tuple[tuple[float, float], ...] | None:
    """Return the height and width of the digit, the center of its box and its center of mass, if there is a digit."""
    edges = np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])
    background = float(np.median(edges))
    strength = np.maximum(image - background, 0)
    threshold = INK_THRESHOLD * strength.max()
    ink = strength > threshold
    if not (edges - background > threshold).mean() < MAX_BORDER_INK * ink.mean():
        return None
    labels, _ = ndimage.label(ink, EIGHT_NEIGHBORS)
    areas = np.bincount(labels.reshape(-1))
    areas[0] = 0
    digit = (areas >= MIN_COMPONENT * areas.max())[labels]
    top, bottom, left, right = _bounds(digit)
    row, column = ndimage.center_of_mass(np.where(digit, strength, 0))
    size, box_center = (bottom - top, right - left), ((top + bottom) / 2, (left + right) / 2)
    return size, box_center, (float(row) + 0.5, float(column) + 0.5)


def _spread(centers: np.ndarray) -> float:
    """Return the mean distance of centers (N, 2) from their median."""
    return float(abs(centers - np.median(centers, axis=0)).mean())


def _moved(image: np.ndarray, placement: Placement) -> np.ndarray:
    """Scale the window of the image that is to fill the whole image."""
    ink = image > INK_THRESHOLD * float(image.max())
    if not ink.any():
        return image
    top, bottom, left, right = _bounds(ink)
    height, width = bottom - top, right - left
    length = max(IMAGE_SIDE * DIGIT_SIDE / placement.side, height, width)
    rows = columns = length
    if placement.fit == "stretch":
        rows, columns = (IMAGE_SIDE * side / placement.side for side in (height, width))
    by_mass = placement.fit == "mass"
    margin = int(max(rows, columns)) + 1  # the window may extend beyond the image
    padded = Image.fromarray(np.pad(image, margin))
    y = margin + _window_start(placement.row, rows, top, bottom, by_mass)
    x = margin + _window_start(placement.column, columns, left, right, by_mass)
    box = (x, y, x + columns, y + rows)
    return np.asarray(padded.resize(image.shape, Image.Resampling.BICUBIC, box))


def _window_start(center: float, length: float, first: int, end: int, by_mass: bool) -> float:
    """Return where a window starts that holds the ink from `first` to `end` and whose `center` is the digit's."""
    start = (MIDDLE if by_mass else (first + end) / 2) - center * length / IMAGE_SIDE
    return max(min(start, first), end - length)


def _bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return the top, bottom, left and right edges of a mask (H, W) that is not empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
