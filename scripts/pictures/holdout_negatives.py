"""Pictures without a digit for evaluation only, from other generators than those for training in negatives.py.

They have other fonts and backgrounds, other pen movements, other noise and textures, and parts of a real photograph.
"""

from collections.abc import Callable

import matplotlib.cbook
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from pictures.negatives import FONTS
from pictures.scenes import Rng

HOLDOUT_FONTS = ("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "cmr10", "cmtt10", "cmb10", "DejaVuSerif-Italic")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def blank_page(rng: Rng) -> np.ndarray:
    """A blank page of one colour, with a little noise, a gradient or a fold."""
    H, W = (int(side) for side in rng.integers(20, 300, 2))
    picture = np.broadcast_to(rng.uniform(0, 255, 3), (H, W, 3))
    y, x = np.linspace(0, 1, H)[:, None], np.linspace(0, 1, W)[None]
    if rng.random() < 0.5:
        picture = picture * (1 - rng.uniform(0, 0.5) * (rng.uniform() * y + rng.uniform() * x))[..., None]
    if rng.random() < 0.2:
        picture = picture * (1 - 0.1 * (x > rng.uniform(0.2, 0.8)))[..., None]
    return _to_uint8(picture + rng.normal(0, rng.choice([0, 2, 6]), (H, W, 3)))


def odd_noise(rng: Rng) -> np.ndarray:
    """Laplacian, speckled or streaky noise of any strength."""
    H, W = (int(side) for side in rng.integers(16, 150, 2))
    values = rng.laplace(0, rng.uniform(2, 60), (H, W, int(rng.choice([1, 3]))))
    if rng.random() < 0.4:
        sigma = (0, rng.uniform(1, 8)) if rng.random() < 0.5 else (rng.uniform(1, 8), 0)
        values = ndimage.gaussian_filter(values, (*sigma, 0)) * 3
    if rng.random() < 0.3:
        values = np.where(rng.random(values.shape) < 0.03, 255.0, 0.0)
    return _to_uint8(np.broadcast_to(rng.uniform(60, 200) + values, (H, W, 3)))


def letter(rng: Rng) -> np.ndarray:
    """A random letter in a random font, upright or slightly rotated."""
    side = int(rng.choice([28, 64, 128, 256]))
    background, ink = rng.permutation([15, 240] if rng.random() < 0.6 else [rng.integers(100), 220])
    image = Image.new("L", (side, side), int(background))
    path = FONTS / f"{HOLDOUT_FONTS[rng.integers(len(HOLDOUT_FONTS))]}.ttf"
    font = ImageFont.truetype(str(path), int(side * rng.uniform(0.5, 0.8)))
    place = side / 2 + rng.uniform(-0.1, 0.1) * side, side / 2 + rng.uniform(-0.1, 0.1) * side
    ImageDraw.Draw(image).text(place, ALPHABET[rng.integers(52)], int(ink), font, anchor="mm")
    image = image.rotate(rng.uniform(-10, 10), Image.Resampling.BICUBIC, fillcolor=int(background))
    return _to_uint8(np.asarray(image, float) + rng.normal(0, rng.choice([0, 3]), (side, side)))


def doodle(rng: Rng) -> np.ndarray:
    """A line that turns at random, or in loops and spirals."""
    side = int(rng.integers(60, 300))
    steps = int(rng.integers(150, 600))
    if rng.random() < 0.5:
        heading = np.cumsum(rng.normal(0, rng.uniform(0.15, 0.5), steps)) + rng.uniform(-0.05, 0.05) * np.arange(steps)
        path = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), 0)
    else:
        t = np.linspace(0, rng.uniform(4, 12) * np.pi, steps)
        radius = 1 + rng.uniform(0.3, 1) * np.sin(rng.uniform(0.2, 3) * t)
        path = np.stack([radius * np.cos(t), radius * np.sin(rng.uniform(0.7, 1.4) * t)], 1)
    path = (path - path.min(0)) / np.ptp(path, 0).max()
    points = (side * (0.15 + 0.7 * path)).tolist()
    image = Image.new("L", (side, side), 255)
    width = int(max(1, side * rng.uniform(0.01, 0.05)))
    ImageDraw.Draw(image).line([tuple(point) for point in points], 0, width, "curve")
    return np.asarray(image) if rng.random() < 0.5 else 255 - np.asarray(image)


def pattern(rng: Rng) -> np.ndarray:
    """Cells, rings, a weave or a fractal."""
    side = int(rng.integers(32, 200))
    y, x = np.mgrid[:side, :side] / side - 0.5
    maker = [_cells, _rings, _weave, _fractal][rng.integers(4)]
    field = maker(rng, y, x)
    share = ((field - field.min()) / max(np.ptp(field), 1e-9))[..., None]
    low, high = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
    return _to_uint8(low + (high - low) * share + rng.normal(0, 3, (side, side, 3)))


def photograph(rng: Rng) -> np.ndarray:
    """A part of the photograph of Grace Hopper that comes with matplotlib, rotated or mirrored."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        whole = np.asarray(Image.open(file).convert("RGB"))
    size = int(rng.integers(40, 400))
    top, left = rng.integers(0, len(whole) - size), rng.integers(0, whole.shape[1] - size)
    part = np.rot90(whole[top : top + size, left : left + size], rng.integers(4))
    return np.ascontiguousarray(part[:, ::-1] if rng.random() < 0.5 else part)


def _cells(rng: Rng, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    places = rng.uniform(-0.5, 0.5, (int(rng.integers(5, 60)), 2))
    distances = np.sort(np.hypot(y[..., None] - places[:, 0], x[..., None] - places[:, 1]), axis=2)
    return distances[..., 1] - distances[..., 0] if rng.random() < 0.5 else distances[..., 0]


def _rings(rng: Rng, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return sum(np.sin(rng.uniform(10, 60) * np.hypot(y - a, x - b)) for a, b in rng.uniform(-0.5, 0.5, (3, 2)))


def _weave(rng: Rng, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    count = rng.uniform(3, 15)
    over = (np.floor(count * y) + np.floor(count * x)) % 2
    return np.where(over, np.sin(np.pi * count * y) ** 2, np.sin(np.pi * count * x) ** 2)


def _fractal(rng: Rng, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return after how many steps z^2 + c exceeds 2 (Julia 1918)."""
    z, c = 3 * (x + 1j * y), complex(*rng.normal(0, 0.6, 2))
    steps = np.zeros(z.shape)
    for _ in range(30):
        z = np.where(np.abs(z) < 2, z * z + c, z)
        steps += np.abs(z) < 2
    return steps


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.round(np.clip(values, 0, 255)).astype(np.uint8)


HOLDOUT_NEGATIVES: dict[str, Callable[[Rng], np.ndarray]] = {
    maker.__name__: maker for maker in (blank_page, odd_noise, letter, doodle, pattern, photograph)
}
