"""Every kernel in plain Python, called tile by tile by the functions of cpu.py."""

import numpy as np
import pytest

from fastdigits.ops import load

LANES = 3
REFERENCE = load("reference")


def test_agrees_with_definition(checks, plain_ops, call):
    checks.check(getattr(plain_ops(), call.op), getattr(REFERENCE, call.op), call)


@pytest.mark.parametrize("op", ["conv2d_relu_maxpool_forward", "conv2d_relu_avgpool_forward"])
def test_pooling_does_not_need_a_pool_mask(calls, plain_ops, op):
    for ops in (plain_ops(), REFERENCE):
        for call in calls(LANES):
            if call.op == op:
                results = []
                for masked_blocks in (None, 0):
                    y, pool_mask = call.arguments["y"].copy(), call.arguments["pool_mask"][:masked_blocks].copy()
                    getattr(ops, op)(**{**call.arguments, "y": y, "pool_mask": pool_mask})
                    results.append(y)
                assert np.array_equal(*results), call
