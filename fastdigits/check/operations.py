"""Check each op of a device against the float64 reference."""

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
    """Return one check per op as (name, function) pairs; a check covers the op in `exact` as well if it differs."""
    reference = devices.load("reference")
    checks: list[tuple[str, Callable[[], list[CheckResult]]]] = []
    by_op: dict[str, list[Call]] = {}
    for call in calls(ops.lanes, few=True):
        by_op.setdefault(call.op, []).append(call)
    for name, group in by_op.items():
        functions = getattr(ops, name), getattr(exact, name)
        check = _one_method if unwrap(functions[0]) is unwrap(functions[1]) else _two_methods
        checks.append((name, partial(check, ops, group, *functions, getattr(reference, name))))
    return checks


def _one_method(
    ops: Ops, group: list[Call], function: Callable, _same: Callable, reference: Callable
) -> list[CheckResult]:
    builder = _ResultBuilder(group[0].op, ops)
    for call in group:
        builder.add(call, function, run(reference, call, np.float64)[0])
    return [builder.result()]


def _two_methods(
    ops: Ops, group: list[Call], winograd: Callable, direct: Callable, reference: Callable
) -> list[CheckResult]:
    """Check both methods against the reference, and against each other for calls that use Winograd's method."""
    op = group[0].op
    of_winograd, of_direct, of_both = (
        _ResultBuilder(f"{op} ({how})", ops) for how in ("winograd", "direct", "winograd to direct")
    )
    for call in group:
        exact = run(reference, call, np.float64)[0]
        sums = of_direct.add(call, direct, exact)
        if not _same_bits(run(winograd, call, ops=ops)[0], sums):
            of_winograd.add(call, winograd, exact)
            of_both.add(call, winograd, sums)
    return [builder.result() for builder in (of_winograd, of_direct, of_both) if builder.compared]


def _same_bits(one: Outputs, other: Outputs) -> bool:
    return all(one[name].tobytes() == other[name].tobytes() for name in one)


class _ResultBuilder:
    """Collector of the comparisons of one function and of its first failure."""

    def __init__(self, subject: str, ops: Ops):
        self.ops, self.subject, self.compared, self.error_over_tolerance = ops, subject, 0, 0.0
        self.failure: str | None = None

    def add(self, call: Call, function: Callable, exact: Outputs) -> Outputs:
        """Compare the outputs of a call with the exact ones, and return them."""
        filled, changed = run(function, call, ops=self.ops)
        allowed = {name: tolerance(array.dtype, call.terms) for name, array in filled.items()}
        error = max(error_over_tolerance(filled[name], exact[name], allowed[name]) for name in filled)
        self.compared += 1
        self.error_over_tolerance = max(self.error_over_tolerance, error)
        if changed:
            self.failure = self.failure or f"{call.case}: it changes {changed[0]} or memory next to it"
        elif error > 1:
            self.failure = self.failure or f"{call.case}: {describe_excess(error)}"
        return filled

    def result(self) -> CheckResult:
        """Return the result of all comparisons."""
        return CheckResult(self.subject, self.compared, self.error_over_tolerance, self.failure)
