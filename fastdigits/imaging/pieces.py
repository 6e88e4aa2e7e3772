"""Cut the ink of a line into pieces that may be digits, along paths from top to bottom that cross little ink."""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from fastdigits.imaging.components import EIGHT_NEIGHBORS
from fastdigits.imaging.mnist_format import STROKE_THRESHOLD, to_mnist_format
from fastdigits.imaging.types import IMAGE_SIDE

MAX_HEIGHT = 64  # pixels; higher lines are scaled down
MAX_CROSSED = 0.25  # strokes that a path crosses, as a fraction of the height of the line
NEAREST = 0.04  # distance of two paths, as a fraction of this height
LENGTH_COST, TURN_COST = (
    0.002,
    0.01,
)  # of a pixel of a path, and of each step to a side: paths without ink stay straight
TURN_FACTOR = 1.3  # a diagonal step crosses more of a stroke
MIN_INK = 0.008  # of a piece, as a fraction of the square of the height of the line
MIN_HEIGHT = 0.3  # of a digit, as a fraction of the height of the line
MAX_WIDTH = 1.15  # of a piece of several strips, as a fraction of the height of the line
MIN_PART = 0.08  # of the ink of the largest component; smaller ones belong to a neighbor or are dirt


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of the ink of a line, each of which lies between two of its cuts.

    Attributes
    ----------
    cuts : int
        Number of cuts, of which the first and the last are the ends of the line.
    first, last : int (n,)
        The cuts to the left and to the right of each piece.
    images : uint8 (n, 28, 28)
        Each piece in the format of MNIST.
    """

    cuts: int
    first: np.ndarray
    last: np.ndarray
    images: np.ndarray


def pieces(strength: np.ndarray) -> Pieces:
    """Return all pieces of the ink of a line that are not too wide for a digit.

    Parameters
    ----------
    strength : float (H, W)
        Strength of the ink, 0 .. 1; see `line_format.ink_strength`.
    """
    strength = _scaled_down(strength)
    H, W = strength.shape
    ink = strength > STROKE_THRESHOLD
    left_of = _distinct(ink, [np.arange(W) < path[:, None] for path in seams(strength)])
    first, last, images = [], [], []
    for i, left in enumerate(left_of):
        for j, right in enumerate(left_of[i + 1 :], i + 1):
            inside = right & ~left
            columns, rows = (np.flatnonzero((inside & ink).any(axis)) for axis in (0, 1))
            if j > i + 1 and columns[-1] + 1 - columns[0] > MAX_WIDTH * H:
                break
            if rows[-1] + 1 - rows[0] < MIN_HEIGHT * H:
                continue
            area = slice(max(columns[0] - 1, 0), columns[-1] + 2)
            first.append(i)
            last.append(j)
            images.append(_image(np.where(inside, strength, 0)[:, area], (inside & ink)[:, area]))
    stacked = np.array(images, np.uint8).reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    return Pieces(len(left_of), np.array(first, int), np.array(last, int), stacked)


def seams(strength: np.ndarray) -> np.ndarray:
    """Return paths from top to bottom where the ink of a line may be cut, int (n, H): the column of each in each row.

    A path moves by at most one column from row to row. Each of them crosses less ink than those near it.

    Parameters
    ----------
    strength : float (H, W)
        Strength of the ink, 0 .. 1.

    References
    ----------
    Avidan and Shamir (2007), Seam carving for content-aware image resizing.
    """
    H, W = strength.shape
    cost = strength**2 + LENGTH_COST  # the square deepens the valley between two strokes that touch
    middle = H // 2
    above, from_above = _cheapest(cost[: middle + 1])
    below, from_below = _cheapest(cost[middle:][::-1])
    total = above + below - cost[middle]
    radius = max(1, round(NEAREST * H))
    least = (total <= ndimage.minimum_filter1d(total, 2 * radius + 1)) & (total < MAX_CROSSED * H)
    numbers, count = ndimage.label(least)
    runs = ndimage.find_objects(numbers)
    columns = np.array([(run.start + run.stop - 1) // 2 for (run,) in runs], int)
    paths = np.empty((count, H), int)
    paths[:, middle] = columns
    for row in range(middle, 0, -1):
        paths[:, row - 1] = paths[:, row] + from_above[row, paths[:, row]]
    for row in range(middle, H - 1):
        paths[:, row + 1] = paths[:, row] + from_below[H - 1 - row, paths[:, row]]
    return paths


def _scaled_down(strength: np.ndarray) -> np.ndarray:
    H, W = strength.shape
    if H <= MAX_HEIGHT:
        return strength
    size = max(1, round(W * MAX_HEIGHT / H)), MAX_HEIGHT
    return np.asarray(Image.fromarray(strength.astype(np.float32)).resize(size, Image.Resampling.BOX))


def _cheapest(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least cost of a path from the top to each pixel of the last row, and the way there.

    Returns
    -------
    total : float (W,)
    came : int (H, W)
        By how many columns, -1 .. 1, the path to a pixel changes when it is followed to the row above.
    """
    total, came = cost[0], np.zeros(cost.shape, int)
    for row in range(1, len(cost)):
        aside = (TURN_FACTOR - 1) * cost[row] + TURN_COST
        padded = np.pad(total, 1, constant_values=np.inf)
        choices = np.stack([padded[:-2] + aside, total, padded[2:] + aside])
        came[row] = choices.argmin(0) - 1
        total = choices.min(0) + cost[row]
    return total, came


def _distinct(ink: np.ndarray, left_of: list[np.ndarray]) -> list[np.ndarray]:
    """Return the areas to the left of cuts, each with more ink than the one before, from none to all of the line."""
    areas = [np.zeros_like(ink)]
    for area in left_of:
        if np.count_nonzero(ink & area & ~areas[-1]) >= MIN_INK * len(ink) ** 2:
            areas.append(area)
    if np.count_nonzero(ink & ~areas[-1]) < MIN_INK * len(ink) ** 2:
        areas = areas[:-1]
    return [*areas, np.ones_like(ink)] if areas and ink.any() else []


def _image(strength: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return a piece (H, w) in the format of MNIST, without small components."""
    numbers, count = ndimage.label(mask, EIGHT_NEIGHBORS)
    sizes = np.bincount(numbers.reshape(-1), minlength=count + 1)
    sizes[0] = 0
    mask = (sizes >= MIN_PART * sizes.max())[numbers] & mask
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    area = slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2)
    return to_mnist_format(strength[area], mask[area])
