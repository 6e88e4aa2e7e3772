"""The ground of a picture: its colour, the light that falls on it, and what it lacks of that light where ink is."""

import numpy as np
from PIL import Image
from scipy import ndimage

DARKEST = 0.2  # of a ground; below, the share of light that ink takes would be a quotient of two small numbers
MOST_SIDE = 256  # pixels of the picture on which the ground is sought: it changes slowly
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
    factor = max(1, round(max(colours.shape[:2]) / MOST_SIDE))
    small = _reduced(colours, factor) if factor > 1 else colours
    size = round(reach * max(small.shape[:2])) // 2 * 2 + 1
    ground = small
    for extreme in (ndimage.maximum_filter1d, ndimage.minimum_filter1d):
        for axis in (0, 1):
            ground = extreme(ground, size, axis, mode="nearest" if beyond else "constant", cval=1.0)
    if factor > 1:
        ground = _enlarged(ground, colours.shape[:2])
    return np.clip(1 - colours / np.maximum(ground, DARKEST), 0, 1)


def strongest_mixture(lacking: np.ndarray) -> np.ndarray:
    """The mixture (H, W) of the colours (H, W, C) in which ink stands out most.

    The weights are the mean of the pixels that lie farthest from the ground.
    """
    if lacking.shape[2] == 1:
        return lacking[..., 0]
    strength = np.square(lacking).sum(2).reshape(-1)
    count = max(1, round(MOST_INK * strength.size))
    far = np.argpartition(strength, -count)[-count:]
    weights = lacking.reshape(-1, lacking.shape[2])[far].mean(0)
    return lacking @ (weights / max(float(weights.sum()), 1e-6))


def _reduced(colours: np.ndarray, factor: int) -> np.ndarray:
    H, W, C = colours.shape
    h, w = H // factor, W // factor
    return colours[: h * factor, : w * factor].reshape(h, factor, w, factor, C).mean((1, 3))


def _enlarged(ground: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    layers = [Image.fromarray(layer).resize(shape[::-1], Image.Resampling.BILINEAR) for layer in np.moveaxis(ground, 2, 0)]
    return np.stack([np.asarray(layer) for layer in layers], axis=2)
