"""Photograph or scan a written number, or draw it on a screen: a grey picture, cropped around the number."""

from io import BytesIO

import numpy as np
from PIL import Image
from scipy import ndimage

from lines import backgrounds
from lines.text import AMOUNTS, Rng, number, transcription
from lines.writer import FROM_IMAGES, HEIGHT, write

DIGIT_PX = (20, 60)  # height of a digit in the picture
ON_SCREEN = 0.4  # fraction of the pictures with black ink on white, as of drawing programs
# Fractions of these
SCREEN_FROM_IMAGES = 0.85  # written with images
SCREEN_FRAMED = 0.6  # of these: with images as they are
SCREEN_AMOUNTS = 0.3


def picture(rng: Rng, images: np.ndarray, labels: np.ndarray, on_screen: float = ON_SCREEN) -> tuple[np.ndarray, str]:
    """Draw a picture uint8 (H, W) of a number, and return it with the symbols in it; see `write`.

    `on_screen` is the fraction of the pictures that are drawn on a screen.
    """
    is_on_screen = rng.random() < on_screen
    text = number(rng, SCREEN_AMOUNTS if is_on_screen else AMOUNTS)
    fractions = (SCREEN_FROM_IMAGES, SCREEN_FRAMED) if is_on_screen else (FROM_IMAGES, 0.0)
    ink = _cropped(rng, write(rng, text, images, labels, *fractions))
    scale = float(np.exp(rng.uniform(*np.log(DIGIT_PX)))) / HEIGHT
    H, W = (max(8, round(side * scale)) for side in ink.shape)
    ink = np.asarray(Image.fromarray(ink).resize((W, H), Image.Resampling.BOX))
    if is_on_screen:
        return np.round(255 * (1 - np.clip(ink, 0, 1))).astype(np.uint8), transcription(text)
    sheet = backgrounds.paper(rng, H, W)
    if rng.random() < 0.35:
        lines = backgrounds.rules(rng, H, W, 0.9 * H, HEIGHT * scale)
        sheet = sheet * (1 - lines * rng.uniform(0.2, 0.8))
    sheet = sheet * (1 - _pressure(rng, ink) * rng.uniform(0.3, 0.95))
    return _scanned(rng, sheet), transcription(text)


def _cropped(rng: Rng, ink: np.ndarray) -> np.ndarray:
    """Cut the picture around the ink, with margins or a little too tightly."""
    rows, columns = (np.flatnonzero(ink.max(axis) > 0.5) for axis in (1, 0))
    height = rows[-1] - rows[0]
    above, below, left, right = (
        int(height * rng.choice([rng.uniform(-0.03, 0.05), rng.uniform(0.05, 0.5)])) for _ in range(4)
    )
    top, bottom = rows[0] - above, rows[-1] + 1 + below
    first, last = columns[0] - left, columns[-1] + 1 + right
    padded = np.pad(ink, ((max(0, -top), max(0, bottom - len(ink))), (max(0, -first), max(0, last - ink.shape[1]))))
    top, first = max(top, 0), max(first, 0)
    return padded[top : top + above + below + height + 1, first : first + (columns[-1] + 1 - columns[0]) + left + right]


def _pressure(rng: Rng, ink: np.ndarray) -> np.ndarray:
    """Let the ink be paler where the pen hardly touched the paper."""
    field = ndimage.gaussian_filter(rng.normal(size=ink.shape).astype(np.float32), rng.uniform(1, 6))
    field /= max(field.std(), 1e-6)
    return ink * np.clip(1 - rng.uniform(0, 0.25) * np.abs(field), 0, 1)


def _scanned(rng: Rng, sheet: np.ndarray) -> np.ndarray:
    """Return the pixels of a camera or scanner: uneven light, blur, noise and JPEG."""
    H, W = sheet.shape
    slope = np.linspace(-1, 1, W) * rng.normal(0, 0.08) + np.linspace(-1, 1, H)[:, None] * rng.normal(0, 0.08)
    lit = sheet * (1 + slope)
    lit = ndimage.gaussian_filter(lit, rng.uniform(0, 0.02) * H + rng.choice([0, 0.5]))
    lit = lit + rng.normal(0, rng.uniform(0, 0.03), sheet.shape)
    pixels = np.round(255 * np.clip(lit, 0, 1)).astype(np.uint8)
    if rng.random() < 0.3:
        return pixels
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=int(rng.integers(20, 95)))
    return np.asarray(Image.open(file))
