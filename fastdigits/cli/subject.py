"""A network as a command takes it: the name of a model, a file of layers, or a weights file."""

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from fastdigits.weights import SavedNetwork


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
    from fastdigits.weights import read

    return read(subject)
