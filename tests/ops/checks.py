"""How the tests judge an operation: by what it fills, by what it must leave alone, and by its gradients."""

import numpy as np

from fastdigits.check import compare
from fastdigits.check.compare import tolerance

STEP = 1e-4  # of central differences: their error is STEP^2 / 6 times the third derivative


def assert_close(actual, exact, terms: int, scale: float = 1.0) -> None:
    """Every element lies within the tolerance of the exact one, and none is NaN."""
    atol = tolerance(np.asarray(actual).dtype, terms, scale)
    np.testing.assert_allclose(actual, exact, rtol=0, atol=atol, equal_nan=False)


def check(function, definition, call, ops=compare.HOST) -> None:
    """The function, on the device of `ops`, fills what the definition fills in float64, and nothing else.

    Raises
    ------
    AssertionError
        If an output differs or is left unfilled, or if anything else in memory was changed.
    """
    filled, exact = run(function, call, ops=ops), run(definition, call, float_type=np.float64)
    for name in call.outputs:
        assert_close(filled[name], exact[name], call.terms)


def run(function, call, float_type=np.float32, ops=compare.HOST) -> dict[str, np.ndarray]:
    """The outputs of a call on copies of its arrays; the inputs and the memory around them must stay as they are."""
    filled, changed = compare.run(function, call, float_type, ops)
    assert not changed, f"{call.op} changed its input {changed[0]} or memory beside it"
    return filled


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
