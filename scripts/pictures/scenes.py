"""Backgrounds, ink, light and cameras. Pictures are float32 (H, W, 3) between 0 and 1 until they are photographed."""

from io import BytesIO

import numpy as np
from PIL import Image
from scipy import ndimage

from pictures.glyphs import BOX, SIDE, Glyph

Rng = np.random.Generator
Colour = tuple[float, float, float]

BLUE, BLACK_INK, RED, GREEN = (0.12, 0.2, 0.6), (0.1, 0.1, 0.12), (0.75, 0.1, 0.12), (0.1, 0.45, 0.2)
INKS = (BLUE, BLACK_INK, BLUE, BLACK_INK, RED, GREEN, (0.3, 0.1, 0.45))


def sheet(height: int, width: int, colour: Colour) -> np.ndarray:
    """Return a background of one colour (height, width, 3)."""
    return np.broadcast_to(np.float32(colour), (height, width, 3)).copy()


def near(rng: Rng, colour: Colour, spread: float = 0.06) -> Colour:
    """Return a random colour close to another."""
    return tuple(np.clip(np.array(colour) + rng.normal(0, spread, 3), 0, 1))


def placed(
    rng: Rng,
    distance: np.ndarray,
    height: int,
    width: int,
    size_px: float,
    middle: tuple[float, float] | None = None,
    rotate_deg: float = 6,
    slant: float = 0.12,
    squeeze: float = 0.12,
) -> np.ndarray:
    """Return the coverage (height, width) of each pixel by a glyph, between 0 and 1.

    The longer side of the glyph is `size_px`, and its centre `middle`, by default the centre of the picture. The glyph
    is randomly rotated, slanted and squeezed by up to the given amounts.
    """
    angle, lean = np.radians(rng.uniform(-rotate_deg, rotate_deg)), rng.uniform(-slant, slant)
    across = np.exp(rng.uniform(-squeeze, squeeze))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    to_field = np.array([[1, 0], [lean, 1 / across]]) @ turn * (BOX / size_px)
    centre = np.array(middle or ((height - 1) / 2, (width - 1) / 2))
    offset = np.array([SIDE / 2, SIDE / 2]) - to_field @ centre
    field = ndimage.affine_transform(distance, to_field, offset, (height, width), order=1, mode="nearest")
    return np.clip(0.5 + field * size_px, 0, 1)


def uniform(glyph: Glyph, width: float) -> np.ndarray:
    """Return the distance field of the glyph in strokes of one width, in units of the glyph's longer side."""
    return width / 2 - glyph.spine


def inked(
    background: np.ndarray, coverage: np.ndarray, colour: Colour, opacity: float | np.ndarray = 1.0
) -> np.ndarray:
    """Blend ink of a colour over the background."""
    alpha = (coverage * opacity)[..., None]
    return background * (1 - alpha) + np.float32(colour) * alpha


def lit(rng: Rng, picture: np.ndarray, depth: float) -> np.ndarray:
    """Darken the picture smoothly across its area by up to the fraction `depth`."""
    return picture * (1 - depth * rng.uniform(0.3, 1) * _slope(rng, *picture.shape[:2])[..., None])


def shadowed(rng: Rng, picture: np.ndarray, depth: float) -> np.ndarray:
    """Darken a part of the picture by the fraction `depth`, with a sharp or soft edge."""
    H, W, _ = picture.shape
    slope = _slope(rng, H, W)
    edge = rng.uniform(0.25, 0.75)
    softness = rng.uniform(0.02, 0.3)
    shade = np.clip((slope - edge) / softness + 0.5, 0, 1)
    return picture * (1 - depth * shade[..., None])


def ruled(
    rng: Rng, picture: np.ndarray, colour: Colour, opacity: float, spacing_px: float, squares: bool
) -> np.ndarray:
    """Draw the lines of writing paper, or squares."""
    H, W, _ = picture.shape
    y, x = np.mgrid[:H, :W].astype(np.float32)
    tilt, thick = rng.uniform(-0.03, 0.03), max(1.0, spacing_px * rng.uniform(0.02, 0.06))
    lines = _lines(y + tilt * x, spacing_px, rng.uniform(0, spacing_px), thick)
    if squares:
        lines = np.maximum(lines, _lines(x - tilt * y, spacing_px, rng.uniform(0, spacing_px), thick))
    return inked(picture, lines, colour, opacity)


def specked(rng: Rng, picture: np.ndarray, count: int, max_radius_px: float) -> np.ndarray:
    """Draw specks of dust."""
    H, W, _ = picture.shape
    y, x = np.mgrid[:H, :W]
    cover = np.zeros((H, W), np.float32)
    for _ in range(count):
        radius = rng.uniform(0.4, max_radius_px)
        cover = np.maximum(cover, np.clip(radius + 0.5 - np.hypot(y - rng.uniform(0, H), x - rng.uniform(0, W)), 0, 1))
    return inked(picture, cover, tuple(rng.uniform(0, 0.5, 3)), rng.uniform(0.4, 1))


def grained(rng: Rng, picture: np.ndarray, amount: float, size_px: float) -> np.ndarray:
    """Add the fibres or blotches of paper."""
    H, W, _ = picture.shape
    grain = ndimage.gaussian_filter(rng.normal(size=(H, W)), size_px)
    return picture + (amount * grain / max(grain.std(), 1e-6))[..., None]


def photographed(rng: Rng, picture: np.ndarray, blur_px: float, noise: float, quality: int | None) -> np.ndarray:
    """Return the picture as uint8 (H, W, 3), blurred, noisy, and compressed as JPEG unless `quality` is None."""
    if blur_px > 0:
        picture = ndimage.gaussian_filter(picture, (blur_px, blur_px, 0), mode="nearest")
    if noise > 0:
        picture = picture + rng.normal(0, noise, picture.shape)
    pixels = np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    if quality is None:
        return pixels
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a uint8 picture."""
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def _slope(rng: Rng, H: int, W: int) -> np.ndarray:
    """Return a random plane or bowl (H, W), scaled to 0 .. 1."""
    y, x = np.linspace(-1, 1, H)[:, None], np.linspace(-1, 1, W)
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * x + np.sin(angle) * y
    if rng.random() < 0.3:
        slope = (x - rng.uniform(-0.5, 0.5)) ** 2 + (y - rng.uniform(-0.5, 0.5)) ** 2
    return ((slope - slope.min()) / max(np.ptp(slope), 1e-6)).astype(np.float32)


def _lines(position: np.ndarray, spacing: float, offset: float, thick: float) -> np.ndarray:
    distance = np.abs((position - offset + spacing / 2) % spacing - spacing / 2)
    return np.clip(thick / 2 + 0.5 - distance, 0, 1)
