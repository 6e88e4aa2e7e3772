"""Winograd's method in the simulator, on two blocks of channels and tiles that reach over the edge."""

import pytest

from fastdigits.check import cases
from fastdigits.ops import load
from fastdigits.ops.cuda.launch import LANES
from fastdigits.ops.variants.winograd import OPS
from fastdigits.ops.variants.winograd import cuda as winograd

CUDA, REFERENCE = load("cuda"), load("reference")
CALLS = {
    call.op: call
    for call in (
        *cases._conv2d(LANES, 1, 5, 3, (5, 4), (3, 3), 1, (1, 1), (1, 1)),
        *cases._fused_conv2d(LANES, 1, 5, 3, (5, 4), (3, 3), 1, (1, 1), (1, 1)),
        *cases._pooled_conv2d(LANES, 1, 5, 3, (5, 4), (3, 3), (1, 1), (1, 1)),
    )
    if call.op in OPS
}


@pytest.mark.parametrize("op", OPS)
def test_agrees_with_definition(checks, monkeypatch, op):
    monkeypatch.setattr(winograd, "pays", lambda *sizes: True)
    call = CALLS[op]
    checks.check(getattr(CUDA, op), getattr(REFERENCE, op), call._replace(terms=8 * call.terms))
