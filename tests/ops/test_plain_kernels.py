"""Every kernel in plain Python, called tile by tile by the functions of cpu.py."""

from fastdigits.ops import load

LANES = 3
REFERENCE = load("reference")


def test_agrees_with_definition(checks, plain_ops, call):
    checks.check(getattr(plain_ops(), call.op), getattr(REFERENCE, call.op), call)
