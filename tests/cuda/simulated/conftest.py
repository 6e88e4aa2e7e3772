"""Calls on small arrays, because the simulator runs only thousands of threads per second."""

from fastdigits.check import cases
from fastdigits.nn import parameter
from fastdigits.ops.batch import Effects
from fastdigits.ops.batchnorm import cuda as batchnorm
from fastdigits.ops.conv2d import cuda as conv2d
from fastdigits.ops.cuda.launch import LANES
from fastdigits.ops.dense import cuda as dense

# Use few warps, because each of their threads is a Python thread.
dense.PARTS, dense.STEP, batchnorm.CHANNEL_WARPS, conv2d.ADDING_WARPS = 3, 4, 3, 2

parameter.ALIGNMENT = LANES  # no gaps between parameters, which would need warps as well

cases.CONVOLUTIONS = (
    (2, 2, 5, (4, 5), (3, 3), 1, (1, 1), (1, 1)),
    (1, 5, 3, (5, 6), (3, 2), 2, (1, 0), (0, 1)),
    (1, 1, 2, (2, 3), (5, 5), 1, (4, 4), (4, 4)),
    (1, 2, 1, (1, 3), (5, 5), 1, (2, 2), (2, 2)),  # a kernel larger than the image
    (1, 3, 5, (3, 7), (1, 1), 1, (0, 0), (0, 0)),
    (1, 2, 3, (8, 10), (2, 1), 3, (1, 2), (1, 0)),  # pixels that no kernel covers
    (1, 1, 2, (1, 12), (1, 8), 1, (0, 0), (0, 0)),  # more kernel columns than are processed at a time
    (1, 1, 2, (7, 6), (3, 3), 1, (-2, -2), (-1, -1)),  # a cropped image
)
cases.POOLED_CONVOLUTIONS = (
    (1, 2, 5, (3, 5), (3, 3), (1, 1), (1, 1)),
    (1, 1, 2, (6, 6), (3, 3), (0, 0), (0, 0)),
    (1, 5, 2, (4, 4), (3, 2), (0, 1), (1, 0)),
    (1, 1, 1, (7, 8), (3, 3), (-1, -2), (-1, -1)),
)
cases.POOLINGS = (
    (6, (5, 4), (2, 2), 2),
    (1, (4, 4), (3, 2), 1),  # windows overlap
    (1, (8, 9), (2, 3), 4),  # pixels between the windows
)
cases.NORMALISED, cases.LOSS_BATCHES, cases.GATHERED, cases.DRAWN = ((7, 5), (13, 1), (1, 1)), (1, 7), (1, 7), (1, 37)
cases.AUGMENTED = (3, (5, 7)), (1, (1, 3))
cases.EFFECTS = (
    Effects(shift_px=3.0),
    Effects(rotate_deg=180.0, scale=0.5, shear_deg=30.0),
    Effects(elastic_px=2.0),
    Effects(contrast=0.5, gamma=0.5),
    Effects(noise=0.2, erase_px=3),
    cases.EFFECTS[-1],  # all at once
)
cases.DENSE = ((5, 7, 3), (1, 1, 1), (9, 35, 5))


def pytest_generate_tests(metafunc):
    """Parametrize tests that take a `call` by calls of every operation."""
    if "call" in metafunc.fixturenames:
        metafunc.parametrize("call", list(cases.calls(LANES)), ids=str)
