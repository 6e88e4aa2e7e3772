"""A digit in its place: the centre of mass in the middle of the pixel 14, 14 of 28 x 28, counted from 0."""

import numpy as np

from fastdigits.imaging.prepared import SIDE
from fastdigits.imaging.strokes import FINE

MIDDLE = 14.5 * FINE  # in MNIST the means of rows and of columns are 13.5 to 14.5


def centred(drawn: np.ndarray) -> np.ndarray:
    """Strokes (h, w), 0 .. 1, in FINE places a pixel, as an image uint8 (28, 28) around their centre of mass."""
    (h, w), N = drawn.shape, SIDE * FINE
    total = float(drawn.sum())
    top = round(MIDDLE - float(drawn.sum(1) @ (np.arange(h) + 0.5)) / total)
    left = round(MIDDLE - float(drawn.sum(0) @ (np.arange(w) + 0.5)) / total)
    top, left = min(max(top, 0), N - h), min(max(left, 0), N - w)
    canvas = np.zeros((N, N), np.float32)
    canvas[top : top + h, left : left + w] = drawn
    return np.round(255 * np.clip(canvas.reshape(SIDE, FINE, SIDE, FINE).mean((1, 3)), 0, 1)).astype(np.uint8)
