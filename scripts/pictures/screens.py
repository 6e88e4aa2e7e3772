"""Pictures from drawing programs and scanners: each function draws a random picture uint8 (H, W, 3) of a glyph."""

import numpy as np

from pictures.glyphs import Glyph
from pictures.layout import BLACK, PEN, WHITE, on_screen, picture_size, somewhere
from pictures.scenes import Rng, inked, photographed, placed, resized, sheet, uniform


def tablet(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Strokes of one width on a screen: white on black, or the other way round."""
    H, W = picture_size(rng)
    drawn = somewhere(rng, uniform(glyph, rng.uniform(0.03, 0.14)), H, W)
    return on_screen(drawn, dark=rng.random() < 0.6)


def coloured_screen(rng: Rng, glyph: Glyph) -> np.ndarray:
    """A drawing program with two random, different colours."""
    H, W = picture_size(rng)
    background, ink = rng.uniform(0, 1, 3), rng.uniform(0, 1, 3)
    while np.abs(background - ink).max() < 0.4:
        ink = rng.uniform(0, 1, 3)
    drawn = somewhere(rng, uniform(glyph, rng.uniform(*PEN)), H, W)
    return photographed(rng, inked(sheet(H, W, tuple(background)), drawn, tuple(ink)), 0, 0, None)


def hairline(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Lines one or two pixels wide in a large picture."""
    H, W = picture_size(rng, 120, 500)
    size = rng.uniform(0.4, 0.85) * min(H, W)
    drawn = placed(rng, uniform(glyph, rng.uniform(0.8, 2) / size), H, W, size)
    return on_screen(drawn * rng.uniform(0.6, 1), dark=rng.random() < 0.3)


def grey_background(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Grey paper or a grey screen, with dark or bright ink of low contrast."""
    H, W = picture_size(rng)
    level = rng.uniform(0.3, 0.7)
    ink = level + rng.choice([-1, 1]) * rng.uniform(0.2, 0.3)
    picture = inked(sheet(H, W, (level,) * 3), somewhere(rng, glyph.edge, H, W), (ink,) * 3)
    return photographed(rng, picture, rng.uniform(0, 1.5), rng.uniform(0, 0.025), int(rng.integers(50, 95)))


def canvas(rng: Rng, glyph: Glyph) -> np.ndarray:
    """A digit drawn on a canvas of 28 x 28 pixels, off centre."""
    size = rng.uniform(10, 24)
    middle = tuple(rng.uniform(size * 0.6, 27 - size * 0.6) if size < 22 else 13.5 for _ in range(2))
    drawn = placed(rng, uniform(glyph, rng.uniform(1, 2.6) / size), 28, 28, size, middle)
    return on_screen(drawn * rng.uniform(0.5, 1), dark=rng.random() < 0.5)


def small_scan(rng: Rng, glyph: Glyph) -> np.ndarray:
    """A scan of 16 x 16 grey pixels, filled by the digit."""
    side = 128
    size = side * rng.uniform(0.86, 0.98)
    drawn = placed(rng, glyph.edge + rng.uniform(-0.01, 0.03), side, side, size, rotate_deg=3, squeeze=0.2)
    background, ink = (WHITE, BLACK) if rng.random() < 0.5 else (BLACK, WHITE)
    picture = photographed(rng, inked(sheet(side, side, background), drawn, ink, rng.uniform(0.6, 1)), 2, 0, None)
    return resized(picture, 16, 16)
