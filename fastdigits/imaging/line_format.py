"""Convert a picture of a line of writing to an image of one height, with light ink on black, whatever its paper."""

import numpy as np
from PIL import Image

from fastdigits.errors import UserError
from fastdigits.imaging.background import (
    project_colors,
    relative_contrast,
    uneven_background,
    with_bright_background,
)
from fastdigits.imaging.ink import contrast_levels

LINE_HEIGHT = 32  # pixels
STRETCH = 1.5  # of the columns, so that two narrow digits are more than two time steps apart
MAX_STROKE = 0.25  # maximum stroke width, as a fraction of the height of the picture
MAX_LENGTH = 30  # width of a line in heights
MIN_WIDTH = 64  # pixels; a narrower line is continued to the right without ink
WHITE = 1.3  # contrast that becomes white, relative to the typical contrast of ink
VIEWS = ((0.15, 1.0), (-0.15, 1.0), (0.0, 1.08))  # the slant and the size of other views of a line
MIN_CONTRAST = 0.04  # 0 .. 1; less is the noise of an empty picture


def to_line_format(picture: np.ndarray) -> np.ndarray:
    """Return the line of a picture as uint8 (LINE_HEIGHT, W): see `ink_strength` and `scale_line`."""
    return scale_line(ink_strength(picture))


def ink_strength(picture: np.ndarray) -> np.ndarray:
    """Return the contrast of the ink of a line to its surroundings, float (H, W) from 0 to 1, whatever its paper.

    Parameters
    ----------
    picture : uint8 (H, W, 3) or (H, W)
        A picture that the line fills from top to bottom.

    Raises
    ------
    UserError
        If it is more than MAX_LENGTH times as wide as high.
    """
    H, W = picture.shape[:2]
    if W > MAX_LENGTH * H:
        raise UserError(f"A line of {W} x {H} pixels is more than {MAX_LENGTH} times as wide as high; cut it.")
    bright = with_bright_background(picture if picture.ndim == 3 else picture[..., None])
    background = uneven_background(bright, MAX_STROKE * H / max(H, W), extend_edges=True)
    contrast = project_colors(relative_contrast(bright, background))
    level, _, ink = contrast_levels(contrast)
    return np.clip((contrast - level) / max(WHITE * (ink - level), MIN_CONTRAST), 0, 1)


def scale_line(strength: np.ndarray) -> np.ndarray:
    """Convert the strength of the ink (H, W) to an image uint8 (LINE_HEIGHT, W), STRETCH times as wide."""
    pixels = Image.fromarray((255 * strength).astype(np.uint8))
    size = line_width(strength), LINE_HEIGHT
    is_high = len(strength) > LINE_HEIGHT
    line = np.asarray(pixels.resize(size, Image.Resampling.BOX if is_high else Image.Resampling.BICUBIC))
    return np.pad(line, ((0, 0), (0, max(0, MIN_WIDTH - size[0]))))


def line_width(picture: np.ndarray) -> int:
    """Return the width of the line of a picture (H, W, ...) in its image, without columns that are added to it."""
    H, W = picture.shape[:2]
    return max(1, round(STRETCH * W * LINE_HEIGHT / H))


def views(image: np.ndarray) -> list[np.ndarray]:
    """Return a line as it is, slanted to either side, and enlarged: readings of all together have fewer mistakes.

    Parameters
    ----------
    image : uint8 (LINE_HEIGHT, W)
        In line format.
    """
    return [image, *(_view(image, slant, size) for slant, size in VIEWS)]


def _view(image: np.ndarray, slant: float, size: float) -> np.ndarray:
    H, W = image.shape
    matrix = (1 / size, slant, -slant * H / 2, 0, 1 / size, (1 - 1 / size) * H / 2)  # from the view to the image
    shape = max(MIN_WIDTH, round(size * W)), H
    return np.asarray(
        Image.fromarray(image).transform(shape, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    )
