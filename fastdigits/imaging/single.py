"""A picture of one digit as an image such as MNIST has."""

import numpy as np

from fastdigits.imaging import frame, ink, strokes
from fastdigits.imaging.prepared import SIDE, Box, Prepared, Step


def prepare(picture: np.ndarray) -> Prepared:
    """Prepare a picture of one digit.

    Parameters
    ----------
    picture : uint8 (H, W, 3) or (H, W)
        In any colours, of any size.
    """
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    missing = ink.without_lighting(ink.as_bright_ground(picture))
    amount = ink.strongest_mixture(missing)
    level = ink.split_level(amount)
    mask = strokes.without_specks(amount > level) if level > ink.LEAST_CONTRAST else np.zeros(amount.shape, bool)
    steps = [Step("picture", picture), Step("ink", np.round(255 * np.clip(amount, 0, 1)).astype(np.uint8))]
    if not mask.any():
        return Prepared(np.zeros((SIDE, SIDE), np.uint8), None, tuple(steps))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = Box(int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
    part = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
    soft = np.where(mask, np.clip(amount / (2 * level), 0, 1), 0).astype(np.float32)[part]
    image = frame.centred(frame.scaled(soft, frame.INK_SIDE * frame.FINE))
    return Prepared(image, box, (*steps, Step("strokes", (255 * mask).astype(np.uint8)), Step("28 x 28", image)))
