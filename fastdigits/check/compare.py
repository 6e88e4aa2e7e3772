"""Check the result of a call: the values of its outputs, and that it writes nowhere else."""

from collections.abc import Callable
from math import inf
from types import SimpleNamespace

import numpy as np

from fastdigits.check.cases import Call
from fastdigits.ops.interface import Ops

HOST = SimpleNamespace(upload=np.copy, download=np.copy)  # stands in for an Ops whose arrays are NumPy's
MARGIN = 64  # elements before and after each array: four vectors of the widest vector unit


def tolerance(dtype: np.dtype | type, terms: int, scale: float = 1.0) -> float:
    """Return the largest error allowed in a sum of `terms` rounded terms whose absolute values are at most `scale`.

    Terms of random sign have partial sums of about sqrt(terms) * scale. Their rounding errors, which are of random sign
    as well, add up to about sqrt(terms) times the error of one sum, that is to terms * eps * scale. The tolerance is 0
    if nothing is rounded: if `terms` is 0, or for integers.
    """
    rounded = terms and np.issubdtype(dtype, np.floating)
    return terms * np.finfo(dtype).eps * scale if rounded else 0.0


def error_over_tolerance(actual: np.ndarray, exact: np.ndarray, allowed: float) -> float:
    """Return the largest error divided by the allowed one; infinity if a value is NaN or if no error is allowed."""
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        error = np.abs(np.subtract(actual, exact, dtype=float)).max()
    if error == 0:
        return 0.0
    return float(error / allowed) if allowed and np.isfinite(error) else inf


def run(
    function: Callable, call: Call, float_type: type = np.float32, ops: Ops = HOST
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Run a call on copies of its arrays and detect writes outside its outputs.

    Parameters
    ----------
    function : function
        The op to call.
    call : Call
    float_type : type
        Type of all floating-point arrays.
    ops : Ops
        Where the arrays live; `HOST` for NumPy arrays.

    Returns
    -------
    outputs : dict of arrays
    changed : list of str
        Names of the arrays that the call must not change but did, or next to which it changed memory.
    """
    before = {name: _with_margins(a, float_type) for name, a in call.arguments.items() if isinstance(a, np.ndarray)}
    on_device = {name: ops.upload(memory) for name, memory in before.items()}
    shapes = {name: call.arguments[name].shape for name in before}
    function(
        *(call.arguments | {name: on_device[name][MARGIN:-MARGIN].reshape(shapes[name]) for name in on_device}).values()
    )
    after = {name: ops.download(memory) for name, memory in on_device.items()}
    for name in call.outputs:
        before[name][MARGIN:-MARGIN] = after[name][MARGIN:-MARGIN]
    changed = [name for name in after if not np.array_equal(after[name], before[name], equal_nan=True)]
    return {name: after[name][MARGIN:-MARGIN].reshape(shapes[name]) for name in call.outputs}, changed


def _with_margins(array: np.ndarray, float_type: type) -> np.ndarray:
    """Return a flat copy between margins of NaN, or of 1 for integers, which is valid even as an index."""
    floating = np.issubdtype(array.dtype, np.floating)
    memory = np.full(array.size + 2 * MARGIN, np.nan if floating else 1, float_type if floating else array.dtype)
    memory[MARGIN:-MARGIN] = array.ravel()
    return memory
