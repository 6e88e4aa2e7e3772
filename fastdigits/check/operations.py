"""Each operation of a device against its definition in float64, on sizes that no tile divides."""

from collections.abc import Callable
from functools import partial
from inspect import unwrap

import numpy as np

from fastdigits import ops as devices
from fastdigits.check.cases import Call, calls
from fastdigits.check.compare import error_over_tolerance, run, tolerance
from fastdigits.check.result import CheckResult, describe_excess
from fastdigits.ops.interface import Ops

Outputs = dict[str, np.ndarray]


def steps(ops: Ops, exact: Ops) -> list[tuple[str, Callable[[], list[CheckResult]]]]:
    """One check for each operation: its function in `ops`, and that in `exact` where it is another."""
    definitions, found = devices.load("reference"), []
    by_operation: dict[str, list[Call]] = {}
    for call in calls(ops.lanes, few=True):
        by_operation.setdefault(call.op, []).append(call)
    for name, group in by_operation.items():
        functions = getattr(ops, name), getattr(exact, name)
        check = _one_method if unwrap(functions[0]) is unwrap(functions[1]) else _two_methods
        found.append((name, partial(check, ops, group, *functions, getattr(definitions, name))))
    return found


def _one_method(
    ops: Ops, group: list[Call], function: Callable, _same: Callable, definition: Callable
) -> list[CheckResult]:
    builder = _ResultBuilder(group[0].op, ops)
    for call in group:
        builder.add(call, function, run(definition, call, np.float64)[0])
    return [builder.result()]


def _two_methods(
    ops: Ops, group: list[Call], winograd: Callable, direct: Callable, definition: Callable
) -> list[CheckResult]:
    """Both methods against the definition, and against each other where Winograd's does not leave it to the direct."""
    op = group[0].op
    of_winograd, of_direct, of_both = (
        _ResultBuilder(f"{op} ({how})", ops) for how in ("winograd", "direct", "winograd to direct")
    )
    for call in group:
        exact = run(definition, call, np.float64)[0]
        sums = of_direct.add(call, direct, exact)
        if not _same_bits(run(winograd, call, ops=ops)[0], sums):
            of_winograd.add(call, winograd, exact)
            of_both.add(call, winograd, sums)
    return [builder.result() for builder in (of_winograd, of_direct, of_both) if builder.compared]


def _same_bits(one: Outputs, other: Outputs) -> bool:
    return all(one[name].tobytes() == other[name].tobytes() for name in one)


class _ResultBuilder:
    """The comparisons of one function, and the first that fails."""

    def __init__(self, subject: str, ops: Ops):
        self.ops, self.subject, self.compared, self.error_over_tolerance, self.failure = ops, subject, 0, 0.0, None

    def add(self, call: Call, function: Callable, exact: Outputs) -> Outputs:
        """Compare what a call fills with what it should; return it."""
        filled, changed = run(function, call, ops=self.ops)
        allowed = {name: tolerance(array.dtype, call.terms) for name, array in filled.items()}
        share = max(error_over_tolerance(filled[name], exact[name], allowed[name]) for name in filled)
        self.compared += 1
        self.error_over_tolerance = max(self.error_over_tolerance, share)
        if changed:
            self.failure = self.failure or f"{call.case}: it changes {changed[0]} or memory beside it"
        elif share > 1:
            self.failure = self.failure or f"{call.case}: {describe_excess(share)}"
        return filled

    def result(self) -> CheckResult:
        """All of it."""
        return CheckResult(self.subject, self.compared, self.error_over_tolerance, self.failure)
