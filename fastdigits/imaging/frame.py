"""Ink in its place: the longer side 20 pixels, the centre of mass in the middle of 28 x 28."""

import numpy as np
from PIL import Image

from fastdigits.imaging.prepared import SIDE

INK_SIDE = 20
FINE = 4  # places of a pixel along each axis


def scaled(ink: np.ndarray, side: int) -> np.ndarray:
    """Ink float32 (H, W) with its longer side of so many pixels and its proportions kept."""
    H, W = ink.shape
    size = max(1, round(W * side / max(H, W))), max(1, round(H * side / max(H, W)))
    image = Image.fromarray(ink).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image)


def centred(ink: np.ndarray) -> np.ndarray:
    """Ink (h, w), 0 .. 1, in FINE places a pixel, as an image uint8 (28, 28) around its centre of mass."""
    canvas = np.zeros((SIDE * FINE, SIDE * FINE), np.float32)
    (h, w), N = ink.shape, SIDE * FINE
    total = max(float(ink.sum()), 1e-6)
    top = round(N / 2 - float((ink.sum(1) @ (np.arange(h) + 0.5)) / total))
    left = round(N / 2 - float((ink.sum(0) @ (np.arange(w) + 0.5)) / total))
    top, left = min(max(top, 0), N - h), min(max(left, 0), N - w)
    canvas[top : top + h, left : left + w] = ink
    means = canvas.reshape(SIDE, FINE, SIDE, FINE).mean((1, 3))
    return np.round(255 * np.clip(means, 0, 1)).astype(np.uint8)
