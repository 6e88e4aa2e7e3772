"""Pictures without a digit for training: blank, noise, scribbles, letters, shapes, textures, several digits."""

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from pictures import kinds, scenes
from pictures.alphabet import DIGITS, LETTERS
from pictures.glyphs import Glyph, from_mask, from_strokes, jittered
from pictures.layout import picture_size
from pictures.scenes import Rng

FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")
TRAINING_FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSerif", "DejaVuSansMono", "cmss10")
# Without characters that look like a digit in one of the fonts
PRINTED = "ACDEFGHJKLMNPQRTUVWXYabcdefhkmnprstuvwxyz&?#@%€ÄßΣΩж"


def blank(rng: Rng) -> np.ndarray:
    """Empty paper or an empty board, with light, lines and dust."""
    empty = from_strokes([[(9.0, 9.0), (9.0, 9.1)]], 0.001)  # outside the picture
    empty.edge = empty.spine = np.full_like(empty.spine, -1.0)
    kind = rng.choice(
        ["paper", "shaded_paper", "ruled_paper", "envelope", "grey_background", "coloured_background", "chalk"]
    )
    return kinds.KINDS[kind](rng, empty)


def noise(rng: Rng) -> np.ndarray:
    """Random pixels, fine or coarse, grey or coloured."""
    side, grain = int(rng.integers(20, 160)), int(rng.choice([1, 1, 2, 4, 8]))
    channels = int(rng.choice([1, 3]))
    size = (-(-side // grain), -(-side // grain), channels)
    even = rng.random() < 0.5
    values = rng.uniform(0, 1, size) if even else np.clip(rng.normal(0.5, rng.uniform(0.02, 0.3), size), 0, 1)
    if rng.random() < 0.3:
        values = (values < rng.uniform(0.02, 0.5)).astype(float)
    values = np.repeat(np.repeat(values, grain, 0), grain, 1)[:side, :side]
    return np.round(255 * np.broadcast_to(values, (side, side, 3))).astype(np.uint8)


def letter(rng: Rng) -> np.ndarray:
    """A handwritten letter or sign."""
    names = list(LETTERS)
    strokes = jittered(rng, LETTERS[names[rng.integers(len(names))]][0], 0.04)
    return _drawn(rng, from_strokes(strokes, rng.uniform(0.04, 0.14)))


def printed_letter(rng: Rng) -> np.ndarray:
    """A printed letter."""
    return _drawn(rng, printed(rng, PRINTED[rng.integers(len(PRINTED))], TRAINING_FONTS))


def scribble(rng: Rng) -> np.ndarray:
    """A scribble of a few wandering strokes."""
    strokes = [_wandering(rng, int(rng.integers(5, 16))) for _ in range(rng.integers(1, 4))]
    return _drawn(rng, from_strokes(strokes, rng.uniform(0.03, 0.12)))


def hatching(rng: Rng) -> np.ndarray:
    """Parallel strokes, or a zigzag."""
    count, tilt = int(rng.integers(3, 9)), rng.uniform(-0.3, 0.3)
    ends = [((n / count, 0.0), (n / count + tilt, 1.0)) for n in range(count)]
    if rng.random() < 0.5:
        strokes = [[pair[0], pair[1]] for pair in ends]
    else:
        strokes = [[point for n, pair in enumerate(ends) for point in (pair if n % 2 else pair[::-1]) for _ in (0, 1)]]
    return _drawn(rng, from_strokes(jittered(rng, strokes, 0.03), rng.uniform(0.03, 0.1)))


def blot(rng: Rng) -> np.ndarray:
    """A solid shape."""
    field = ndimage.gaussian_filter(rng.normal(size=(64, 64)), rng.uniform(4, 10))
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    mask = field / field.std() - 4 * (x**2 + (y * rng.uniform(0.5, 1.5)) ** 2) > -rng.uniform(0.3, 2)
    mask[28:36, 28:36] = True
    return _drawn(rng, from_mask(mask))


def texture(rng: Rng) -> np.ndarray:
    """Clouds, stripes, waves or checks that fill the picture."""
    side = int(rng.integers(40, 200))
    y, x = np.mgrid[:side, :side] / side
    scales = 2 ** np.arange(2, int(rng.integers(3, 7)))
    octaves = [ndimage.gaussian_filter(rng.normal(size=(side, side)), side / scale) for scale in scales]
    cloud = sum(octave / octave.std() / 1.6**n for n, octave in enumerate(octaves))
    angle, waves = rng.uniform(0, np.pi), rng.uniform(1, 15)
    along = waves * (np.cos(angle) * x + np.sin(angle) * y)
    across = waves * (np.cos(angle) * y - np.sin(angle) * x)
    field = [
        cloud,
        np.sin(2 * np.pi * along + rng.uniform(0, 2) * cloud),
        np.sin(2 * np.pi * along) * np.sin(2 * np.pi * across),
        np.abs(cloud),
        np.sign(np.sin(2 * np.pi * along + 0.3 * cloud)),
    ][rng.integers(5)]
    share = (field - field.min()) / np.ptp(field)
    picture = scenes.inked(scenes.sheet(side, side, tuple(rng.uniform(0, 1, 3))), share, tuple(rng.uniform(0, 1, 3)))
    return scenes.photographed(rng, picture, rng.uniform(0, 1), rng.uniform(0, 0.03), int(rng.integers(50, 95)))


def view(rng: Rng) -> np.ndarray:
    """Overlapping surfaces with light and texture, somewhat like a photograph."""
    H, W = picture_size(rng, 64, 200)
    picture = scenes.lit(rng, scenes.sheet(H, W, tuple(rng.uniform(0, 1, 3))), 0.6)
    y, x = np.mgrid[:H, :W]
    for _ in range(rng.integers(2, 14)):
        size = rng.uniform(0.05, 0.6) * H
        v, u = (y - rng.uniform(0, H)) / size, (x - rng.uniform(0, W)) / size / rng.uniform(0.3, 3)
        turn = rng.uniform(0, np.pi)
        u, v = np.cos(turn) * u + np.sin(turn) * v, np.cos(turn) * v - np.sin(turn) * u
        distance = np.hypot(u, v) if rng.random() < 0.5 else np.maximum(np.abs(u), np.abs(v))
        cover = np.clip((1 - distance) * size / rng.choice([1, 1, 6]), 0, 1)
        picture = scenes.inked(picture, cover, tuple(rng.uniform(0, 1, 3)), rng.uniform(0.4, 1))
    picture = scenes.grained(rng, scenes.shadowed(rng, picture, rng.uniform(0, 0.5)), rng.uniform(0, 0.05), 1)
    return scenes.photographed(rng, picture, rng.uniform(0.3, 1.5), 0.015, int(rng.integers(40, 95)))


def several_digits(rng: Rng) -> np.ndarray:
    """Two or three digits close together."""
    strokes, count = [], int(rng.integers(2, 4))
    for n in range(count):
        styles = DIGITS[str(rng.integers(10))]
        glyph = jittered(rng, styles[rng.integers(len(styles))], 0.03)
        strokes += [[((x + n * 1.15) / count, (y * 1.4 + 0.3) / 2) for x, y in stroke] for stroke in glyph]
    return _drawn(rng, from_strokes(strokes, rng.uniform(0.02, 0.07)))


def printed(rng: Rng, character: str, fonts: tuple[str, ...]) -> Glyph:
    """Return the glyph of a character in one of matplotlib's fonts."""
    font = ImageFont.truetype(str(FONTS / f"{fonts[rng.integers(len(fonts))]}.ttf"), 96)
    image = Image.new("L", (200, 200))
    ImageDraw.Draw(image).text((50, 40), character, 255, font)
    mask = np.asarray(image) > 127
    return from_mask(mask) if mask.any() else from_mask(np.ones((20, 40), bool))


def _drawn(rng: Rng, glyph: Glyph) -> np.ndarray:
    """Draw the glyph as a random kind of picture."""
    names = list(kinds.KINDS)
    return kinds.KINDS[names[rng.integers(len(names))]](rng, glyph)


def _wandering(rng: Rng, count: int) -> list[tuple[float, float]]:
    points = np.cumsum(rng.normal(0, 1, (count, 2)), 0) if rng.random() < 0.5 else rng.uniform(0, 1, (count, 2))
    points = (points - points.min(0)) / np.maximum(np.ptp(points, 0), 1e-6)
    return [tuple(point) for point in points.tolist()]


NEGATIVES: dict[str, Callable[[Rng], np.ndarray]] = {
    maker.__name__: maker
    for maker in (blank, noise, letter, printed_letter, scribble, hatching, blot, texture, view, several_digits)
}
