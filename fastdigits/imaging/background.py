"""Estimate the background of a picture and the contrast of its pixels to it."""

import numpy as np
from PIL import Image
from scipy import ndimage

MIN_BACKGROUND = 50  # 0 .. 255; the contrast to a darker background would be a quotient of small, noisy numbers
MAX_SIDE = 128  # pixels of the small copy in which an uneven background is estimated, because it varies slowly
INK_FRACTION = 0.01  # fraction of pixels with the highest contrast, whose mean is taken as the color of the ink
MIN_UNIFORM_FRACTION = 0.6  # fraction of border pixels that have the same color on a uniform background
SENSOR_NOISE = 0.05  # standard deviation of a color channel, 0 .. 1; regularizes the covariance of the background


def with_bright_background(picture: np.ndarray) -> np.ndarray:
    """Invert each color channel of a picture uint8 (H, W, C) whose background is darker than the ink.

    The median of the border is taken as the background. It is darker than the ink if it is closer to the minimum of the
    channel than to its maximum.
    """
    background = np.median(_border_pixels(picture), axis=0)
    low, high = np.array(_to_pil(picture).getextrema()).reshape(-1, 2).T
    return picture ^ np.where(background - low < high - background, 255, 0).astype(np.uint8)  # p ^ 255 = 255 - p


def has_uniform_background(picture: np.ndarray) -> bool:
    """Return whether most border pixels have exactly the same color, as in a screenshot."""
    border = _border_pixels(picture)
    return bool((border == np.median(border, axis=0)).all(1).mean() > MIN_UNIFORM_FRACTION)


def uniform_background(bright: np.ndarray) -> np.ndarray:
    """Return the color uint8 (C,) of the background of a picture uint8 (H, W, C): the median of the border."""
    return np.median(_border_pixels(bright), axis=0).astype(np.uint8)


def uneven_background(bright: np.ndarray, max_stroke: float, extend_edges: bool) -> np.ndarray:
    """Estimate an uneven bright background uint8 (H, W, C) by morphological closing.

    Parameters
    ----------
    bright : uint8 (H, W, C)
        A picture with a bright background.
    max_stroke : float
        Fraction of the picture's longer side. The closing removes dark structures that are narrower, and keeps wider
        ones, such as shadows.
    extend_edges : bool
        Whether to continue the picture beyond its edges, so that a dark structure at an edge counts as wide.
    """
    H, W, _ = bright.shape
    factor = -(-max(H, W) // MAX_SIDE)
    small = _to_array(_to_pil(bright).reduce(factor)) if factor > 1 else bright
    background = _closing(small, max(1, round(max_stroke * max(small.shape[:2]) / 2)), extend_edges)
    if factor > 1:
        background = _to_array(_to_pil(background).resize((W, H), Image.Resampling.BILINEAR))
    return background


def relative_contrast(bright: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Compute the contrast 1 - bright / background, float32 (H, W, C), at least 0.

    Shadows darken ink and background by the same factor and therefore do not change it.
    """
    return np.maximum(1 - bright / np.maximum(background, MIN_BACKGROUND).astype(np.float32), 0)


def project_colors(contrast: np.ndarray) -> np.ndarray:
    """Project the contrast (H, W, C) of the color channels to the one (H, W) that best separates ink and background.

    Fisher's linear discriminant: weights = (covariance of the background + SENSOR_NOISE^2 I)^-1 (mean of the ink).
    The ink is the INK_FRACTION of pixels of the highest contrast. The weights are scaled so that the projected mean
    of the ink is its root mean square over the channels.

    References
    ----------
    Fisher (1936), The use of multiple measurements in taxonomic problems.
    """
    H, W, C = contrast.shape
    if C == 1:
        return contrast[..., 0]
    pixels = contrast.reshape(-1, C)
    squared_norm = np.einsum("nc,nc->n", pixels, pixels)
    count = max(1, round(INK_FRACTION * squared_norm.size))
    ink = pixels[np.argpartition(squared_norm, -count)[-count:]].mean(0)
    background = pixels[squared_norm < ink @ ink / 9]  # less than a third of the ink's contrast
    covariance = np.cov(background, rowvar=False) if len(background) > C else np.zeros((C, C))
    weights = np.linalg.solve(covariance + SENSOR_NOISE**2 * np.eye(C), ink)
    scale = np.linalg.norm(ink) / np.sqrt(C) / max(float(weights @ ink), 1e-12)
    return np.maximum(contrast @ (weights * scale).astype(np.float32), 0)


def _border_pixels(picture: np.ndarray) -> np.ndarray:
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def _closing(bright: np.ndarray, radius: int, extend_edges: bool) -> np.ndarray:
    """Close a picture by a square of 2 radius + 1 pixels: a maximum, then a minimum filter."""
    widths = ((radius, radius), (radius, radius), (0, 0))
    closed = np.pad(bright, widths, "edge") if extend_edges else np.pad(bright, widths, constant_values=255)
    for extreme_filter in (ndimage.maximum_filter1d, ndimage.minimum_filter1d):
        for axis in (0, 1):
            closed = extreme_filter(closed, 2 * radius + 1, axis, mode="nearest")
    return closed[radius:-radius, radius:-radius]


def _to_pil(array: np.ndarray) -> Image.Image:
    return Image.fromarray(array if array.shape[2] == 3 else array[..., 0])


def _to_array(image: Image.Image) -> np.ndarray:
    array = np.asarray(image)
    return array if array.ndim == 3 else array[..., None]
