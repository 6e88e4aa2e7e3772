"""Preprocessing of every image, in training and in inference: preparation, then normalization."""

import tempfile
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from fastdigits.errors import bad_setting, worded

INKS = ("dark", "light")
MAX_PAD, MAX_GAMMA, MAX_CONTRAST = 64, 10, 255
MAPPED_PIECE = 4096  # images that are prepared at a time
MAX_SAMPLE = 1000  # images in which ink and digits are measured
MIN_AGREEMENT = 0.8  # fraction of images with dark ink, or with light ink, that decides for all


@dataclass(frozen=True)
class Preparation:
    """Preparation of images: pad each side with `pad` rows or columns of background, then map pixels p to round(255 g).

    g = clip((p/255 - 1/2) * contrast + 1/2, 0, 1)^gamma
    With `binarize`, g becomes 1 if it is above this threshold, else 0.
    With `invert`, p is replaced by 255 - p first, and the background is 255 instead of 0. Images of dark ink are
    inverted, so that padding, augmentation and pictures find light ink on black as in MNIST.
    `digit_side`, `digit_row`, `digit_column` and `digit_fit` tell where the digits lie in the images, see
    `data.placement.Placement`. They do not change the images; pictures are prepared to match.

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
    invert: bool = False
    digit_side: int = 20
    digit_row: float = 14.5
    digit_column: float = 14.5
    digit_fit: str = "mass"

    def __post_init__(self) -> None:
        limits = {
            "pad": type(self.pad) is int and 0 <= self.pad <= MAX_PAD,
            "contrast": 0 < self.contrast <= MAX_CONTRAST,
            "gamma": 0 < self.gamma <= MAX_GAMMA,
            "binarize": self.binarize is None or 0 <= self.binarize < 1,
            "invert": type(self.invert) is bool,
            "digit_side": type(self.digit_side) is int and 4 <= self.digit_side <= 28,
            "digit_row": type(self.digit_row) is float and 0 <= self.digit_row <= 28,
            "digit_column": type(self.digit_column) is float and 0 <= self.digit_column <= 28,
            "digit_fit": self.digit_fit in ("mass", "box", "stretch"),
        }
        for name, fits in limits.items():
            if not fits:
                raise bad_setting(name, getattr(self, name))

    @property
    def background(self) -> int:
        """The level of the background in images that are not prepared yet."""
        return 255 if self.invert else 0

    def following(self, images: Any, rows: Any = slice(None), ink: str | None = None) -> "Preparation":
        """Return this preparation with `invert` and `digit_*` as measured in the training images[rows], (N, H, W).

        If `ink` is "dark" or "light", `invert` follows it instead.
        """
        from fastdigits.data.placement import measure

        sample = _sample(images, rows)
        invert = dark_ink_fraction(sample) >= MIN_AGREEMENT if ink is None else ink == "dark"
        placement = measure(255 - sample if invert else sample)
        return replace(self, invert=invert).placed(*placement)

    def for_mnist_format(self) -> "Preparation":
        """Return the preparation of images in the format of MNIST: they become as the prepared training images."""
        of_light_ink = replace(self, invert=False)
        return of_light_ink if self.placement == UNPREPARED.placement else _PreparationOfMnist(**vars(of_light_ink))

    @property
    def placement(self) -> tuple[int, float, float, str]:
        """Where the digits lie in the images, see `data.placement.Placement`."""
        return self.digit_side, self.digit_row, self.digit_column, self.digit_fit

    def placed(self, side: int, row: float, column: float, fit: str) -> "Preparation":
        """Return the same preparation of images whose digits lie elsewhere."""
        return replace(self, digit_side=side, digit_row=row, digit_column=column, digit_fit=fit)

    def input_shape(self, images: Any) -> tuple[int, int, int]:
        """Return the network's input shape (1, rows, columns) for images (N, H, W)."""
        N, H, W = images.shape
        return 1, H + 2 * self.pad, W + 2 * self.pad

    def apply(self, images: Any) -> Any:
        """Prepare images uint8 (N, H, W); return uint8 (N, H + 2 pad, W + 2 pad)."""
        if not self:
            return images
        import numpy as np

        if isinstance(images, np.memmap):
            return self._apply_to_mapped(images)
        sides = (self.pad, self.pad)
        padded = np.pad(images, ((0, 0), sides, sides), constant_values=self.background)
        prepared = padded.tobytes().translate(_levels(self))
        return np.frombuffer(prepared, np.uint8).reshape(padded.shape)

    def _apply_to_mapped(self, images: Any) -> Any:
        """Prepare memory-mapped images piece by piece; the result is mapped to a temporary file, not in memory."""
        import numpy as np

        with tempfile.TemporaryFile(prefix="fastdigits-") as file:
            prepared = np.memmap(file, np.uint8, "w+", shape=(len(images), *self.input_shape(images)[1:]))
            for start in range(0, len(images), MAPPED_PIECE):
                prepared[start : start + MAPPED_PIECE] = self.apply(np.array(images[start : start + MAPPED_PIECE]))
        return prepared

    def __bool__(self) -> bool:
        """Return whether the preparation changes images at all."""
        return bool(self.pad or self.invert) or (self.contrast, self.gamma, self.binarize) != (1, 1, None)


