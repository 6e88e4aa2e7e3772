"""How strong the ink is, beside its strokes' own strength."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from fastdigits.imaging.background import strongest_mixture, without_light
from fastdigits.imaging.ruled_lines import without_rules

MIN_CONTRAST = 0.08  # share of the light that ink takes at least; less are stains and the camera's noise
NOISE_FACTOR = 6.0  # ink is at least so many standard deviations of the ground's noise
FAINTEST = 0.35  # of the usual ink: the faintest stroke that is still seen
COARSE, SMOOTHING = 100, 0.8  # pixels: larger pictures are smoothed by so much
BINS = 1024  # of a histogram of amounts
NEIGHBOURHOOD = 0.05  # of the picture's shorter side: where a stroke's own strength is sought


@dataclass(frozen=True, eq=False)
class Ink:
    """`amount` float32 (H, W) is the share of light that is lacking, 0 on the ground; `strength` is that beside the
    greatest nearby, 1 in the middle of a stroke and 1/2 at its edge; `usual` is the amount in a stroke, 0 without any.
    """

    amount: np.ndarray
    strength: np.ndarray
    usual: float


def find_ink(bright: np.ndarray, ground: np.ndarray) -> Ink:
    """The ink of a picture uint8 (H, W, C) on its ground uint8 (H, W, C) or (C,), which is brighter."""
    amount = strongest_mixture(without_light(bright, ground))
    side = min(amount.shape)
    if side > COARSE:
        amount = ndimage.gaussian_filter(amount, SMOOTHING)
    level, noise, usual = _levels(amount)
    amount, usual = np.maximum(amount - level, 0), usual - level
    least = max(MIN_CONTRAST, NOISE_FACTOR * noise)
    if usual < least:
        return Ink(amount, np.zeros_like(amount), 0.0)
    size = max(3, round(NEIGHBOURHOOD * side)) | 1
    nearby = ndimage.uniform_filter(ndimage.maximum_filter(amount, size), size)
    strength = amount / np.maximum(nearby, max(FAINTEST * usual, least))
    return Ink(amount, without_rules(np.minimum(strength, 1)), usual)


def _levels(amount: np.ndarray) -> tuple[float, float, float]:
    """The level of the ground, the standard deviation of its noise, and the level of ink, of amounts of 0 or more.

    The ground is what most pixels with little ink show; in a normal distribution the 2nd and the 30th percentile lie
    1.53 standard deviations apart. Ink is the mean of what lies nearer to it than to the mean of the rest (Ridler and
    Calvard 1978).
    """
    top = float(amount.max())
    if top <= 0:
        return 0.0, 0.0, 0.0
    counts = np.bincount((amount * ((BINS - 1) / top)).astype(np.uint16).reshape(-1), minlength=BINS)
    number, total = np.cumsum(counts), np.cumsum(counts * np.arange(BINS))
    lowest, level = np.searchsorted(number, (0.02 * number[-1], 0.3 * number[-1]))
    border, before = BINS // 2, -1
    while border != before:
        below = total[border] / max(number[border], 1)
        above = (total[-1] - total[border]) / max(number[-1] - number[border], 1)
        before, border = border, min(border, int(below + above) // 2)
    return tuple(top / (BINS - 1) * figure for figure in (level, (level - lowest) / 1.53, above))
