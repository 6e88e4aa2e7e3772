"""Preprocessing of every image, in training and in inference: preparation, then normalization."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from fastdigits.errors import UserError

MAX_PAD, MAX_GAMMA, MAX_CONTRAST = 64, 10, 255


@dataclass(frozen=True)
class Preparation:
    """Preparation of images: pad each side with `pad` rows or columns of zeros, then map each pixel p to round(255 g).

    g = clip((p/255 - 1/2) * contrast + 1/2, 0, 1)^gamma
    With `binarize`, g becomes 1 if it is above this threshold, else 0.

    Weights files store it. Normalization follows it.

    Raises
    ------
    UserError
        If a value is out of range.
    """

    pad: int = 0
    contrast: float = 1.0
    gamma: float = 1.0
    binarize: float | None = None

    def __post_init__(self) -> None:
        limits = {
            "pad": type(self.pad) is int and 0 <= self.pad <= MAX_PAD,
            "contrast": 0 < self.contrast <= MAX_CONTRAST,
            "gamma": 0 < self.gamma <= MAX_GAMMA,
            "binarize": self.binarize is None or 0 <= self.binarize < 1,
        }
        for name, fits in limits.items():
            if not fits:
                raise UserError(f"The setting {name} cannot be {getattr(self, name)!r}; see 'fastdigits train --help'.")

    def input_shape(self, images: Any) -> tuple[int, int, int]:
        """Return the network's input shape (1, rows, columns) for images (N, H, W)."""
        N, H, W = images.shape
        return 1, H + 2 * self.pad, W + 2 * self.pad

    def apply(self, images: Any) -> Any:
        """Prepare images uint8 (N, H, W); return uint8 (N, H + 2 pad, W + 2 pad)."""
        if not self:
            return images
        import numpy as np

        sides = (self.pad, self.pad)
        padded = np.pad(images, ((0, 0), sides, sides))
        prepared = padded.tobytes().translate(_levels(self))
        return np.frombuffer(prepared, np.uint8).reshape(padded.shape)

    def __bool__(self) -> bool:
        """Return whether the preparation changes images at all."""
        return self != UNPREPARED


UNPREPARED = Preparation()


@dataclass(frozen=True)
class Normalisation:
    """Normalization of prepared pixels from 0 to 255: (pixel / 255 - mean) / std."""

    mean: float
    std: float
    preparation: Preparation = UNPREPARED

    @classmethod
    def of(cls, images: Any, rows: Any, preparation: Preparation = UNPREPARED) -> "Normalisation":
        """Compute mean and std of the prepared images[rows], uint8 (N, H, W); replace a std of 0 by 1."""
        import numpy as np

        counts = np.zeros(256, np.int64)
        for start in range(0, len(rows), 256):  # few at a time: bincount needs eight bytes a pixel
            prepared = preparation.apply(images[rows[start : start + 256]])
            counts += np.bincount(prepared.reshape(-1), minlength=256)
        values, pixels = np.arange(256) / 255, counts.sum()
        mean = float(counts @ values / pixels)
        std = float(np.sqrt(counts @ (values - mean) ** 2 / pixels))
        return cls(mean, std or 1.0, preparation)


@cache
def _levels(preparation: Preparation) -> bytes:
    """Return the prepared value of each pixel value from 0 to 255."""

    def level(pixel: int) -> int:
        brightness = min(max((pixel / 255 - 0.5) * preparation.contrast + 0.5, 0.0), 1.0) ** preparation.gamma
        if preparation.binarize is not None:
            return 255 if brightness > preparation.binarize else 0
        return round(255 * brightness)

    return bytes(map(level, range(256)))
