"""Digits cut out of their images and scaled, as in a data set that someone has made."""

import numpy as np
from PIL import Image


def filled(images: np.ndarray, side: int, fit: str = "box") -> np.ndarray:
    """Scale the digits of images uint8 (N, 28, 28) to a longer side of `side` pixels, in the middle.

    With the fit "stretch", scale both sides.
    """
    result = np.zeros_like(images)
    for image, target in zip(images, result, strict=True):
        rows, columns = image.any(1).nonzero()[0], image.any(0).nonzero()[0]
        digit = Image.fromarray(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
        scales = (side / max(digit.size),) * 2 if fit == "box" else (side / digit.width, side / digit.height)
        width, height = (max(1, round(length * scale)) for length, scale in zip(digit.size, scales, strict=True))
        top, left = (28 - height) // 2, (28 - width) // 2
        target[top : top + height, left : left + width] = digit.resize((width, height), Image.Resampling.BICUBIC)
    return result
