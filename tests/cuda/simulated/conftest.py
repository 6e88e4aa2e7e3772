"""Calls on small arrays, because the simulator runs only thousands of threads per second."""

from fastdigits.check import cases
from fastdigits.nn import parameter
from fastdigits.ops.batchnorm import cuda as batchnorm
from fastdigits.ops.conv2d import cuda as conv2d
from fastdigits.ops.cuda.launch import LANES
from fastdigits.ops.dense import cuda as dense

# Use few warps, because each of their threads is a Python thread.
dense.PARTS, dense.STEP, conv2d.ADDING_WARPS = 3, 4, 2
batchnorm.CHANNEL_WARPS, batchnorm.PART_WARPS = 3, 2
batchnorm.MAX_VECTORS = 8  # those of a channel in test_networks.py; the calls have more

parameter.ALIGNMENT = LANES  # no gaps between parameters, which would need warps as well

cases.CONVOLUTIONS = ((2, 2, 5, (4, 7), (3, 3), 1, (1, 1), (1, 1)),)
cases.POOLED_CONVOLUTIONS = ((1, 2, 5, (3, 5), (3, 3), (1, 1), (1, 1)),)
cases.POOLINGS = ((6, (5, 4), (2, 2), 2),)
cases.NORMALISED, cases.LOSS_BATCHES, cases.GATHERED, cases.DRAWN = ((7, 5),), (7,), (7,), (37,)
cases.AUGMENTED, cases.EFFECTS = ((3, (5, 7)),), cases.EFFECTS[-1:]
cases.DENSE, cases.SEQUENCES = ((9, 35, 5),), ((5, 6, 3),)


def pytest_generate_tests(metafunc):
    """Parametrize tests that take a `call` by one call of every operation."""
    if "call" in metafunc.fixturenames:
        first = {call.op: call for call in reversed(list(cases.calls(LANES)))}
        metafunc.parametrize("call", first.values(), ids=str)
