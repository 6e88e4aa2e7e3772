"""How strong the ink is, beside its strokes' own strength."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from fastdigits.imaging import ground
from fastdigits.imaging.rules import without_rules

LEAST_CONTRAST = 0.08  # share of the light that ink takes at least; less are stains and the camera's noise
NOISE_FACTOR = 6.0  # ink is at least so many standard deviations of the ground's noise
FAINTEST = 0.35  # of the usual ink: the faintest stroke that is still seen
COARSE, SMOOTHING = 100, 0.8  # pixels: larger pictures are smoothed by so much
NEIGHBOURHOOD = 0.05  # of the picture's shorter side: where a stroke's own strength is sought


@dataclass(frozen=True, eq=False)
class Ink:
    """`amount` float32 (H, W) is the share of light that is lacking, 0 on the ground; `strength` is that beside the
    greatest nearby, 1 in the middle of a stroke and 1/2 at its edge; `usual` is the amount in a stroke, 0 without any.
    """

    amount: np.ndarray
    strength: np.ndarray
    usual: float


def find_ink(bright: np.ndarray, reach: float, beyond: bool) -> Ink:
    """The ink on a bright ground uint8 (H, W, C); see ground.without_light for `reach` and `beyond`."""
    amount = ground.strongest_mixture(ground.without_light(bright, reach, beyond))
    side = min(amount.shape)
    if side > COARSE:
        amount = ndimage.gaussian_filter(amount, SMOOTHING)
    level, noise = _ground_level(amount)
    amount = np.maximum(amount - level, 0)
    usual = _usual(amount)
    least = max(LEAST_CONTRAST, NOISE_FACTOR * noise)
    if usual < least:
        return Ink(amount, np.zeros_like(amount), 0.0)
    size = max(3, round(NEIGHBOURHOOD * side)) | 1
    nearby = ndimage.uniform_filter(ndimage.maximum_filter(amount, size), size)
    strength = amount / np.maximum(nearby, max(FAINTEST * usual, least))
    return Ink(amount, without_rules(np.minimum(strength, 1)), usual)


def _ground_level(amount: np.ndarray) -> tuple[float, float]:
    """The level of the ground and the standard deviation of its noise, from the pixels with the least ink.

    In a normal distribution the 2nd and the 30th percentile lie 1.53 standard deviations apart.
    """
    lowest, level = np.percentile(amount, (2, 30))
    return float(level), float(level - lowest) / 1.53


def _usual(amount: np.ndarray) -> float:
    """The mean amount of what lies nearer to ink than to the ground (Ridler and Calvard 1978)."""
    border = 0.5 * float(amount.max())
    above = border
    for _ in range(20):
        inside = amount > border
        if not inside.any():
            return 0.0
        above = float(amount[inside].mean())
        below = float(amount[~inside].mean())
        before, border = border, (above + below) / 2
        if abs(border - before) < 1e-3:
            break
    return above
