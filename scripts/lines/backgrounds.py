"""Paper that numbers are written on: plain, with fibres, ruled, boxed, or with a printed security pattern."""

import numpy as np
from scipy import ndimage

from lines.text import Rng


def paper(rng: Rng, height: int, width: int) -> np.ndarray:
    """Return the brightness of paper, float32 (height, width), with 1 for white."""
    level = float(rng.choice([rng.uniform(0.8, 0.98), rng.uniform(0.45, 0.8)], p=[0.6, 0.4]))
    sheet = np.full((height, width), level, np.float32)
    for pattern, probability in ((waves, 0.4), (hatching, 0.2), (screen, 0.25), (grain, 0.5), (blotches, 0.3)):
        if rng.random() < probability:
            sheet += level * rng.uniform(0.02, 0.16) * pattern(rng, height, width)
    return sheet


def waves(rng: Rng, height: int, width: int) -> np.ndarray:
    """Return families of wavy lines, as printed on cheques and bank notes, between -1 and 0."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    lines = np.zeros((height, width), np.float32)
    for _ in range(rng.integers(1, 4)):
        angle = rng.choice([rng.normal(0, 0.1), rng.uniform(-np.pi / 2, np.pi / 2)])
        along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        period, swing, length = rng.uniform(3, 9), rng.uniform(0, 8), rng.uniform(15, 80)
        bent = across + swing * np.sin(2 * np.pi * along / length + rng.uniform(0, 6))
        lines = np.minimum(lines, -_stripes(bent, period, rng.uniform(0.8, 2)))
    return lines


def hatching(rng: Rng, height: int, width: int) -> np.ndarray:
    """Return straight parallel lines between -1 and 0."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(-np.pi / 2, np.pi / 2)
    return -_stripes(np.cos(angle) * y - np.sin(angle) * x, rng.uniform(4, 12), rng.uniform(0.8, 2))


def screen(rng: Rng, height: int, width: int) -> np.ndarray:
    """Return the dots of a printed tint between -1 and 1."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    pitch, angle = rng.uniform(2.2, 5), rng.uniform(0, np.pi / 2)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    return np.sin(2 * np.pi * u / pitch) * np.sin(2 * np.pi * v / pitch)


def grain(rng: Rng, height: int, width: int) -> np.ndarray:
    """Return the fine grain of paper, of standard deviation 1/2."""
    field = ndimage.gaussian_filter(rng.normal(size=(height, width)).astype(np.float32), rng.uniform(0.4, 1.2))
    return field / (2 * field.std())


def blotches(rng: Rng, height: int, width: int) -> np.ndarray:
    """Return large soft stains, of standard deviation 1/2."""
    field = ndimage.gaussian_filter(rng.normal(size=(height, width)).astype(np.float32), rng.uniform(6, 20))
    return field / max(2 * field.std(), 1e-6)


def rules(rng: Rng, height: int, width: int, baseline: float, digit: float) -> np.ndarray:
    """Return the coverage by printed or drawn lines and boxes around a number, between 0 and 1."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    cover = np.zeros((height, width), np.float32)
    tilt, thick = rng.normal(0, 0.012), max(0.7, digit * rng.uniform(0.02, 0.06))
    if rng.random() < 0.6:
        cover = np.maximum(cover, _line(y + tilt * x - baseline - digit * rng.uniform(-0.05, 0.25), thick))
    if rng.random() < 0.25:
        cover = np.maximum(cover, _line(y + tilt * x - baseline + digit * rng.uniform(1.05, 1.4), thick))
    if rng.random() < 0.2:
        cover = np.maximum(
            cover, _line(x - tilt * y - rng.choice([rng.uniform(0, 4), width - rng.uniform(1, 5)]), thick)
        )
    return cover


def _line(distance: np.ndarray, thick: float) -> np.ndarray:
    return np.clip(thick / 2 + 0.5 - np.abs(distance), 0, 1)


def _stripes(position: np.ndarray, period: float, thick: float) -> np.ndarray:
    return _line((position + period / 2) % period - period / 2, thick)
