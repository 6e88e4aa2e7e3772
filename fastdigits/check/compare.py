"""How a result is judged: by what the operation fills, and by what it must leave alone."""

from collections.abc import Callable
from math import inf
from types import SimpleNamespace

import numpy as np

from fastdigits.check.cases import Call
from fastdigits.ops.interface import Ops

HOST = SimpleNamespace(upload=np.copy, download=np.copy)  # NumPy's arrays as they are
MARGIN = 64  # elements before and after each array: four vectors of the widest unit


def tolerance(dtype: np.dtype | type, terms: int, scale: float = 1.0) -> float:
    """How far a sum of `terms` rounded terms, each at most `scale`, may lie from the exact one.

    Terms of either sign make partial sums of sqrt(terms), and as many rounding errors of these, of
    either sign too, make sqrt(terms) of one. What is not rounded (no terms) must be equal.
    """
    rounded = terms and np.issubdtype(dtype, np.floating)  # whole numbers are not
    return terms * np.finfo(dtype).eps * scale if rounded else 0.0


def error_over_tolerance(actual: np.ndarray, exact: np.ndarray, allowed: float) -> float:
    """The largest error as a share of the allowed one; infinite where a number is NaN, or none is allowed."""
    with np.errstate(invalid="ignore"):  # infinity less infinity
        error = np.abs(np.subtract(actual, exact, dtype=float)).max()
    if error == 0:
        return 0.0
    return float(error / allowed) if allowed and np.isfinite(error) else inf


def run(
    function: Callable, call: Call, float_type: type = np.float32, ops: Ops = HOST
) -> tuple[dict[str, np.ndarray], list[str]]:
    """(the outputs, the names of arrays that changed though they must not) of a call on copies of its arrays.

    An array also counts as changed where the memory beside it did. The arrays lie on the device of `ops`.
    """
    before = {name: _with_margins(a, float_type) for name, a in call.arguments.items() if isinstance(a, np.ndarray)}
    there = {name: ops.upload(memory) for name, memory in before.items()}
    shapes = {name: call.arguments[name].shape for name in before}
    function(*(call.arguments | {name: there[name][MARGIN:-MARGIN].reshape(shapes[name]) for name in there}).values())
    after = {name: ops.download(memory) for name, memory in there.items()}
    for name in call.outputs:
        before[name][MARGIN:-MARGIN] = after[name][MARGIN:-MARGIN]
    changed = [name for name in after if not np.array_equal(after[name], before[name], equal_nan=True)]
    return {name: after[name][MARGIN:-MARGIN].reshape(shapes[name]) for name in call.outputs}, changed


def _with_margins(array: np.ndarray, float_type: type) -> np.ndarray:
    """A flat copy between margins that no result must show: NaN, or 1 in whole numbers, which must stay valid rows."""
    floating = np.issubdtype(array.dtype, np.floating)
    memory = np.full(array.size + 2 * MARGIN, np.nan if floating else 1, float_type if floating else array.dtype)
    memory[MARGIN:-MARGIN] = array.ravel()
    return memory
