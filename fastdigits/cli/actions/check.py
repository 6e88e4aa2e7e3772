"""Run `fastdigits check`: compare every operation with its reference."""

import json
from math import isfinite
from time import perf_counter
from typing import Any

import click

from fastdigits import check, ops
from fastdigits.check.result import CheckResult
from fastdigits.cli.actions.common import load_ops
from fastdigits.cli.terminal.progress import run_steps
from fastdigits.errors import UserError


def run(device: str, threads: int | None, as_json: bool, start: float) -> None:
    """Run all checks and print the results; `start` is the time when the command began.

    Raises
    ------
    UserError
        If a check fails.
    """

    def say(line: str) -> None:
        click.echo(line, err=as_json)

    chosen = load_ops(device, threads, say)
    results = []
    for _, found in run_steps(check.steps(chosen, ops.load(chosen.device, threads, exact=True))):
        results += found
    summary = {
        "device": chosen.device,
        "lanes": chosen.lanes,
        "passed": all(result.passed for result in results),
        "checks": [_row(result) for result in results],
        "seconds": perf_counter() - start,
    }
    click.echo(json.dumps(summary) if as_json else _as_text(summary))
    for result in results:
        if not result.passed:
            raise UserError(
                f"The check of {result.subject} on {chosen.device} fails ({result.failure}); "
                f"report it with the output of 'fastdigits check --json'."
            )


def _row(result: CheckResult) -> dict[str, Any]:
    """Convert a result to plain JSON types, which have no infinity."""
    return {
        "check": result.subject,
        "compared": result.compared,
        "largest_error_share": result.error_over_tolerance if isfinite(result.error_over_tolerance) else None,
        "passed": result.passed,
        "failure": result.failure,
    }


def _as_text(summary: dict[str, Any]) -> str:
    width = max(len(row["check"]) for row in summary["checks"]) + 2
    lines = [f"{'check':{width}}{'compared':>10}{'error / tolerance':>21}"]
    for row in summary["checks"]:
        ratio = row["largest_error_share"]
        error = "infinite" if ratio is None else f"{ratio:.1%}"
        verdict = "passes" if row["passed"] else "FAILS"
        lines.append(f"{row['check']:{width}}{row['compared']:10,}{error:>21}  {verdict}")
    passed, lanes = sum(row["passed"] for row in summary["checks"]), summary["lanes"]
    lines.append(
        f"{passed} of {len(summary['checks'])} checks pass on {summary['device']} with "
        f"{lanes} {'lane' if lanes == 1 else 'lanes'}, after {summary['seconds']:.1f} s"
    )
    return "\n".join(lines)