UNPREPARED = Preparation()


class _PreparationOfMnist(Preparation):
    """Preparation of images in the format of MNIST: first move their digits to where those of the training images lie.

    It never equals a Preparation.
    """

    def apply(self, images: Any) -> Any:
        from fastdigits.data.placement import Placement, move

        return super().apply(move(images, Placement(*self.placement)))


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

    def for_mnist_format(self) -> "Normalisation":
        """Return the normalization of images in the format of MNIST for the same network."""
        return replace(self, preparation=self.preparation.for_mnist_format())


def dark_ink_fraction(images: Any, rows: Any = slice(None)) -> float:
    """Return the fraction of images[rows], uint8 (N, H, W), whose ink is darker than their background.

    The background of an image is the median of its border, and its ink is darker if its mean is. At most MAX_SAMPLE
    images are examined; those of a single level do not count. Return 0 if none counts.
    """
    import numpy as np

    sample = _sample(images, rows)
    border = np.concatenate([sample[:, 0], sample[:, -1], sample[:, 1:-1, 0], sample[:, 1:-1, -1]], axis=1)
    difference = sample.mean((1, 2)) - np.median(border, axis=1)
    return int((difference < 0).sum()) / max(int((difference != 0).sum()), 1)


def _sample(images: Any, rows: Any = slice(None)) -> Any:
    """Return at most MAX_SAMPLE of images[rows], evenly spread."""
    import numpy as np

    rows = np.arange(len(images))[rows]
    return images[rows[:: max(1, -(-len(rows) // MAX_SAMPLE))]]


def polarity_note(images: Any) -> str:
    """Return a sentence if the ink of training images uint8 (N, H, W) is not clearly lighter than their background."""
    dark = dark_ink_fraction(images)
    if dark >= MIN_AGREEMENT:
        return "The images have dark ink on a light background; they are inverted, and pictures are read accordingly."
    if dark > 1 - MIN_AGREEMENT:
        return (
            f"{dark:.0%} of the images have dark ink and the others light ink, so pictures will be read as if all had "
            "light ink as in MNIST; invert those with dark ink."
        )
    return ""


def polarity_warning(images: Any, normalisation: Normalisation) -> str:
    """Return a sentence if test images uint8 (N, H, W) have the other polarity than a network's training images.

    Networks of versions that did not invert images of dark ink are recognized by their bright mean.
    """
    expects_dark = normalisation.preparation.invert or normalisation.mean > 0.5
    if dark_ink_fraction(images if not expects_dark else 255 - images) < MIN_AGREEMENT:
        return ""
    trained, given = ("dark", "light") if expects_dark else ("light", "dark")
    remedy = worded("invert the images with --value-range 255,0", "invert the images: give 255 - x instead of x")
    return (
        f"The images have {given} ink, but the network was trained on {trained} ink, so its answers to them mean "
        f"nothing; {remedy}."
    )


@cache
def _levels(preparation: Preparation) -> bytes:
    """Return the prepared value of each pixel value from 0 to 255."""

    def level(pixel: int) -> int:
        pixel = abs(preparation.background - pixel)
        brightness = min(max((pixel / 255 - 0.5) * preparation.contrast + 0.5, 0.0), 1.0) ** preparation.gamma
        if preparation.binarize is not None:
            return 255 if brightness > preparation.binarize else 0
        return round(255 * brightness)

    return bytes(map(level, range(256)))
