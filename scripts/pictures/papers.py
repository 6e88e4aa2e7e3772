"""Photographs of ink: each function draws a random picture uint8 (H, W, 3) of a glyph."""

import numpy as np

from pictures.glyphs import Glyph
from pictures.layout import ink, on_screen, picture_size, somewhere
from pictures.scenes import (
    BLACK_INK,
    BLUE,
    Rng,
    grained,
    inked,
    lit,
    near,
    photographed,
    placed,
    ruled,
    shadowed,
    sheet,
    specked,
    uniform,
)


def paper(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Pen on white paper, photographed with a phone."""
    H, W = picture_size(rng)
    background = grained(rng, sheet(H, W, near(rng, (0.9, 0.9, 0.88), 0.03)), 0.008, 1)
    picture = inked(background, somewhere(rng, glyph.edge, H, W), ink(rng), rng.uniform(0.6, 1))
    return photographed(rng, lit(rng, picture, 0.5), rng.uniform(0, 2), 0.015, int(rng.integers(40, 95)))


def shaded_paper(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Pen on white paper in the shadow of a hand or a phone."""
    H, W = picture_size(rng)
    picture = inked(sheet(H, W, near(rng, (0.88, 0.86, 0.82), 0.04)), somewhere(rng, glyph.edge, H, W), ink(rng), 0.9)
    picture = shadowed(rng, lit(rng, picture, 0.3), rng.uniform(0.2, 0.6))
    return photographed(rng, picture, rng.uniform(0, 1.5), 0.02, int(rng.integers(40, 95)))


def ruled_paper(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Writing paper with lines or squares in a pale colour."""
    H, W = picture_size(rng)
    background = sheet(H, W, near(rng, (0.92, 0.92, 0.9), 0.03))
    lines = near(rng, ((0.5, 0.6, 0.85), (0.6, 0.6, 0.6), (0.85, 0.5, 0.5))[rng.integers(3)], 0.04)
    spacing = min(H, W) * rng.uniform(0.12, 0.45)
    background = ruled(rng, background, lines, rng.uniform(0.2, 0.6), spacing, bool(rng.random() < 0.5))
    picture = inked(background, somewhere(rng, glyph.edge, H, W), ink(rng))
    return photographed(rng, lit(rng, picture, 0.3), rng.uniform(0.3, 1.2), 0.012, int(rng.integers(50, 95)))


def marker(rng: Rng, glyph: Glyph) -> np.ndarray:
    """A broad felt pen."""
    H, W = picture_size(rng)
    picture = sheet(H, W, near(rng, (0.92, 0.91, 0.9), 0.04))
    picture = inked(picture, somewhere(rng, uniform(glyph, rng.uniform(0.13, 0.22)), H, W), ink(rng), 0.95)
    return photographed(rng, lit(rng, picture, 0.35), rng.uniform(0.3, 1.5), 0.012, int(rng.integers(50, 95)))


def envelope(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Brown, buff or grey paper with fibres and creases."""
    H, W = picture_size(rng)
    colour = ((0.72, 0.55, 0.36), (0.85, 0.78, 0.62), (0.65, 0.64, 0.6))[rng.integers(3)]
    background = grained(rng, grained(rng, sheet(H, W, near(rng, colour, 0.04)), 0.02, 0.7), 0.02, 6)
    picture = inked(background, somewhere(rng, glyph.edge, H, W), ink(rng), rng.uniform(0.75, 1))
    return photographed(rng, lit(rng, picture, 0.4), rng.uniform(0.3, 1.3), 0.015, int(rng.integers(40, 90)))


def blurred(rng: Rng, glyph: Glyph) -> np.ndarray:
    """A photograph out of focus."""
    H, W = picture_size(rng)
    share = rng.uniform(0.4, 0.75)
    drawn = somewhere(rng, glyph.edge, H, W, share, share)
    picture = inked(sheet(H, W, near(rng, (0.88, 0.88, 0.87), 0.05)), drawn, ink(rng))
    blur = share * min(H, W) * rng.uniform(0.02, 0.05)
    return photographed(rng, lit(rng, picture, 0.3), blur, 0.01, int(rng.integers(40, 95)))


def coloured_background(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Pink, teal, yellow or blue paper with ink of any colour."""
    H, W = picture_size(rng)
    backgrounds = ((0.96, 0.7, 0.76), (0.1, 0.5, 0.5), (0.97, 0.9, 0.45), (0.55, 0.75, 0.92), (0.55, 0.8, 0.55))
    colour = np.array(near(rng, backgrounds[rng.integers(len(backgrounds))], 0.05))
    pen = np.array(ink(rng)) if rng.random() < 0.7 else np.ones(3)
    while np.abs(colour - pen).max() < 0.3:
        pen = rng.uniform(0, 1, 3)
    picture = inked(sheet(H, W, tuple(colour)), somewhere(rng, glyph.edge, H, W), tuple(pen), rng.uniform(0.8, 1))
    return photographed(rng, lit(rng, picture, 0.35), rng.uniform(0, 1.5), 0.015, int(rng.integers(40, 95)))


def frame_filling(rng: Rng, glyph: Glyph) -> np.ndarray:
    """A picture cropped so tightly that the digit touches its edges."""
    H = int(rng.integers(28, 200))
    W = int(H * rng.uniform(0.9, 1.1))
    drawn = placed(rng, glyph.edge, H, W, min(H, W) * rng.uniform(0.92, 1))
    picture = inked(sheet(H, W, near(rng, (0.92, 0.92, 0.9), 0.04)), drawn, ink(rng))
    return photographed(rng, lit(rng, picture, 0.2), rng.uniform(0, H / 100), 0.01, int(rng.integers(60, 95)))


def corner(rng: Rng, glyph: Glyph) -> np.ndarray:
    """A small digit in a corner of the picture."""
    H, W = picture_size(rng, 120, 500)
    size = rng.uniform(0.12, 0.25) * min(H, W)
    room = 0.65 * size
    middle = tuple(rng.choice([room, side - room]) for side in (H, W))
    drawn = placed(rng, glyph.edge, H, W, size, middle)
    if rng.random() < 0.5:
        return on_screen(drawn, dark=rng.random() < 0.5)
    picture = inked(sheet(H, W, near(rng, (0.9, 0.9, 0.88), 0.04)), drawn, ink(rng))
    return photographed(rng, lit(rng, picture, 0.4), rng.uniform(0, 0.7), 0.012, int(rng.integers(60, 95)))


def pencil(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Pencil: faint and grainy."""
    H, W = picture_size(rng)
    grain = np.clip(0.7 + 0.3 * rng.normal(size=(H, W)), 0, 1)
    drawn = somewhere(rng, uniform(glyph, rng.uniform(0.03, 0.07)), H, W)
    paper = sheet(H, W, near(rng, (0.93, 0.93, 0.91), 0.02))
    picture = inked(paper, drawn, (0.35, 0.35, 0.37), grain * rng.uniform(0.5, 0.9))
    return photographed(rng, lit(rng, picture, 0.35), rng.uniform(0.4, 1), 0.015, int(rng.integers(50, 95)))


def chalk(rng: Rng, glyph: Glyph) -> np.ndarray:
    """White or coloured chalk on a board."""
    H, W = picture_size(rng)
    board = ((0.12, 0.25, 0.2), (0.13, 0.13, 0.14), (0.2, 0.3, 0.25))[rng.integers(3)]
    background = grained(rng, grained(rng, sheet(H, W, near(rng, board, 0.02)), 0.02, 8), 0.015, 0.7)
    grain = np.clip(0.8 + 0.3 * rng.normal(size=(H, W)), 0, 1)
    drawn = somewhere(rng, uniform(glyph, rng.uniform(0.06, 0.12)), H, W)
    picture = inked(background, drawn, near(rng, (0.92, 0.92, 0.88), 0.06), grain)
    return photographed(rng, lit(rng, picture, 0.4), rng.uniform(0.4, 1.2), 0.02, int(rng.integers(40, 95)))


def dusty(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Paper with specks of dust and ink."""
    H, W = picture_size(rng)
    background = specked(
        rng, sheet(H, W, near(rng, (0.92, 0.92, 0.9), 0.04)), int(rng.integers(5, 40)), min(H, W) * 0.012
    )
    picture = inked(background, somewhere(rng, glyph.edge, H, W, 0.5), BLUE if rng.random() < 0.5 else BLACK_INK)
    return photographed(rng, lit(rng, picture, 0.3), rng.uniform(0, 1), 0.012, int(rng.integers(50, 95)))


def on_a_desk(rng: Rng, glyph: Glyph) -> np.ndarray:
    """A slip of paper on a table of another colour."""
    H, W = picture_size(rng, 120, 320)
    y, x = np.mgrid[:H, :W]
    slip = np.clip(0.5 - (np.maximum(np.abs(y - H / 2) - H * 0.38, np.abs(x - W / 2) - W * 0.38)), 0, 1)
    desk = ((0.35, 0.24, 0.16), (0.55, 0.42, 0.3), (0.15, 0.15, 0.17), (0.3, 0.32, 0.36))[rng.integers(4)]
    picture = inked(grained(rng, sheet(H, W, near(rng, desk, 0.03)), 0.02, 3), slip, near(rng, (0.92, 0.92, 0.9), 0.04))
    size = rng.uniform(0.4, 0.6) * min(H, W)
    picture = inked(picture, placed(rng, glyph.edge, H, W, size), ink(rng))
    return photographed(rng, lit(rng, picture, 0.3), rng.uniform(0.3, 1), 0.012, int(rng.integers(50, 95)))
