"""The image that a command is to look at: one of the test images, or a picture file."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastdigits.errors import UserError

if TYPE_CHECKING:
    import numpy as np

TEST = "test:"


@dataclass(frozen=True, eq=False)
class ChosenImage:
    """An image, uint8 (H, W), bright on 0; its name; and its digit where that is known."""

    pixels: "np.ndarray"
    name: str
    digit: int | None = None


def read(argument: str, data: str) -> ChosenImage:
    """The image that "test:INDEX", of the data set, or the path of a picture stands for.

    Raises
    ------
    UserError
        If there is no such image, or it cannot be read.
    """
    if argument.startswith(TEST):
        return _test_image(argument.removeprefix(TEST), data)
    return ChosenImage(_picture(argument), argument)


def _test_image(index: str, data: str) -> ChosenImage:
    from fastdigits import dataset

    images, labels = dataset.load_part(data, "test")
    if not (index.isascii() and index.isdigit() and int(index) < len(images)):
        raise UserError(f"There is no test image '{index}'; choose {TEST}0 to {TEST}{len(images) - 1}.")
    return ChosenImage(images[int(index)], f"test image {int(index)}", int(labels[int(index)]))


def _picture(path: str) -> "np.ndarray":
    """The grey levels of a picture of 28 x 28 pixels as they are."""
    import numpy as np
    from PIL import Image

    try:
        with Image.open(path) as picture:
            if picture.size != (28, 28):
                columns, rows = picture.size
                raise UserError(f"{path}: the picture has {columns} x {rows} pixels; give one of 28 x 28.")
            return np.asarray(picture.convert("L"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or "it is no picture"
        raise UserError(f"{path} cannot be read ({reason}); give test:INDEX or a picture file.") from None
