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


def read(argument: str, data: str, weights: str) -> ChosenImage:
    """The image that "test:INDEX", of the data set, or the path of a picture stands for.

    A picture is prepared, in the way that the network of the weights file sees it best.

    Raises
    ------
    UserError
        If there is no such image, or it cannot be read.
    """
    if argument.startswith(TEST):
        return _test_image(argument.removeprefix(TEST), data)
    return ChosenImage(_picture(argument, weights), argument)


def _test_image(index: str, data: str) -> ChosenImage:
    from fastdigits.dataset import load_part

    images, labels = load_part(data, "test")
    if not (index.isascii() and index.isdigit() and int(index) < len(images)):
        raise UserError(f"There is no test image '{index}'; choose {TEST}0 to {TEST}{len(images) - 1}.")
    return ChosenImage(images[int(index)], f"test image {int(index)}", int(labels[int(index)]))


def _picture(path: str, weights: str) -> "np.ndarray":
    from fastdigits.imaging import read_picture
    from fastdigits.reader import Reader

    prepared, _ = Reader(weights, "reference").look(read_picture(path))
    return prepared.image
