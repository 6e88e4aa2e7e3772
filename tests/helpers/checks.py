"""Checks of an operation: its outputs, its inputs, which must not change, and its gradients."""

import numpy as np
import pytest

from fastdigits.check import compare
from fastdigits.check.compare import tolerance

STEP = 1e-4  # of central differences, whose error is STEP^2 / 6 times the third derivative


def assert_close(actual, exact, terms: int, scale: float = 1.0) -> None:
    """Assert that every element is within the tolerance of the exact one, and none is NaN."""
    atol = tolerance(np.asarray(actual).dtype, terms, scale)
    np.testing.assert_allclose(actual, exact, rtol=0, atol=atol, equal_nan=False)


def check(function, definition, call, ops=compare.HOST) -> None:
    """Assert that a function, on the device of `ops`, agrees with its definition in float64.

    Raises
    ------
    AssertionError
        If an output differs or is not filled, or if an input or memory around the arrays changed.
    """
    filled, exact = run(function, call, ops=ops), run(definition, call, float_type=np.float64)
    for name in call.outputs:
        assert_close(filled[name], exact[name], call.terms)


def run(function, call, float_type=np.float32, ops=compare.HOST) -> dict[str, np.ndarray]:
    """Return the outputs of a call on copies of its arrays; assert that inputs and memory around them do not change."""
    filled, changed = compare.run(function, call, float_type, ops)
    assert not changed, f"{call.op} changed its input {changed[0]} or memory next to it"
    return filled


def assert_gradient(loss, x, gradient) -> None:
    """Assert that a gradient agrees with central differences of loss() over all elements of the float64 array x."""
    differences = np.empty_like(x)
    for at in np.ndindex(x.shape):
        original = x[at]
        x[at] = original + STEP
        above = loss()
        x[at] = original - STEP
        differences[at] = (above - loss()) / (2 * STEP)
        x[at] = original
    np.testing.assert_allclose(gradient, differences, rtol=0, atol=1e-7 * np.abs(differences).max())


def check_shrinking_means(ops):
    """Check that means of optimizers are 0 or normal while they shrink without gradients, and 0 in the end.

    0.9^n is subnormal from step 829 on, and by rounding it would never become 0. Subnormal numbers are slow.
    """
    momentum = {"momentum": 0.9, "weight_decay": 0.0}
    adam = {"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8, "weight_decay": 0.0}
    for op in ("momentum_step", "nesterov_step", "adam_step", "adamw_step"):
        parameter, gradient, square = (np.full((2, ops.lanes), value, np.float32) for value in (1, 0, 1))
        mean = np.resize(np.float32([1, -1]), parameter.shape)
        for step in range(1, 900):
            inputs = parameter, gradient, mean
            if op in ("momentum_step", "nesterov_step"):
                getattr(ops, op)(*inputs, rate=np.float32([0.1]), **momentum)
            else:
                getattr(ops, op)(*inputs, square, rate=np.float32([0.1]), step=np.array([step]), **adam)
            assert (np.abs(mean[mean != 0]) >= np.finfo(np.float32).tiny).all()
        assert (mean == 0).all()
        assert (square > 0).all()


def check_memory_error(replay, size):
    """Check that a replay that allocates size[0] numbers raises MemoryError if there is no memory, and runs again."""
    replay()
    size[0] = 2**50
    with pytest.raises(MemoryError):
        replay()
    size[0] = 1
    replay()
