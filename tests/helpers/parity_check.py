"""Compare the operations of a device, by default the CPU, with their definitions; exit with 1 if one differs.

This is a script because numba compiles for one CPU per process (NUMBA_CPU_NAME and NUMBA_CPU_FEATURES), and because
compute-sanitizer watches whole processes.
"""

import sys

import special_values
from checks import check

from fastdigits.check.cases import calls
from fastdigits.ops import load

# Special values whose kernels would have to be compiled for them alone
SHAPES_OF_THEIR_OWN = [name for name in special_values.CASES if "conv2d" in name or "dense" in name]


def main(device: str = "cpu") -> int:
    ops, reference = load(device), load("reference")
    print(f"{ops.lanes} lanes")
    if device == "cuda":
        import cupy

        cupy.cuda.set_allocator(None)  # allocate each array separately, so that the sanitizer sees accesses next to it
    differing = [_differs(ops, reference, call) for call in calls(ops.lanes, few=True)]
    expected = special_values.expected()
    differing += [
        _differs_from_pytorch(ops, name, table) for name, table in expected.items() if name not in SHAPES_OF_THEIR_OWN
    ]
    return sum(differing) > 0


def _differs(ops, reference, call) -> bool:
    try:
        check(getattr(ops, call.op), getattr(reference, call.op), call, ops)
    except AssertionError as error:
        print(f"{call} DIFFERS: {error}")
        return True
    print(f"{call} agrees")
    return False


def _differs_from_pytorch(ops, name, table) -> bool:
    try:
        special_values.assert_equal(special_values.CASES[name](ops), table)
    except AssertionError as error:
        print(f"special values: {name} DIFFERS: {error}")
        return True
    print(f"special values: {name} agrees")
    return False


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
