"""Remove ruled lines, as on writing paper: straight, thin lines from edge to edge of the picture."""

import numpy as np
from scipy import ndimage

MIN_COVERAGE = 0.85  # fraction of a ruled line that is ink
MAX_THICKNESS = 0.05  # fraction of the picture's side across the line
MAX_SLOPE, SLOPES = 0.06, 13  # rise per pixel; the number of slopes to try between -MAX_SLOPE and MAX_SLOPE
MIN_PICTURE_SIDE = 24  # pixels; in smaller pictures, ruled lines cannot be distinguished from strokes
MAX_INK_WIDTH = 0.75  # fraction of the picture's side; if other ink is wider, a single line may be one of its strokes
STROKE_THRESHOLD = 0.5  # strength of ink at the edge of a stroke


def remove_ruled_lines(strength: np.ndarray) -> np.ndarray:
    """Set the strength of ink (H, W) to 0 on ruled lines, but keep strokes that cross them."""
    strength = _remove_horizontal_lines(strength)
    return _remove_horizontal_lines(strength.T).T


def _remove_horizontal_lines(strength: np.ndarray) -> np.ndarray:
    H, W = strength.shape
    margin = max(1, W // 50)
    at_edges = min(strength[:, :margin].max(), strength[:, -margin:].max())
    if min(H, W) < MIN_PICTURE_SIDE or at_edges <= STROKE_THRESHOLD:
        return strength
    mask = strength > STROKE_THRESHOLD
    if not (_rows_near_ink(mask[:, :margin]) & _rows_near_ink(mask[:, -margin:])).any():
        return strength
    x = np.arange(W) - W / 2
    for slope in sorted(np.linspace(-MAX_SLOPE, MAX_SLOPE, SLOPES), key=abs):
        shift = np.round(slope * x).astype(int)
        rows = np.clip(np.arange(H)[:, None] + shift, 0, H - 1)  # row i follows a line of this slope
        straightened = np.take_along_axis(mask, rows, axis=0)
        lines = straightened.mean(1) >= MIN_COVERAGE
        if not lines.any():
            continue
        bands = _thin_bands(lines, H)
        if not bands.any():
            continue
        count = ndimage.label(bands)[1]
        widened, line_mask = ndimage.binary_dilation(bands, iterations=2), np.zeros_like(mask)
        np.put_along_axis(line_mask, rows, np.broadcast_to(widened[:, None], mask.shape), 0)
        crossing = ndimage.binary_opening(mask, np.ones((int(bands.sum()) // count + 6, 1), bool))
        remaining = np.where(line_mask & ~crossing, 0, strength)
        if count > 1 or _ink_width(remaining > STROKE_THRESHOLD) < MAX_INK_WIDTH * W:
            strength, mask = remaining, remaining > STROKE_THRESHOLD
    return strength


def _rows_near_ink(mask: np.ndarray) -> np.ndarray:
    """Return which rows of a mask (H, W) contain ink within a distance of H / 12, bool (H,)."""
    return ndimage.binary_dilation(mask.any(1), iterations=max(1, len(mask) // 12))


def _thin_bands(lines: np.ndarray, H: int) -> np.ndarray:
    """Keep the rows of lines, bool (H,), that belong to no band thicker than MAX_THICKNESS."""
    bands, count = ndimage.label(lines)
    sizes = np.bincount(bands, minlength=count + 1)
    return lines & (sizes[bands] <= max(2, MAX_THICKNESS * H))


def _ink_width(mask: np.ndarray) -> int:
    columns = np.flatnonzero(mask.any(0))
    return int(np.ptp(columns)) + 1 if len(columns) else 0
