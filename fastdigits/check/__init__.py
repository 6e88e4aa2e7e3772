"""Whether a device computes what is defined: each operation by itself, and the gradients of whole networks.

`cases` are the calls, `compare` judges a result; the tests use the same two.
"""

from collections.abc import Callable

from fastdigits.check import gradients, operations
from fastdigits.check.result import CheckResult
from fastdigits.ops.interface import Ops

__all__ = ["CheckResult", "steps"]


def steps(ops: Ops, exact: Ops) -> list[tuple[str, Callable[[], list[CheckResult]]]]:
    """All checks of a device.

    Parameters
    ----------
    ops : Ops
        Of the device.
    exact : Ops
        Of the same device, with convolutions that add up the very products of their definition.
    """
    return [*operations.steps(ops, exact), *gradients.steps(ops)]
