"""Run `fastdigits doctor`: examine the machine and print what to fix."""

import json
import textwrap
from typing import Any

import click

from fastdigits.doctor.report import examine
from fastdigits.errors import UserError
from fastdigits.ops.runtime import kernel_cache

WIDTH = 110  # of the text


def run(clean: bool, as_json: bool) -> None:
    """Print the report; with `clean`, first remove the compiled kernels of other versions.

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


def _as_text(report: Any) -> str:
    width = max(len(part.name) for parts in report.sections.values() for part in parts) + 2
    lines = []
    for name, parts in report.sections.items():
        lines += [name, *(line for part in parts for line in _part_lines(part, width)), ""]
    remedies = report.remedies()
    lines.append("what to do" if remedies else "nothing is missing")
    for command, reasons in remedies.items():
        lines += [f"  {command}", *(f"      {reason}" for reason in reasons)]
    return "\n".join(lines)


def _part_lines(part: Any, width: int) -> list[str]:
    wrapped = textwrap.wrap(part.value, WIDTH - width - 2, break_long_words=False, break_on_hyphens=False)
    first, *others = wrapped or [""]
    lines = [f"  {part.name:{width}}{first}", *(f"  {'':{width}}{line}" for line in others)]
    if part.problem:
        lines.append(f"  {'':{width}}! {part.problem}")
    return lines
