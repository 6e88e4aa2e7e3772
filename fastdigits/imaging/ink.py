"""Where the ink is: a picture as a map of ink, 0 on the ground and 1 in the strokes."""

import numpy as np
from scipy import ndimage

STROKE_SHARE = 0.35  # of the picture's shorter side: no stroke is as wide
LEAST_CONTRAST = 0.06  # of the range of brightness between ground and ink; less is noise of the camera
DARKEST_GROUND = 0.2  # ink is told by the share of light that it takes, which a dark ground makes uncertain


def as_bright_ground(picture: np.ndarray) -> np.ndarray:
    """The picture float32 (H, W, 3), 0 .. 1, with each colour turned over where its ground is the darker part.

    The ground is what most of the border shows.
    """
    colours = picture.astype(np.float32) / 255
    border = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    ground = np.median(border, axis=0)
    low, high = colours.min((0, 1)), colours.max((0, 1))
    dark_ground = ground - low < high - ground
    return np.where(dark_ground, 1 - colours, colours)


def without_lighting(colours: np.ndarray) -> np.ndarray:
    """The share of the ground's light that is missing at each pixel, float32 (H, W, 3): shadows leave nothing.

    1 - colour / ground, where the ground is the closing of the picture: what is brightest around each pixel,
    further than a stroke is wide, taken back by as far.
    """
    H, W, _ = colours.shape
    size = max(3, int(STROKE_SHARE * min(H, W)) | 1)
    smooth = ndimage.gaussian_filter(colours, (1, 1, 0), mode="nearest")
    ground = ndimage.grey_closing(smooth, (size, size, 1), mode="nearest")
    ground = ndimage.gaussian_filter(ground, (size / 6, size / 6, 0), mode="nearest")
    return np.clip(1 - colours / np.maximum(ground, DARKEST_GROUND), 0, 1)


def strongest_mixture(missing: np.ndarray) -> np.ndarray:
    """The mixture of the three colours in which the ink stands out most, float32 (H, W).

    Weights are the mean of the pixels that lie farthest from the ground.
    """
    strength = np.linalg.norm(missing, axis=2)
    far = strength >= np.percentile(strength, 99)
    weights = missing[far].mean(0)
    return missing @ (weights / max(weights.sum(), 1e-6))


def split_level(ink: np.ndarray) -> float:
    """The level between ground and ink (Otsu 1979): it makes the two classes' variance least."""
    counts, edges = np.histogram(ink, 128)
    middle = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middle)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    best = np.flatnonzero(between[:-1] >= np.nanmax(between[:-1]) * (1 - 1e-9))
    return float((edges[1:][best[0]] + edges[1:][best[-1]]) / 2)  # the middle of where nothing lies
