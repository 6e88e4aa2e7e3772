"""Find the ink of a picture, independent of the darkness of its strokes."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from fastdigits.imaging.background import project_colors, relative_contrast
from fastdigits.imaging.ruled_lines import remove_ruled_lines

MIN_CONTRAST = 0.08  # 0 .. 1; lower contrast is due to stains and sensor noise
MIN_SIGNAL_TO_NOISE = 6.0  # contrast of ink in standard deviations of the background noise
MIN_RELATIVE_CONTRAST = 0.35  # of the faintest stroke, relative to the typical contrast of ink
SMOOTHED_SIDE, SMOOTHING_SIGMA = 100, 0.8  # pixels; larger pictures are smoothed by a Gaussian of this width
WINDOW = 0.05  # size of the neighborhood for the local maximum of the contrast, as a fraction of the shorter side
BINS = 1024  # of the histogram of the contrast


@dataclass(frozen=True, eq=False)
class InkMap:
    """The ink of a picture.

    Attributes
    ----------
    contrast : float32 (H, W)
        Contrast to the background, 0 on the background.
    strength : float32 (H, W)
        Contrast relative to the local maximum: 1 on the centerline of a stroke, 1/2 at its edge. Ruled lines are
        removed.
    typical_contrast : float
        Mean contrast of ink; 0 if there is none.
    """

    contrast: np.ndarray
    strength: np.ndarray
    typical_contrast: float


def find_ink(bright: np.ndarray, background: np.ndarray) -> InkMap:
    """Find the ink of a picture uint8 (H, W, C) on a brighter background uint8 (H, W, C) or (C,)."""
    contrast = project_colors(relative_contrast(bright, background))
    side = min(contrast.shape)
    if side > SMOOTHED_SIDE:
        contrast = ndimage.gaussian_filter(contrast, SMOOTHING_SIGMA)
    background_level, noise, ink_level = contrast_levels(contrast)
    contrast, typical = np.maximum(contrast - background_level, 0), ink_level - background_level
    minimum = max(MIN_CONTRAST, MIN_SIGNAL_TO_NOISE * noise)
    if typical < minimum:
        return InkMap(contrast, np.zeros_like(contrast), 0.0)
    size = max(3, round(WINDOW * side)) | 1
    local_maximum = ndimage.uniform_filter(ndimage.maximum_filter(contrast, size), size)
    strength = contrast / np.maximum(local_maximum, max(MIN_RELATIVE_CONTRAST * typical, minimum))
    return InkMap(contrast, remove_ruled_lines(np.minimum(strength, 1)), typical)


def contrast_levels(contrast: np.ndarray) -> tuple[float, float, float]:
    """Estimate the level of the background, the standard deviation of its noise, and the level of the ink.

    Most pixels are background, so its level is the 30th percentile of all pixels. In a normal distribution, the 2nd
    percentile lies 1.53 standard deviations below that. The threshold between background and ink is halfway between
    the means of the two, found by iteration (Ridler and Calvard 1978, Picture thresholding using an iterative
    selection method). The level of the ink is the mean above the threshold.
    """
    highest = float(contrast.max())
    if highest <= 0:
        return 0.0, 0.0, 0.0
    counts = np.bincount((contrast * ((BINS - 1) / highest)).astype(np.uint16).reshape(-1), minlength=BINS)
    cumulative_count, cumulative_sum = np.cumsum(counts), np.cumsum(counts * np.arange(BINS))
    low, level = np.searchsorted(cumulative_count, (0.02 * cumulative_count[-1], 0.3 * cumulative_count[-1]))
    threshold, previous = BINS // 2, -1
    while threshold != previous:
        below = cumulative_sum[threshold] / max(cumulative_count[threshold], 1)
        count_above = max(cumulative_count[-1] - cumulative_count[threshold], 1)
        above = (cumulative_sum[-1] - cumulative_sum[threshold]) / count_above
        previous, threshold = threshold, min(threshold, int(below + above) // 2)
    return tuple(highest / (BINS - 1) * bins for bins in (level, (level - low) / 1.53, above))
