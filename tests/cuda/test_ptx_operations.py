"""Every operation as compiled for a GPU: the interpreter runs its PTX, and the results agree with the definitions."""

from importlib import import_module

import pytest

from fastdigits.check import cases
from fastdigits.ops import FAMILIES, load

pytestmark = pytest.mark.slow

ON_THE_HOST = {"empty", "zeros", "upload", "download", "captured", "random_permutation"}
NOT_IN_CASES = {"write"}  # but in each training step
OPERATIONS = [name for family in FAMILIES for name in import_module(f"fastdigits.ops.{family}").OPS]


def _calls():
    """Yield calls of each operation, most at three sizes. Those that differ in the first axis share a program."""
    yield from cases.calls(32, few=True)
    for vectors, images in ((5, 1), (130, 33)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cases, "VECTORS", vectors)
            yield from (*cases._activations(32), *cases._elementwise(32), *cases._optimizers(32))
            yield from (*cases._dense(32, images, 17, 3), *cases._fused_dense(32, images, 17, 3))


CALLS = list(_calls())


@pytest.fixture(scope="module")
def cuda(gpu):
    return load("cuda")


# From the last to the first, because test_compiled.py may compile the same kernels from the first to the last
@pytest.mark.parametrize("op", [op for op in reversed(OPERATIONS) if op not in ON_THE_HOST | NOT_IN_CASES])
def test_agrees_with_definition(gpu, cuda, checks, op):
    calls = [call for call in CALLS if call.op == op]
    assert calls
    for call in calls:
        gpu.launches.clear()
        checks.check(getattr(cuda, op), getattr(load("reference"), op), call, cuda)
        assert gpu.launches or op in ("pack", "unpack")  # which copy


def test_counts_add_up_for_each_kernel(gpu, cuda):
    from ptx.gpu import counts_by_kernel

    blocks, inputs, outputs = 3, 17, 3
    x, weight, bias = cuda.zeros((blocks, inputs, 32)), cuda.zeros((outputs, inputs)), cuda.zeros((outputs,))
    gpu.launches.clear()
    cuda.dense_forward(x, weight, bias, cuda.empty((blocks, outputs, 32)))
    [(name, counts)] = counts_by_kernel(gpu.launches).items()
    assert name == "dense_forward"
    assert counts["fma"] >= blocks * inputs * outputs  # each of a warp
    assert counts["global store"] == blocks * outputs
