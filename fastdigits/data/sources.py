"""Load data sets: the shipped MNIST files, or any folder with four IDX files named like those of MNIST."""

import hashlib
import importlib.resources
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastdigits.data.dataset import DigitSet
from fastdigits.data.idx import read_image_sizes, read_images, read_labels
from fastdigits.errors import UserError
from fastdigits.files import StrPath

SHIPPED = "mnist"
PREFIXES = {"train": "train", "test": "t10k"}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}


def load_digits(data: StrPath = SHIPPED) -> DigitSet:
    """Load a data set.

    Parameters
    ----------
    data : str or path
        "mnist" for the shipped files, or a folder with four IDX files, each plain or .gz.

    Returns
    -------
    DigitSet

    Raises
    ------
    UserError
        If the folder or a file is missing or damaged, or the files do not belong together.

    Examples
    --------
    >>> from fastdigits import load_digits
    >>> digits = load_digits("mnist")
    >>> digits.train_images.shape, digits.test_labels.shape
    ((60000, 28, 28), (10000,))
    """
    train_images, train_labels = load_part(data, "train")
    test_images, test_labels = load_part(data, "test")
    if train_images.shape[1:] != test_images.shape[1:]:
        raise UserError(
            f"{data} has training images of {_size(train_images)} but test images of {_size(test_images)} pixels; "
            "use four files that belong together."
        )
    return DigitSet(os.fspath(data), train_images, train_labels, test_images, test_labels)


def load_part(data: StrPath, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Load the training or the test part of a data set.

    Parameters
    ----------
    data : str or path
        See `load_digits`.
    part : "train" or "test"

    Returns
    -------
    images (N, H, W) and labels (N,), uint8

    Raises
    ------
    UserError
        If the folder or a file is missing or damaged, or images and labels differ in number.
    """
    image_file, label_file = _files(data, part)
    images, labels = read_images(image_file), read_labels(label_file)
    if len(images) != len(labels):
        raise UserError(
            f"{image_file} has {len(images)} images but {label_file} has {len(labels)} labels; "
            "use two files that belong together."
        )
    return images, labels


@dataclass(frozen=True)
class PartSummary:
    """Number and size of the images in a part of a data set, and the number of classes."""

    images: int
    height: int
    width: int
    classes: int


def summarize_part(data: StrPath, part: str) -> PartSummary:
    """Summarize a part of a data set from its labels and the header of its images, without reading the images.

    Parameters
    ----------
    data, part
        See `load_part`.

    Raises
    ------
    UserError
        If the folder or a file is missing or damaged.
    """
    image_file, label_file = _files(data, part)
    return PartSummary(*read_image_sizes(image_file), classes=len(np.unique(read_labels(label_file))))


def verify(folder: StrPath) -> list[tuple[str, str]]:
    """Compare the files in a folder with the sha256 checksums of the four original MNIST files.

    Parameters
    ----------
    folder : path

    Returns
    -------
    list of (file name, state)
        A state is "ok", "missing" or "wrong checksum".

    Raises
    ------
    UserError
        If a file exists but cannot be read.
    """
    return [(name, _state(Path(folder, name), digest)) for name, digest in SHA256.items()]


def shipped_folder() -> Path:
    """Return the folder of the shipped MNIST files."""
    try:
        package = importlib.resources.files("fastdigits_data")
    except (ModuleNotFoundError, NotADirectoryError):  # a source checkout or an editable install
        return Path(__file__).parents[2] / "data"
    return Path(str(package.joinpath(next(iter(SHA256))))).parent


def folder_of(data: StrPath) -> Path:
    """Return the folder of a data set; see `load_digits` for `data`.

    Raises
    ------
    UserError
        If the folder does not exist, cannot be read, or is empty.
    """
    if data == SHIPPED:
        return shipped_folder()
    folder = Path(data)
    try:
        empty = not any(folder.iterdir())
    except FileNotFoundError as error:
        raise UserError(f"There is no data folder {folder}; give '{SHIPPED}' or a folder of IDX files.") from error
    except OSError as error:
        raise UserError(f"The data folder {folder} cannot be read ({error.strerror}); check the path.") from error
    if empty:
        raise UserError(f"The data folder {folder} is empty; put the four IDX files into it.")
    return folder


def _files(data: StrPath, part: str) -> tuple[Path, Path]:
    """Return the paths of a part's images and labels."""
    folder, prefix = folder_of(data), PREFIXES[part]
    return _find(folder, f"{prefix}-images-idx3-ubyte"), _find(folder, f"{prefix}-labels-idx1-ubyte")


def _find(folder: Path, name: str) -> Path:
    dotted = name.replace("-idx", ".idx")  # the spelling in some archives
    for candidate in (name, f"{name}.gz", dotted, f"{dotted}.gz"):
        if (folder / candidate).is_file():
            return folder / candidate
    raise UserError(f"The data folder {folder} has no {name} (plain or .gz); put that file into it.")


def _state(path: Path, digest: str) -> str:
    try:
        with open(path, "rb") as file:
            return "ok" if hashlib.file_digest(file, "sha256").hexdigest() == digest else "wrong checksum"
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check the path.") from error


def _size(images: np.ndarray) -> str:
    return f"{images.shape[1]} x {images.shape[2]}"
