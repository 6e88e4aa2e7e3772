"""Kinds of pictures of one digit: each a function of random numbers and a glyph that gives uint8 (H, W, 3)."""

from collections.abc import Callable

import numpy as np

from pictures.glyphs import Glyph
from pictures.scenes import (
    BLACK_INK,
    BLUE,
    INKS,
    Rng,
    grained,
    inked,
    lit,
    near,
    photographed,
    placed,
    resized,
    ruled,
    shadowed,
    sheet,
    specked,
    uniform,
)

PEN = (0.05, 0.13)  # usual widths of strokes, as parts of the digit's height
WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)


def _size(rng: Rng, least: int = 64, most: int = 320) -> tuple[int, int]:
    """Rows and columns; small pictures are as many as twice as large ones."""
    height = int(least * (most / least) ** rng.random())
    return height, int(height * rng.uniform(0.8, 1.3))


def _ink(rng: Rng) -> tuple:
    return near(rng, INKS[rng.integers(len(INKS))], 0.04)


def _on_screen(drawn: np.ndarray, dark: bool) -> np.ndarray:
    """White on black, or black on white."""
    grey = np.round(255 * (drawn if dark else 1 - drawn)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _somewhere(rng: Rng, glyph: np.ndarray, H: int, W: int, least: float = 0.35, most: float = 0.75) -> np.ndarray:
    """Coverage of a glyph of a share of the picture's side, wholly inside the picture."""
    size = rng.uniform(least, most) * min(H, W)
    room = size * 0.62
    middle = tuple(rng.uniform(min(room, side / 2), max(side - room, side / 2)) for side in (H, W))
    return placed(rng, glyph, H, W, size, middle)


def paper(rng: Rng, glyph: Glyph) -> np.ndarray:
    """A phone's photograph of a pen on white paper."""
    H, W = _size(rng)
    ground = grained(rng, sheet(H, W, near(rng, (0.9, 0.9, 0.88), 0.03)), 0.008, 1)
    picture = inked(ground, _somewhere(rng, glyph.edge, H, W), _ink(rng), rng.uniform(0.6, 1))
    return photographed(rng, lit(rng, picture, 0.5), rng.uniform(0, 2), 0.015, int(rng.integers(40, 95)))


def shaded_paper(rng: Rng, glyph: Glyph) -> np.ndarray:
    """The same with the shadow of a hand or a phone across it."""
    H, W = _size(rng)
    picture = inked(sheet(H, W, near(rng, (0.88, 0.86, 0.82), 0.04)), _somewhere(rng, glyph.edge, H, W), _ink(rng), 0.9)
    picture = shadowed(rng, lit(rng, picture, 0.3), rng.uniform(0.2, 0.6))
    return photographed(rng, picture, rng.uniform(0, 1.5), 0.02, int(rng.integers(40, 95)))


def ruled_paper(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Writing paper with lines or squares in a pale colour."""
    H, W = _size(rng)
    ground = sheet(H, W, near(rng, (0.92, 0.92, 0.9), 0.03))
    lines = near(rng, ((0.5, 0.6, 0.85), (0.6, 0.6, 0.6), (0.85, 0.5, 0.5))[rng.integers(3)], 0.04)
    spacing = min(H, W) * rng.uniform(0.12, 0.45)
    ground = ruled(rng, ground, lines, rng.uniform(0.2, 0.6), spacing, bool(rng.random() < 0.5))
    picture = inked(ground, _somewhere(rng, glyph.edge, H, W), _ink(rng))
    return photographed(rng, lit(rng, picture, 0.3), rng.uniform(0.3, 1.2), 0.012, int(rng.integers(50, 95)))


def tablet(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Strokes of one width on a screen: white on black, or the other way round."""
    H, W = _size(rng)
    drawn = _somewhere(rng, uniform(glyph, rng.uniform(0.03, 0.14)), H, W)
    return _on_screen(drawn, dark=rng.random() < 0.6)


def coloured_screen(rng: Rng, glyph: Glyph) -> np.ndarray:
    """A drawing program with any two colours that differ."""
    H, W = _size(rng)
    ground, ink = rng.uniform(0, 1, 3), rng.uniform(0, 1, 3)
    while np.abs(ground - ink).max() < 0.4:
        ink = rng.uniform(0, 1, 3)
    drawn = _somewhere(rng, uniform(glyph, rng.uniform(*PEN)), H, W)
    return photographed(rng, inked(sheet(H, W, tuple(ground)), drawn, tuple(ink)), 0, 0, None)


def hairline(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Lines one or two pixels wide in a large picture."""
    H, W = _size(rng, 120, 500)
    size = rng.uniform(0.4, 0.85) * min(H, W)
    drawn = placed(rng, uniform(glyph, rng.uniform(0.8, 2) / size), H, W, size)
    return _on_screen(drawn * rng.uniform(0.6, 1), dark=rng.random() < 0.3)


def marker(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Broad felt pens."""
    H, W = _size(rng)
    picture = sheet(H, W, near(rng, (0.92, 0.91, 0.9), 0.04))
    picture = inked(picture, _somewhere(rng, uniform(glyph, rng.uniform(0.13, 0.22)), H, W), _ink(rng), 0.95)
    return photographed(rng, lit(rng, picture, 0.35), rng.uniform(0.3, 1.5), 0.012, int(rng.integers(50, 95)))


def envelope(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Brown, buff or grey paper with fibres and creases."""
    H, W = _size(rng)
    colour = ((0.72, 0.55, 0.36), (0.85, 0.78, 0.62), (0.65, 0.64, 0.6))[rng.integers(3)]
    ground = grained(rng, grained(rng, sheet(H, W, near(rng, colour, 0.04)), 0.02, 0.7), 0.02, 6)
    picture = inked(ground, _somewhere(rng, glyph.edge, H, W), _ink(rng), rng.uniform(0.75, 1))
    return photographed(rng, lit(rng, picture, 0.4), rng.uniform(0.3, 1.3), 0.015, int(rng.integers(40, 90)))


def small_scan(rng: Rng, glyph: Glyph) -> np.ndarray:
    """A scan of 16 x 16 grey pixels that the digit fills."""
    side = 128
    size = side * rng.uniform(0.86, 0.98)
    drawn = placed(rng, glyph.edge + rng.uniform(-0.01, 0.03), side, side, size, turn_deg=3, squeeze=0.2)
    ground, ink = (WHITE, BLACK) if rng.random() < 0.5 else (BLACK, WHITE)
    picture = photographed(rng, inked(sheet(side, side, ground), drawn, ink, rng.uniform(0.6, 1)), 2, 0, None)
    return resized(picture, 16, 16)


def blurred(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Out of focus."""
    H, W = _size(rng)
    share = rng.uniform(0.4, 0.75)
    drawn = _somewhere(rng, glyph.edge, H, W, share, share)
    picture = inked(sheet(H, W, near(rng, (0.88, 0.88, 0.87), 0.05)), drawn, _ink(rng))
    blur = share * min(H, W) * rng.uniform(0.02, 0.05)
    return photographed(rng, lit(rng, picture, 0.3), blur, 0.01, int(rng.integers(40, 95)))


def grey_ground(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Grey paper or a grey screen, with dark or bright ink of little contrast."""
    H, W = _size(rng)
    level = rng.uniform(0.3, 0.7)
    ink = level + rng.choice([-1, 1]) * rng.uniform(0.2, 0.3)
    picture = inked(sheet(H, W, (level,) * 3), _somewhere(rng, glyph.edge, H, W), (ink,) * 3)
    return photographed(rng, picture, rng.uniform(0, 1.5), rng.uniform(0, 0.025), int(rng.integers(50, 95)))


def coloured_ground(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Pink, teal, yellow or blue paper with ink of any colour."""
    H, W = _size(rng)
    grounds = ((0.96, 0.7, 0.76), (0.1, 0.5, 0.5), (0.97, 0.9, 0.45), (0.55, 0.75, 0.92), (0.55, 0.8, 0.55))
    colour = np.array(near(rng, grounds[rng.integers(len(grounds))], 0.05))
    ink = np.array(_ink(rng)) if rng.random() < 0.7 else np.ones(3)
    while np.abs(colour - ink).max() < 0.3:
        ink = rng.uniform(0, 1, 3)
    picture = inked(sheet(H, W, tuple(colour)), _somewhere(rng, glyph.edge, H, W), tuple(ink), rng.uniform(0.8, 1))
    return photographed(rng, lit(rng, picture, 0.35), rng.uniform(0, 1.5), 0.015, int(rng.integers(40, 95)))


def frame_filling(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Cropped so tightly that the digit touches the edges."""
    H = int(rng.integers(28, 200))
    W = int(H * rng.uniform(0.9, 1.1))
    drawn = placed(rng, glyph.edge, H, W, min(H, W) * rng.uniform(0.92, 1))
    picture = inked(sheet(H, W, near(rng, (0.92, 0.92, 0.9), 0.04)), drawn, _ink(rng))
    return photographed(rng, lit(rng, picture, 0.2), rng.uniform(0, H / 100), 0.01, int(rng.integers(60, 95)))


def corner(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Small and far from the middle."""
    H, W = _size(rng, 120, 500)
    size = rng.uniform(0.12, 0.25) * min(H, W)
    room = 0.65 * size
    middle = tuple(rng.choice([room, side - room]) for side in (H, W))
    drawn = placed(rng, glyph.edge, H, W, size, middle)
    if rng.random() < 0.5:
        return _on_screen(drawn, dark=rng.random() < 0.5)
    picture = inked(sheet(H, W, near(rng, (0.9, 0.9, 0.88), 0.04)), drawn, _ink(rng))
    return photographed(rng, lit(rng, picture, 0.4), rng.uniform(0, 0.7), 0.012, int(rng.integers(60, 95)))


def pencil(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Faint and grainy."""
    H, W = _size(rng)
    grain = np.clip(0.7 + 0.3 * rng.normal(size=(H, W)), 0, 1)
    drawn = _somewhere(rng, uniform(glyph, rng.uniform(0.03, 0.07)), H, W)
    paper = sheet(H, W, near(rng, (0.93, 0.93, 0.91), 0.02))
    picture = inked(paper, drawn, (0.35, 0.35, 0.37), grain * rng.uniform(0.5, 0.9))
    return photographed(rng, lit(rng, picture, 0.35), rng.uniform(0.4, 1), 0.015, int(rng.integers(50, 95)))


def chalk(rng: Rng, glyph: Glyph) -> np.ndarray:
    """White or coloured chalk on a board."""
    H, W = _size(rng)
    board = ((0.12, 0.25, 0.2), (0.13, 0.13, 0.14), (0.2, 0.3, 0.25))[rng.integers(3)]
    ground = grained(rng, grained(rng, sheet(H, W, near(rng, board, 0.02)), 0.02, 8), 0.015, 0.7)
    grain = np.clip(0.8 + 0.3 * rng.normal(size=(H, W)), 0, 1)
    drawn = _somewhere(rng, uniform(glyph, rng.uniform(0.06, 0.12)), H, W)
    picture = inked(ground, drawn, near(rng, (0.92, 0.92, 0.88), 0.06), grain)
    return photographed(rng, lit(rng, picture, 0.4), rng.uniform(0.4, 1.2), 0.02, int(rng.integers(40, 95)))


def dusty(rng: Rng, glyph: Glyph) -> np.ndarray:
    """With specks of dust and ink."""
    H, W = _size(rng)
    ground = specked(rng, sheet(H, W, near(rng, (0.92, 0.92, 0.9), 0.04)), int(rng.integers(5, 40)), min(H, W) * 0.012)
    picture = inked(ground, _somewhere(rng, glyph.edge, H, W, 0.5), BLUE if rng.random() < 0.5 else BLACK_INK)
    return photographed(rng, lit(rng, picture, 0.3), rng.uniform(0, 1), 0.012, int(rng.integers(50, 95)))


def canvas(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Drawn on 28 x 28 pixels, not in the middle."""
    size = rng.uniform(10, 24)
    middle = tuple(rng.uniform(size * 0.6, 27 - size * 0.6) if size < 22 else 13.5 for _ in range(2))
    drawn = placed(rng, uniform(glyph, rng.uniform(1, 2.6) / size), 28, 28, size, middle)
    return _on_screen(drawn * rng.uniform(0.5, 1), dark=rng.random() < 0.5)


def on_a_desk(rng: Rng, glyph: Glyph) -> np.ndarray:
    """A slip of paper on a table of another colour."""
    H, W = _size(rng, 120, 320)
    y, x = np.mgrid[:H, :W]
    slip = np.clip(0.5 - (np.maximum(np.abs(y - H / 2) - H * 0.38, np.abs(x - W / 2) - W * 0.38)), 0, 1)
    desk = ((0.35, 0.24, 0.16), (0.55, 0.42, 0.3), (0.15, 0.15, 0.17), (0.3, 0.32, 0.36))[rng.integers(4)]
    picture = inked(grained(rng, sheet(H, W, near(rng, desk, 0.03)), 0.02, 3), slip, near(rng, (0.92, 0.92, 0.9), 0.04))
    size = rng.uniform(0.4, 0.6) * min(H, W)
    picture = inked(picture, placed(rng, glyph.edge, H, W, size), _ink(rng))
    return photographed(rng, lit(rng, picture, 0.3), rng.uniform(0.3, 1), 0.012, int(rng.integers(50, 95)))


KINDS: dict[str, Callable[[Rng, Glyph], np.ndarray]] = {
    kind.__name__: kind
    for kind in (
        paper,
        shaded_paper,
        ruled_paper,
        tablet,
        coloured_screen,
        hairline,
        marker,
        envelope,
        small_scan,
        blurred,
        grey_ground,
        coloured_ground,
        frame_filling,
        corner,
        pencil,
        chalk,
        dusty,
        canvas,
        on_a_desk,
    )
}
