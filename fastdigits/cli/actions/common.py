"""Functions that several actions share: load a device or a network, show training progress, write a figure."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from fastdigits import ops
from fastdigits.cli.options.data import chosen_reading
from fastdigits.cli.options.figure_files import file_type
from fastdigits.cli.terminal.names import printable
from fastdigits.cli.terminal.training_lines import TrainingLines
from fastdigits.config.training import TrainConfig
from fastdigits.data import DigitPart, DigitSet, load_digits, read_part
from fastdigits.data.conversion import fitted
from fastdigits.data.matching import in_classes
from fastdigits.data.preprocessing import polarity_warning
from fastdigits.files import write_atomically
from fastdigits.models import MODELS, description
from fastdigits.ops.interface import Ops
from fastdigits.plots.style import encode_figure
from fastdigits.storage.weights import SavedNetwork, read

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def load_ops(device: str, threads: int | None, say: Callable[[str], Any], exact: bool = False) -> Ops:
    """Load the operations of a device. For "auto", report the chosen device and the reason."""
    return ops.load(chosen_device(device, say), threads, exact)


def chosen_device(device: str, say: Callable[[str], Any]) -> str:
    """Return a device. For "auto", report the chosen device and the reason."""
    if device == "auto":
        device, reason = ops.choose_device()
        say(f"device: {reason}")
    return device


def warn_of_polarity(networks: Iterable[SavedNetwork], images: np.ndarray) -> None:
    """Print a warning on stderr if a network was trained on images of the other polarity than `images`."""
    for warning in dict.fromkeys(polarity_warning(images, saved.normalisation) for saved in networks):
        if warning:
            click.echo(f"Warning: {warning}", err=True)


def load_data(data: str) -> DigitSet:
    """Load a data set as the options of the command say; print on stderr what was recognized."""
    digits = load_digits(data, **chosen_reading())
    say_recognized(digits)
    return digits


def load_test_part(data: str, networks: Sequence[SavedNetwork]) -> DigitPart:
    """Load the test part of a data set, with the size and the classes of the networks.

    Print on stderr what was recognized.
    """
    part = read_part(data, "test", **chosen_reading())
    sizes = {tuple(side - 2 * saved.normalisation.preparation.pad for side in saved.network["input_shape"][1:])
             for saved in networks}  # fmt: skip
    if len(sizes) == 1 and (size := sizes.pop()) != part.images.shape[1:] and chosen_reading().get("size") is None:
        given, wanted = (" x ".join(map(str, shape)) for shape in (part.images.shape[1:], size))
        resized = np.stack([fitted(image, size) for image in part.images])
        note = f"images of {given} pixels are resized to the {wanted} of the network"
        part = replace(part, images=resized, notes=(*part.notes, note))
    say_recognized(part)
    return in_classes(part, networks[0].class_names)


def say_recognized(data: DigitSet | DigitPart) -> None:
    """Print a line on stderr about what was recognized in the files of a data set."""
    if data.notes:
        click.echo(f"{printable(data.name)}: {'; '.join(data.notes)}", err=True)


def training_callback(
    progress: bool | None, as_json: bool, say: Callable[[str], Any], config: TrainConfig, log_every: int
) -> TrainingLines:
    """Return the callback that prints training lines, with a dashboard below them if `progress` is true.

    If `progress` is None, show the dashboard if both the dashboard (stderr) and the lines go to a terminal.
    """
    lines_on_terminal = as_json or sys.stdout.isatty()
    if progress is None:
        progress = sys.stderr.isatty() and lines_on_terminal
    if not progress:
        return TrainingLines(say, config.epochs, log_every)
    from fastdigits.cli.terminal.dashboard import Dashboard  # importing rich takes 0.1 s

    return Dashboard(say, config, log_every, lines_on_terminal)


def read_saved(model: str) -> SavedNetwork | None:
    """Read a weights file, or return None if `model` is the name of a model or a .toml file of layers.

    Raises
    ------
    click.UsageError
        If `model` is neither a model nor a file.
    UserError
        If the weights file is damaged.
    """
    if model in MODELS or description.is_file(model):
        return None
    if not os.path.exists(model):
        raise click.UsageError(f"'{model}' is neither a model ({', '.join(MODELS)}) nor a file.")
    return read(model)


def write_figure(path: str, figure: "Figure") -> None:
    """Write a figure in the format of the file's extension."""
    write_atomically(path, encode_figure(figure, file_type(path)))


def say_written(path: str) -> None:
    """Print the name of a written file on stderr."""
    click.echo(f"written: {printable(path)}", err=True)
