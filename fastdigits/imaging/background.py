"""The ground of a picture: its colour, the light that falls on it, and what it lacks of that light where ink is."""

import numpy as np
from PIL import Image
from scipy import ndimage

DARKEST = 50  # of a ground, 0 .. 255; below, the share of light that ink takes would be a quotient of small numbers
MAX_SIDE = 128  # pixels of the picture on which the ground is sought: it changes slowly
MAX_INK = 0.01  # share of the pixels whose mean is the colour of ink
FLAT_SHARE = 0.6  # of the border has the same colour where the ground is flat
SENSOR_NOISE = 0.05  # of a colour, 0 .. 1; smaller differences between colours are not relied on


def on_bright_ground(picture: np.ndarray) -> np.ndarray:
    """The picture uint8 (H, W, C), each colour turned over where the ground is its darker part.

    The ground is what most of the border shows.
    """
    ground = np.median(_border(picture), axis=0)
    low, high = np.array(_as_image(picture).getextrema()).reshape(-1, 2).T
    return picture ^ np.where(ground - low < high - ground, 255, 0).astype(np.uint8)  # 255 - p where it is darker


def is_flat(picture: np.ndarray) -> bool:
    """Whether the ground is of one colour without any light or noise, as on screens: most of the border is the same."""
    border = _border(picture)
    return bool((border == np.median(border, axis=0)).all(1).mean() > FLAT_SHARE)


def flat_ground(bright: np.ndarray) -> np.ndarray:
    """The ground uint8 (C,) of a picture uint8 (H, W, C): the colour of most of the border."""
    return np.median(_border(bright), axis=0).astype(np.uint8)


def uneven_ground(bright: np.ndarray, reach: float, beyond: bool) -> np.ndarray:
    """The ground uint8 (H, W, C) of a picture with a bright ground, in the light that falls on it: its closing.

    It has no dark part left that is narrower than `reach` times the picture's longer side, and each wider one, such
    as a shadow, just as it was. What is dark at an edge of the picture counts as wide if it goes on `beyond`.
    """
    H, W, _ = bright.shape
    factor = -(-max(H, W) // MAX_SIDE)
    small = _as_array(_as_image(bright).reduce(factor)) if factor > 1 else bright
    ground = _closed(small, max(1, round(reach * max(small.shape[:2]) / 2)), beyond)
    if factor > 1:
        ground = _as_array(_as_image(ground).resize((W, H), Image.Resampling.BILINEAR))
    return ground


def without_light(bright: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """The share of the ground's light that each pixel lacks, 1 - bright / ground: float32 (H, W, C), 0 on the ground.

    So shadows leave nothing, and ink in them is as dark as elsewhere.
    """
    return np.maximum(1 - bright / np.maximum(ground, DARKEST).astype(np.float32), 0)


def strongest_mixture(lacking: np.ndarray) -> np.ndarray:
    """The mixture (H, W) of the colours (H, W, C) in which ink stands out most from the ground's blotches.

    weights = (covariance of the ground + SENSOR_NOISE^2)^-1 (mean of the ink), which are Fisher's (1936); the ink's
    colour is the mean of the pixels farthest from the ground. The mixture has the mean ink's own strength there.
    """
    H, W, C = lacking.shape
    if C == 1:
        return lacking[..., 0]
    pixels = lacking.reshape(-1, C)
    strength = np.einsum("nc,nc->n", pixels, pixels)
    count = max(1, round(MAX_INK * strength.size))
    ink = pixels[np.argpartition(strength, -count)[-count:]].mean(0)
    ground = pixels[strength < ink @ ink / 9]
    covariance = np.cov(ground, rowvar=False) if len(ground) > C else np.zeros((C, C))
    weights = np.linalg.solve(covariance + SENSOR_NOISE**2 * np.eye(C), ink)
    scale = np.linalg.norm(ink) / np.sqrt(C) / max(float(weights @ ink), 1e-12)
    return np.maximum(lacking @ (weights * scale).astype(np.float32), 0)


def _border(picture: np.ndarray) -> np.ndarray:
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def _closed(bright: np.ndarray, reach: int, beyond: bool) -> np.ndarray:
    """The morphological closing by a square of 2 reach + 1 pixels."""
    sides = ((reach, reach), (reach, reach), (0, 0))
    closed = np.pad(bright, sides, "edge") if beyond else np.pad(bright, sides, constant_values=255)
    for extreme in (ndimage.maximum_filter1d, ndimage.minimum_filter1d):
        for axis in (0, 1):
            closed = extreme(closed, 2 * reach + 1, axis, mode="nearest")
    return closed[reach:-reach, reach:-reach]


def _as_image(array: np.ndarray) -> Image.Image:
    return Image.fromarray(array if array.shape[2] == 3 else array[..., 0])


def _as_array(image: Image.Image) -> np.ndarray:
    array = np.asarray(image)
    return array if array.ndim == 3 else array[..., None]
