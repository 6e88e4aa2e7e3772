"""The ground of a picture: its colour, the light that falls on it, and what it lacks of that light where ink is."""

import numpy as np
from PIL import Image
from scipy import ndimage

DARKEST = 0.2  # of a ground; below, the share of light that ink takes would be a quotient of two small numbers
MOST_SIDE = 128  # pixels of the picture on which the ground is sought: it changes slowly
SENSOR_NOISE = 0.05  # of a colour; smaller differences between colours are not relied on
MOST_INK = 0.01  # share of the pixels whose mean is the colour of ink


def on_bright_ground(picture: np.ndarray) -> np.ndarray:
    """The picture uint8 (H, W, C) as float32, 0 .. 1, each colour turned over where the ground is its darker part.

    The ground is what most of the border shows.
    """
    colours = picture.astype(np.float32) / 255
    border = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    ground = np.median(border, axis=0)
    dark_ground = ground - colours.min((0, 1)) < colours.max((0, 1)) - ground
    return np.where(dark_ground, 1 - colours, colours)


def without_light(colours: np.ndarray, reach: float, beyond: bool) -> np.ndarray:
    """The share of the ground's light that each pixel lacks, float32 (H, W, C): shadows leave nothing, ink does.

    1 - colour / ground, where the ground is the closing of the picture: it has no dark part left that is narrower
    than `reach` times the picture's longer side, and each wider one just as it was. What is dark at an edge of the
    picture counts as wide if it goes on `beyond`, as shadows do.
    """
    small = _small(colours)
    ground = _closed(small, _odd(reach * max(small.shape[:2])), beyond)
    if small is not colours:
        ground = _enlarged(ground, colours.shape[:2])
    return np.clip(1 - colours / np.maximum(ground, DARKEST), 0, 1)


def strongest_mixture(lacking: np.ndarray) -> np.ndarray:
    """The mixture (H, W) of the colours (H, W, C) in which ink stands out most from the ground's blotches.

    weights = (covariance of the ground + SENSOR_NOISE^2)^-1 (mean of the ink), which are Fisher's (1936); the ink's
    colour is the mean of the pixels farthest from the ground. The mixture is in units of that mean's length.
    """
    H, W, C = lacking.shape
    if C == 1:
        return lacking[..., 0]
    pixels = lacking.reshape(-1, C)
    strength = np.linalg.norm(pixels, axis=1)
    count = max(1, round(MOST_INK * strength.size))
    far = np.argpartition(strength, -count)[-count:]
    ink = pixels[far].mean(0)
    ground = pixels[strength < np.linalg.norm(ink) / 3]
    covariance = np.cov(ground, rowvar=False) if len(ground) > C else np.zeros((C, C))
    weights = np.linalg.solve(covariance + SENSOR_NOISE**2 * np.eye(C), ink)
    scale = np.linalg.norm(ink) / np.sqrt(C) / max(float(weights @ ink), 1e-12)
    return np.clip(lacking @ (weights * scale).astype(np.float32), 0, None)


def _closed(colours: np.ndarray, size: int, beyond: bool) -> np.ndarray:
    """The morphological closing by a square of so many pixels, an odd number."""
    reach = size // 2
    sides = ((reach, reach), (reach, reach), (0, 0))
    closed = np.pad(colours, sides, "edge") if beyond else np.pad(colours, sides, constant_values=1)
    for extreme in (ndimage.maximum_filter1d, ndimage.minimum_filter1d):
        for axis in (0, 1):
            closed = extreme(closed, size, axis, mode="nearest")
    return closed[reach:-reach, reach:-reach]


def _odd(size: float) -> int:
    return max(1, round(size / 2)) * 2 + 1


def _small(colours: np.ndarray) -> np.ndarray:
    """The colours on at most MOST_SIDE pixels along each side, each the mean of a square."""
    H, W, C = colours.shape
    factor = -(-max(H, W) // MOST_SIDE)
    if factor == 1:
        return colours
    h, w = max(1, H // factor), max(1, W // factor)
    colours = colours[: h * factor, : w * factor]
    return colours.reshape(h, colours.shape[0] // h, w, colours.shape[1] // w, C).mean((1, 3))


def _enlarged(ground: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    layers = [Image.fromarray(layer).resize(shape[::-1], Image.Resampling.BILINEAR) for layer in np.moveaxis(ground, 2, 0)]
    return np.stack([np.asarray(layer) for layer in layers], axis=2)
