"""Choose the size and position of a digit in a picture, and the ink."""

import numpy as np

from pictures.scenes import INKS, Rng, near, placed

PEN = (0.05, 0.13)  # usual stroke widths, relative to the digit's height
WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)


def picture_size(rng: Rng, smallest: int = 64, largest: int = 320) -> tuple[int, int]:
    """Return random (rows, columns); the logarithm of the height is uniform."""
    height = int(smallest * (largest / smallest) ** rng.random())
    return height, int(height * rng.uniform(0.8, 1.3))


def ink(rng: Rng) -> tuple:
    """Return a colour close to one of the usual inks."""
    return near(rng, INKS[rng.integers(len(INKS))], 0.04)


def on_screen(coverage: np.ndarray, dark: bool) -> np.ndarray:
    """Return a picture of the coverage in white on black if `dark`, else in black on white."""
    grey = np.round(255 * (coverage if dark else 1 - coverage)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def somewhere(rng: Rng, glyph: np.ndarray, H: int, W: int, smallest: float = 0.35, largest: float = 0.75) -> np.ndarray:
    """Return the coverage of a glyph at a random place wholly inside the picture.

    Its size is between `smallest` and `largest`, relative to the shorter side of the picture.
    """
    size = rng.uniform(smallest, largest) * min(H, W)
    room = size * 0.62
    middle = tuple(rng.uniform(min(room, side / 2), max(side - room, side / 2)) for side in (H, W))
    return placed(rng, glyph, H, W, size, middle)
