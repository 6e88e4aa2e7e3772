"""Pictures of a size to work on, and what was found in them as MNIST has it."""

import numpy as np
from PIL import Image
from scipy import ndimage

from fastdigits.imaging import frame, strokes
from fastdigits.imaging.marks import EIGHT_NEIGHBOURS
from fastdigits.imaging.prepared import Box, Prepared, Step

FEW, MANY_TIMES = 24, 4  # pixels of a side that are few, and how many times larger they become


def resized(picture: np.ndarray, most: int) -> np.ndarray:
    """The picture (H, W, C) with no side longer than so many pixels; C is 1 where all is grey.

    One of a few pixels becomes larger, so that its strokes are told from its ground by more than single pixels.
    """
    if picture.ndim == 3 and (picture[..., :1] == picture[..., 1:]).all():
        picture = picture[..., 0]
    long_side = max(picture.shape[:2])
    if long_side > most:
        picture = _scaled(picture, most / long_side, Image.Resampling.BOX)
    elif long_side < FEW:
        picture = _scaled(picture, MANY_TIMES, Image.Resampling.BICUBIC)
    return picture[..., None] if picture.ndim == 2 else picture


def _scaled(picture: np.ndarray, factor: float, kind: Image.Resampling) -> np.ndarray:
    H, W = picture.shape[:2]
    return np.asarray(Image.fromarray(picture).resize((max(1, round(W * factor)), max(1, round(H * factor))), kind))


def drawn(strength: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The ink within a mask, both (h, w), as an image uint8 (28, 28)."""
    with_edges = ndimage.binary_dilation(mask, EIGHT_NEIGHBOURS)
    return frame.centred(strokes.evened(np.where(with_edges, strength, 0)))


def enlarged(box: Box, small: np.ndarray, picture: np.ndarray) -> Box:
    """The box in a picture of which the other one, where it was found, is a smaller copy."""
    down, across = picture.shape[0] / small.shape[0], picture.shape[1] / small.shape[1]
    left, top = round(box.left * across), round(box.top * down)
    right, bottom = round((box.left + box.width) * across), round((box.top + box.height) * down)
    return Box(left, top, max(1, right - left), max(1, bottom - top))


def first_step(small: np.ndarray) -> Step:
    """The picture itself."""
    return Step("picture", small if small.shape[2] == 3 else small[..., 0])


def step(name: str, field: np.ndarray) -> Step:
    """Numbers 0 .. 1 as a grey picture."""
    return Step(name, np.round(255 * np.clip(field, 0, 1)).astype(np.uint8))


def found(image: np.ndarray, box: Box, *steps: Step) -> Prepared:
    """What was found, with the image as the last of the steps."""
    return Prepared(image, box, (*steps, Step("28 x 28", image)))
