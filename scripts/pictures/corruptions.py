"""Corruptions of images in MNIST's format: uint8 (28, 28), bright ink on 0, in the manner of MNIST-C.

COMMON holds what occurs in practice: the shipped model's calibration uses these. UNCOMMON are for measurements only.

References
----------
Mu and Gilmer (2019), MNIST-C: A robustness benchmark for computer vision.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from pictures.scenes import Rng

SIDE = 28
CENTER = (SIDE - 1) / 2

Corruption = Callable[[Rng, np.ndarray], np.ndarray]


def shifted(rng: Rng, image: np.ndarray) -> np.ndarray:
    """The digit up to 3 pixels away from the center, in either direction."""
    return _to_uint8(ndimage.shift(image.astype(float), rng.uniform(-3, 3, 2), order=1))


def rotated(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Turned by up to 25 degrees."""
    angle = np.deg2rad(rng.uniform(-25, 25))
    return _warped(image, np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]))


def scaled(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Between 0.7 and 1.25 times as high and as wide."""
    return _warped(image, np.diag(1 / rng.uniform(0.7, 1.25, 2)))


def sheared(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Slanted by up to 25 degrees."""
    return _warped(image, np.array([[1, 0], [np.tan(np.deg2rad(rng.uniform(-25, 25))), 1]]))


def blurred(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Out of focus."""
    return _to_uint8(ndimage.gaussian_filter(image.astype(float), rng.uniform(0.5, 1.6)))


def shaken(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Blurred along a line of up to 7 pixels."""
    offset = rng.uniform(0, 3.5) * np.array(_direction(rng))
    steps = np.linspace(-1, 1, 9)
    return _to_uint8(np.mean([ndimage.shift(image.astype(float), step * offset, order=1) for step in steps], axis=0))


def grainy(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Noise in each pixel, as in the dark."""
    return _to_uint8(image + rng.normal(0, rng.uniform(5, 50), image.shape))


def specked(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Up to 4 % of the pixels black or white."""
    hit = rng.random(image.shape) < rng.uniform(0, 0.04)
    return np.where(hit, rng.choice(np.array([0, 255], np.uint8), image.shape), image)


def thin(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Thinner strokes."""
    return _mixed(image, ndimage.grey_erosion(image, (2, 2)), rng.uniform(0.3, 0.9))


def thick(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Thicker strokes."""
    return _mixed(image, ndimage.grey_dilation(image, (3, 3)), rng.uniform(0.3, 1))


def faint(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Low contrast: ink of 30 to 90 % of its brightness."""
    return _to_uint8(image * rng.uniform(0.3, 0.9))


def foggy(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Behind uneven fog."""
    fog = ndimage.gaussian_filter(rng.normal(0, 1, image.shape), rng.uniform(3, 7), mode="wrap")
    fog = (fog - fog.min()) / (fog.max() - fog.min())
    density = rng.uniform(0.2, 0.6)
    return _to_uint8(image * (1 - density) + 255 * density * fog)


def bright(rng: Rng, image: np.ndarray) -> np.ndarray:
    """A background that is not black."""
    return _to_uint8(image + rng.uniform(20, 120))


def striped(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Columns inverted at the left and right, as in MNIST-C."""
    edge = int(rng.integers(5, 9))
    inverted = np.arange(SIDE)
    return np.where((inverted < edge) | (inverted >= SIDE - edge), 255 - image, image)


def dotted(rng: Rng, image: np.ndarray) -> np.ndarray:
    """A dotted line across the digit."""
    return _with_line(image, rng, gaps=True, waves=0)


def zigzag(rng: Rng, image: np.ndarray) -> np.ndarray:
    """A zigzag line across the digit."""
    return _with_line(image, rng, gaps=False, waves=int(rng.integers(2, 5)))


def spattered(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Drops of ink."""
    drops = ndimage.gaussian_filter(rng.normal(0, 1, image.shape), 1.2)
    return np.where(drops > np.quantile(drops, rng.uniform(0.9, 0.98)), np.uint8(220), image)


def covered(rng: Rng, image: np.ndarray) -> np.ndarray:
    """A black square of 5 to 9 pixels over a part of the digit."""
    side = int(rng.integers(5, 10))
    i, j = rng.integers(4, SIDE - 4 - side, 2)
    covered = image.copy()
    covered[i : i + side, j : j + side] = 0
    return covered


def coarse(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Pixels of 2 x 2 or, at places, 4 x 4."""
    grain = int(rng.choice([2, 2, 4]))
    means = image.reshape(SIDE // grain, grain, SIDE // grain, grain).mean((1, 3))
    return _to_uint8(np.kron(means, np.ones((grain, grain))))


def outlined(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Only the outline of the strokes."""
    outside = ndimage.grey_dilation(image, (3, 3)).astype(float)
    return _to_uint8(outside - ndimage.grey_erosion(image, (2, 2)))


COMMON: dict[str, Corruption] = {
    corruption.__name__: corruption
    for corruption in (shifted, rotated, scaled, sheared, blurred, shaken, grainy, specked, thin, thick, faint)
}
UNCOMMON: dict[str, Corruption] = {
    corruption.__name__: corruption
    for corruption in (foggy, bright, striped, dotted, zigzag, spattered, covered, coarse, outlined)
}


def corrupted(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Return an image uint8 (28, 28) with a random one of the common corruptions."""
    return COMMON[list(COMMON)[rng.integers(len(COMMON))]](rng, image)


def _warped(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Map output rows and columns, relative to the center, to those of the input."""
    offset = CENTER - matrix @ np.full(2, CENTER)
    return _to_uint8(ndimage.affine_transform(image.astype(float), matrix, offset, order=1))


def _with_line(image: np.ndarray, rng: Rng, gaps: bool, waves: int) -> np.ndarray:
    t = np.linspace(-1, 1, 200)
    along = np.array(_direction(rng))
    wave = 2.5 * (2 * np.abs((t * waves) % 1 - 0.5) * 2 - 1) * bool(waves)
    i, j = (CENTER + 13 * along[:, None] * t + along[::-1, None] * np.array([[1], [-1]]) * wave).round().astype(int)
    pen_down = np.arange(len(t)) // 14 % 2 == 0 if gaps else np.full(len(t), True)
    drawn = pen_down & (np.maximum(abs(i - CENTER), abs(j - CENTER)) <= CENTER)
    lined = image.copy()
    lined[i[drawn], j[drawn]] = 255
    return lined


def _direction(rng: Rng) -> tuple[float, float]:
    angle = rng.uniform(0, np.pi)
    return float(np.sin(angle)), float(np.cos(angle))


def _mixed(image: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    return _to_uint8((1 - share) * image.astype(float) + share * other)


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
