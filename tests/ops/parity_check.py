"""Compares every operation on the CPU with its definition and exits with 1 if one differs.

A script of its own, because numba can pretend only one CPU in a process: NUMBA_CPU_NAME and
NUMBA_CPU_FEATURES say which.
"""

import sys

from checks import check

from fastdigits.check.cases import calls
from fastdigits.ops import load


def main() -> int:
    cpu, reference = load("cpu"), load("reference")
    print(f"{cpu.lanes} lanes")
    return sum([_differs(cpu, reference, call) for call in calls(cpu.lanes, few=True)]) > 0


def _differs(cpu, reference, call) -> bool:
    try:
        check(getattr(cpu, call.op), getattr(reference, call.op), call)
    except AssertionError as error:
        print(f"{call} DIFFERS: {error}")
        return True
    print(f"{call} agrees")
    return False


if __name__ == "__main__":
    sys.exit(main())
