"""Run `fastdigits doctor`: examine the machine and print commands that fix the problems."""

import json
import textwrap

import click

from fastdigits.doctor.report import Report, examine
from fastdigits.errors import UserError
from fastdigits.ops.runtime import kernel_cache
from fastdigits.ops.runtime.diagnosis import Finding

WIDTH = 110  # characters in a line


def run(clean: bool, as_json: bool) -> None:
    """Print the report; with `clean`, remove the cached kernels of other versions first.

    Raises
    ------
    UserError
        If the CPU does not work.
    """

    def say(line: str) -> None:
        click.echo(line, err=True)

    removed = kernel_cache.clean() if clean else []
    for folder in removed:
        say(f"removed {folder.path}")
    report = examine(say)
    summary = report.to_dict() | {"removed": [str(folder.path) for folder in removed]}
    click.echo(json.dumps(summary) if as_json else _as_text(report))
    if report.why_no_cpu:
        raise UserError(f"The CPU cannot be used: {report.why_no_cpu}; follow the advice above.")


def _as_text(report: Report) -> str:
    width = max(len(finding.name) for findings in report.sections.values() for finding in findings) + 2
    lines = []
    for name, findings in report.sections.items():
        lines += [name, *(line for finding in findings for line in _finding_lines(finding, width)), ""]
    remedies = report.remedies()
    lines.append("what to do" if remedies else "nothing to fix")
    for command, reasons in remedies.items():
        lines += [f"  {command}", *(f"      {reason}" for reason in reasons)]
    return "\n".join(lines)


def _finding_lines(finding: Finding, width: int) -> list[str]:
    wrapped = textwrap.wrap(finding.value, WIDTH - width - 2, break_long_words=False, break_on_hyphens=False)
    first, *others = wrapped or [""]
    lines = [f"  {finding.name:{width}}{first}", *(f"  {'':{width}}{line}" for line in others)]
    if finding.problem:
        lines.append(f"  {'':{width}}! {finding.problem}")
    return lines
