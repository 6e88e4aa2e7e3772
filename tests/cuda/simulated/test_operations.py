"""Every operation in the simulator against its definition."""

from importlib import import_module

from fastdigits.ops import FAMILIES, load

REFERENCE = load("reference")
FAMILY_OF = {name: family for family in FAMILIES for name in import_module(f"fastdigits.ops.{family}").OPS}


def test_agrees_with_definition(checks, call):
    function = getattr(import_module(f"fastdigits.ops.{FAMILY_OF[call.op]}.cuda"), call.op)
    checks.check(function, getattr(REFERENCE, call.op), call)
