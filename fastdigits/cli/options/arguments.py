"""Arguments of commands: a network (model name, layer file or weights file), an image, picture files."""

import os
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fastdigits.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from fastdigits.storage.weights import SavedNetwork

TEST = "test:"
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")


def find_saved(subject: str) -> "SavedNetwork | None":
    """The weights file of this path; None if it is a model's name or a file of layers, and not trained.

    Raises
    ------
    click.UsageError
        If there is neither.
    UserError
        If the weights file is damaged.
    """
    from fastdigits.models import MODELS, description

    if subject in MODELS or description.is_file(subject):
        return None
    if not os.path.exists(subject):
        models = ", ".join(MODELS)
        raise click.UsageError(f"'{subject}' is neither a model ({models}) nor a file; see 'fastdigits models'.")
    from fastdigits.storage.weights import read

    return read(subject)


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
    from fastdigits.data import load_part

    images, labels = load_part(data, "test")
    if not (index.isascii() and index.isdigit() and int(index) < len(images)):
        raise UserError(f"There is no test image '{index}'; choose {TEST}0 to {TEST}{len(images) - 1}.")
    return ChosenImage(images[int(index)], f"test image {int(index)}", int(labels[int(index)]))


def _picture(path: str, weights: str) -> "np.ndarray":
    from fastdigits.imaging import read_picture
    from fastdigits.inference.recognizer import Recognizer

    prepared, _ = Recognizer(weights, "reference").recognize(read_picture(path))
    return prepared.image


def picture_paths(name: str) -> list[str]:
    """The pictures that a name stands for, in the order of the alphabet; a file stands for itself.

    Raises
    ------
    UserError
        If nothing matches a pattern, or a folder holds no picture.
    """
    if os.path.isdir(name):
        found = [str(path) for path in sorted(Path(name).iterdir()) if path.suffix.lower() in ENDINGS]
        if not found:
            raise UserError(f"no file in it ends with {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}; name the pictures.")
        return found
    if has_magic(name) and not os.path.exists(name):
        found = sorted(path for path in glob(name, recursive=True) if os.path.isfile(path))
        if not found:
            raise UserError("no file matches this pattern; check it.")
        return found
    return [name]
