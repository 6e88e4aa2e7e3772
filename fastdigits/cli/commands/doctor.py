"""`fastdigits doctor`."""

import json
import textwrap
from typing import Any

import click

from fastdigits.cli.options.common import json_option
from fastdigits.errors import UserError

WIDTH = 110  # of the text


@click.command("doctor", epilog="Example: fastdigits doctor\n\nfastdigits doctor --clean")
@click.option("--clean", is_flag=True, help="First remove the compiled kernels of other versions.")
@json_option
def command(clean: bool, as_json: bool) -> None:
    """Say what this machine has for fastdigits, what is missing or wrong, and the commands that mend it.

    Looks at the packages, the processor, the folder of compiled kernels, and the driver and toolkit of CUDA, and
    tries a kernel on each device. The exit code is 0 if the CPU can be used.
    """
    from fastdigits.doctor.report import examine
    from fastdigits.ops.runtime import kernel_cache

    def say(line: str) -> None:
        click.echo(line, err=True)

    removed = kernel_cache.clean() if clean else []
    for folder in removed:
        say(f"removed {folder.path}")
    report = examine(say)
    figures = report.to_dict() | {"removed": [str(folder.path) for folder in removed]}
    click.echo(json.dumps(figures) if as_json else as_text(report))
    if report.why_no_cpu:
        raise UserError(f"The CPU cannot be used: {report.why_no_cpu}; do what it says above.")


def as_text(report: Any) -> str:
    """The parts, section by section, then the commands to run."""
    width = max(len(part.name) for parts in report.sections.values() for part in parts) + 2
    lines = []
    for name, parts in report.sections.items():
        lines += [name, *(line for part in parts for line in _lines(part, width)), ""]
    remedies = report.remedies()
    lines.append("what to do" if remedies else "nothing is missing")
    for command, reasons in remedies.items():
        lines += [f"  {command}", *(f"      {reason}" for reason in reasons)]
    return "\n".join(lines)


def _lines(part: Any, width: int) -> list[str]:
    first, *others = textwrap.wrap(part.value, WIDTH - width - 2, break_long_words=False, break_on_hyphens=False) or [
        ""
    ]
    lines = [f"  {part.name:{width}}{first}", *(f"  {'':{width}}{line}" for line in others)]
    if part.problem:
        lines.append(f"  {'':{width}}! {part.problem}")
    return lines
