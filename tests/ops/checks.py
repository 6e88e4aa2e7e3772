"""How the tests judge an operation: by what it fills, by what it must leave alone, and by its gradients."""

import numpy as np

MARGIN = 64  # elements before and after each array: four vectors of the widest unit
STEP = 1e-4  # of central differences: their error is STEP^2 / 6 times the third derivative


def tolerance(dtype, terms: int, scale: float = 1.0) -> float:
    """How far a sum of `terms` rounded terms, each at most `scale`, may lie from the exact one.

    Terms of either sign make partial sums of sqrt(terms), and as many rounding errors of these, of
    either sign too, make sqrt(terms) of one. What is not rounded (no terms) must be equal.
    """
    rounded = terms and np.issubdtype(dtype, np.floating)  # whole numbers are not
    return terms * np.finfo(dtype).eps * scale if rounded else 0.0


def assert_close(actual, exact, terms: int, scale: float = 1.0) -> None:
    """Every element lies within the tolerance of the exact one, and none is NaN."""
    atol = tolerance(np.asarray(actual).dtype, terms, scale)
    np.testing.assert_allclose(actual, exact, rtol=0, atol=atol, equal_nan=False)


def check(function, definition, call) -> None:
    """The function fills what the definition fills in float64, and nothing else.

    Raises
    ------
    AssertionError
        If an output differs or is left unfilled, or if anything else in memory was changed.
    """
    filled, exact = run(function, call), run(definition, call, float_type=np.float64)
    for name in call.outputs:
        assert_close(filled[name], exact[name], call.terms)


def run(function, call, float_type=np.float32) -> dict[str, np.ndarray]:
    """The outputs of a call on copies of its arrays; the inputs and the memory around them must stay as they are."""
    arrays = {name: _with_margins(a, float_type) for name, a in call.arguments.items() if isinstance(a, np.ndarray)}
    before = {name: memory.copy() for name, memory in arrays.items()}
    inner = {name: memory[MARGIN:-MARGIN].reshape(call.arguments[name].shape) for name, memory in arrays.items()}
    function(*(call.arguments | inner).values())
    for name, memory in arrays.items():
        if name in call.outputs:
            before[name][MARGIN:-MARGIN] = inner[name].ravel()
        np.testing.assert_array_equal(memory, before[name], f"{call.op} changed its input {name} or memory beside it")
    return {name: inner[name] for name in call.outputs}


def assert_gradient(loss, x, gradient) -> None:
    """The gradient is that of loss(), by central differences over all elements of the float64 array x."""
    differences = np.empty_like(x)
    for at in np.ndindex(x.shape):
        kept = x[at]
        x[at] = kept + STEP
        above = loss()
        x[at] = kept - STEP
        differences[at] = (above - loss()) / (2 * STEP)
        x[at] = kept
    np.testing.assert_allclose(gradient, differences, rtol=0, atol=1e-7 * np.abs(differences).max())


def _with_margins(array, float_type):
    """A flat copy between margins that no result must show: NaN, or 1 in whole numbers, which must stay valid rows."""
    floating = np.issubdtype(array.dtype, np.floating)
    memory = np.full(array.size + 2 * MARGIN, np.nan if floating else 1, float_type if floating else array.dtype)
    memory[MARGIN:-MARGIN] = array.ravel()
    return memory
