"""`fastdigits check`."""

import json
from math import isfinite
from time import perf_counter
from typing import Any

import click

from fastdigits.cli.options.common import device_option, json_option, load_ops, threads_option
from fastdigits.errors import UserError


@click.command("check", epilog="Example: fastdigits check --device cpu")
@device_option
@threads_option
@json_option
def command(device: str, threads: int | None, as_json: bool) -> None:
    """Check on this machine that every operation computes what it is defined to, and networks their gradients.

    Errors are given as shares of what rounding explains: each operation against its definition in float64,
    convolutions by both of their methods, and the gradients of whole networks also against differences
    of the loss. The exit code is 1 if anything fails.
    """
    start = perf_counter()
    from fastdigits import check, ops
    from fastdigits.cli.terminal.progress import announcing_compilation, run_steps

    def say(line: str) -> None:
        click.echo(line, err=as_json)

    chosen = load_ops(device, threads, say)
    results = []
    with announcing_compilation(chosen, say):
        for _, found in run_steps(check.steps(chosen, ops.load(chosen.device, threads, exact=True))):
            results += found
    summary = {
        "device": chosen.device,
        "lanes": chosen.lanes,
        "passed": all(result.passed for result in results),
        "checks": [_figures(result) for result in results],
        "seconds": perf_counter() - start,
    }
    click.echo(json.dumps(summary) if as_json else _as_text(summary))
    for result in results:
        if not result.passed:
            raise UserError(
                f"The check of {result.subject} on {chosen.device} fails ({result.failure}); "
                f"report it with what 'fastdigits check --json' prints."
            )


def _figures(result: Any) -> dict[str, Any]:
    """A result as plain JSON types, which know no infinity."""
    return {
        "check": result.subject,
        "compared": result.compared,
        "largest_error_share": result.error_over_tolerance if isfinite(result.error_over_tolerance) else None,
        "passed": result.passed,
        "failure": result.failure,
    }


def _as_text(summary: dict[str, Any]) -> str:
    width = max(len(row["check"]) for row in summary["checks"]) + 2
    lines = [f"{'check':{width}}{'compared':>10}{'error, of tolerance':>21}"]
    for row in summary["checks"]:
        share = row["largest_error_share"]
        error = "infinite" if share is None else f"{share:.1%}"
        verdict = "passes" if row["passed"] else "FAILS"
        lines.append(f"{row['check']:{width}}{row['compared']:10,}{error:>21}  {verdict}")
    passed, lanes = sum(row["passed"] for row in summary["checks"]), summary["lanes"]
    lines.append(
        f"{passed} of {len(summary['checks'])} checks pass on {summary['device']} with "
        f"{lanes} {'lane' if lanes == 1 else 'lanes'}, after {summary['seconds']:.1f} s"
    )
    return "\n".join(lines)
