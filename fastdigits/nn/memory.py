"""Refuse networks that do not fit into memory before anything is allocated."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from math import prod
from pathlib import Path

from fastdigits.errors import UserError
from fastdigits.nn.layers import Flatten
from fastdigits.nn.sequence import Step

BYTES = 4  # of a float32 number
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container


def check_memory(steps: Sequence[Step], parameters: Iterable[int], images: int, training: bool) -> None:
    """Raise UserError if the outputs of the steps, the parameters and their gradients exceed the machine's memory.

    Parameters
    ----------
    steps : sequence of Step
    parameters : iterable of int
        The sizes of all parameters.
    images : int
        Number of images in a batch.
    training : bool
    """
    memory = machine_memory()
    outputs = sum(prod(step.parts[-1].output_shape) for step in steps if not isinstance(step, Flatten))
    needed = BYTES * (1 + training) * (outputs * images + sum(parameters))
    if memory and needed > memory:
        raise UserError(
            f"The network needs {needed / 1e9:,.0f} GB for batches of {images:,} images, and this machine has "
            f"{memory / 1e9:,.0f} GB; choose a smaller batch or fewer channels."
        )


def machine_memory() -> int | None:
    """Return the memory of this machine or container in bytes, or None if the system does not tell."""
    limits = []
    with suppress(AttributeError, ValueError, OSError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(ValueError, OSError):  # there is no file outside of a container; it holds "max" without a limit
        limits.append(int(CGROUP_LIMIT.read_text()))
    return min(limits, default=None)
