"""Fixtures of the tests on a real GPU: the GPU, and calls of realistic sizes that no tile divides."""

from collections.abc import Iterator
from secrets import randbits

import pytest

from fastdigits.check import cases
from fastdigits.ops import load, why_unavailable
from fastdigits.ops.runtime import numba_setup

REAL = {
    "CONVOLUTIONS": (
        (4, 1, 6, (28, 28), (5, 5), 1, (2, 2), (2, 2)),
        (4, 6, 16, (14, 14), (5, 5), 1, (0, 0), (0, 0)),
        (5, 11, 13, (15, 17), (3, 3), 2, (1, 0), (0, 1)),
        (1, 32, 64, (26, 26), (3, 3), 1, (0, 0), (0, 0)),
        (3, 33, 65, (7, 7), (3, 3), 1, (1, 1), (1, 1)),
        (2, 64, 31, (9, 11), (1, 1), 1, (0, 0), (0, 0)),
        (1, 3, 2, (13, 12), (7, 9), 3, (4, 2), (1, 0)),
    ),
    "POOLED_CONVOLUTIONS": (
        (4, 1, 16, (28, 28), (3, 3), (1, 1), (1, 1)),
        (3, 6, 17, (14, 15), (5, 5), (0, 0), (0, 0)),
        (2, 32, 33, (13, 14), (3, 3), (0, 0), (0, 0)),
    ),
    "DENSE": ((128, 784, 128), (129, 785, 127), (1000, 100, 10), (1, 9216, 128)),
    "POOLINGS": ((130, (28, 27), (2, 2), 2), (65, (13, 15), (3, 3), 2)),
    "NORMALISED": ((128, 196), (1000, 49), (33, 1)),
    "LOSS_BATCHES": (128, 1000, 10001),
    "GATHERED": (128, 1000, 10001),
    "VECTORS": 10007,
}


def calls(lanes: int) -> Iterator[cases.Call]:
    """Yield calls of every operation at realistic sizes, with new random numbers in every run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cases, "SEED", randbits(32))
        for name, sizes in REAL.items():
            patch.setattr(cases, name, sizes)
        yield from cases.calls(lanes)


@pytest.fixture(scope="session")
def gpu():
    """The operations of a real GPU."""
    reason = "CUDA is only simulated" if numba_setup.simulates_cuda() else why_unavailable("cuda")
    if reason:
        pytest.skip(f"no GPU: {reason}")
    return load("cuda")


@pytest.fixture(scope="session")
def calls_of(gpu):
    """The calls of each operation: {op: calls}."""
    found: dict[str, list[cases.Call]] = {}
    for call in calls(gpu.lanes):
        found.setdefault(call.op, []).append(call)
    return found
