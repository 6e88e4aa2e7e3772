"""Compare a device with the reference implementation: each op separately, and the gradients of whole networks.

`cases` lists the calls of ops, and `compare` compares their results; the tests use both as well.
"""

from collections.abc import Callable

from fastdigits.check import gradients, operations
from fastdigits.check.result import CheckResult
from fastdigits.ops.interface import Ops

__all__ = ["CheckResult", "steps"]


def steps(ops: Ops, exact: Ops) -> list[tuple[str, Callable[[], list[CheckResult]]]]:
    """Return all checks of a device as (name, function) pairs; each function runs one check and returns its results.

    Parameters
    ----------
    ops : Ops
        The device to check.
    exact : Ops
        The same device without Winograd's method: it computes convolutions by their definition.
    """
    return [*operations.steps(ops, exact), *gradients.steps(ops)]
