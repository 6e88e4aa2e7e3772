"""What `fastdigits describe` draws: the layers of a network, and the kernels that it has learned."""

from typing import TYPE_CHECKING

import click

from fastdigits.cli.options import figure_files
from fastdigits.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from fastdigits.nn import Network
    from fastdigits.storage.weights import SavedNetwork


def draw(name: str, network: "Network", saved: "SavedNetwork | None", picture: str | None, filters: str | None) -> None:
    """Draw a network into the one file, and what it has learned, if anything, into the other.

    Raises
    ------
    UsageError
        If it has learned nothing, or both are the same file.
    UserError
        If there are no kernels to draw, or a file cannot be written.
    """
    kernels = _learned_kernels(name, network, saved) if filters else {}
    figure_files.check_files({"--picture": picture, "--filters": filters})
    if picture:
        from fastdigits.plots import architecture

        figure_files.write(picture, architecture.draw(network, name))
    if filters:
        from fastdigits.plots.filters import draw as draw_filters

        figure_files.write(filters, draw_filters(kernels, f"Kernels of {name}"))


def _learned_kernels(name: str, network: "Network", saved: "SavedNetwork | None") -> dict[str, "np.ndarray"]:
    from fastdigits.inspection.filters import kernels_of

    if not saved:
        raise click.UsageError("--filters draws what a network has learned; give a file that 'train' has written.")
    kernels = kernels_of(network, saved.weights)
    if not kernels:
        raise UserError(f"The network {name} has neither kernels nor weights of pixels; leave --filters out.")
    return kernels
