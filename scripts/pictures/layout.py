"""Where and how large digits are drawn, and with which ink."""

import numpy as np

from pictures.scenes import INKS, Rng, near, placed

PEN = (0.05, 0.13)  # usual widths of strokes, as parts of the digit's height
WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)


def picture_size(rng: Rng, least: int = 64, most: int = 320) -> tuple[int, int]:
    """Rows and columns; small pictures are as many as twice as large ones."""
    height = int(least * (most / least) ** rng.random())
    return height, int(height * rng.uniform(0.8, 1.3))


def ink(rng: Rng) -> tuple:
    return near(rng, INKS[rng.integers(len(INKS))], 0.04)


def on_screen(drawn: np.ndarray, dark: bool) -> np.ndarray:
    """White on black, or black on white."""
    grey = np.round(255 * (drawn if dark else 1 - drawn)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def somewhere(rng: Rng, glyph: np.ndarray, H: int, W: int, least: float = 0.35, most: float = 0.75) -> np.ndarray:
    """Coverage of a glyph of a share of the picture's side, wholly inside the picture."""
    size = rng.uniform(least, most) * min(H, W)
    room = size * 0.62
    middle = tuple(rng.uniform(min(room, side / 2), max(side - room, side / 2)) for side in (H, W))
    return placed(rng, glyph, H, W, size, middle)
