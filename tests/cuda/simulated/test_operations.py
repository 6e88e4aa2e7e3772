"""Every operation in the simulator against its definition, once; test_ptx_operations.py runs the compiled kernels."""

from fastdigits.ops import load

CUDA, REFERENCE = load("cuda"), load("reference")


def test_agrees_with_definition(checks, call):
    checks.check(getattr(CUDA, call.op), getattr(REFERENCE, call.op), call)
