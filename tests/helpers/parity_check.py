"""Compare the operations of a device, by default the CPU, with their definitions; exit with 1 if one differs.

This is a script because numba compiles for one CPU per process (NUMBA_CPU_NAME and NUMBA_CPU_FEATURES), and because
compute-sanitizer watches whole processes.
"""

import sys

from checks import check

from fastdigits.check.cases import calls
from fastdigits.ops import load


def main(device: str = "cpu") -> int:
    ops, reference = load(device), load("reference")
    print(f"{ops.lanes} lanes")
    if device == "cuda":
        import cupy

        cupy.cuda.set_allocator(None)  # allocate each array separately, so that the sanitizer sees accesses next to it
    return sum([_differs(ops, reference, call) for call in calls(ops.lanes, few=True)]) > 0


def _differs(ops, reference, call) -> bool:
    try:
        check(getattr(ops, call.op), getattr(reference, call.op), call, ops)
    except AssertionError as error:
        print(f"{call} DIFFERS: {error}")
        return True
    print(f"{call} agrees")
    return False


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
