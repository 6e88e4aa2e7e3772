"""`fastdigits data`: list, verify or download the data sets."""

import json
from dataclasses import asdict

import click

from fastdigits.errors import UserError

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")


@click.group("data", epilog="Example: fastdigits data list")
def command() -> None:
    """List, verify or download the data sets."""


@command.command("list", epilog="Example: fastdigits data list --json")
@json_option
def list_sets(as_json: bool) -> None:
    """Show the shipped data set and where it lies."""
    from fastdigits.data.sources import PREFIXES, SHA256, SHIPPED, shipped_folder, summarize_part, verify

    folder = shipped_folder()
    shipped = {
        "name": SHIPPED,
        "folder": str(folder),
        "parts": {part: asdict(summarize_part(SHIPPED, part)) for part in PREFIXES},
        "files": [{"file": name, "sha256": SHA256[name], "state": state} for name, state in verify(folder)],
    }
    click.echo(json.dumps({"sets": [shipped]}) if as_json else _as_text(shipped))


@command.command("verify", epilog="Example: fastdigits data verify ./mnist")
@click.argument("folder", metavar="[DIR]", required=False)
@json_option
def verify_files(folder: str | None, as_json: bool) -> None:
    """Check MNIST files by their sha256 sums.

    DIR is the folder that holds them; without it the shipped files are checked. The exit code is 1
    when a file is missing or has other content.
    """
    from fastdigits.data.sources import shipped_folder, verify

    folder = folder or str(shipped_folder())
    states = verify(folder)
    wrong = [f"{name} ({state})" for name, state in states if state != "ok"]
    if as_json:
        files = [{"file": name, "state": state} for name, state in states]
        click.echo(json.dumps({"folder": folder, "ok": not wrong, "files": files}))
    else:
        click.echo("\n".join(f"{name:28}{state}" for name, state in states))
    if wrong:
        raise UserError(
            f"{folder} does not hold the original MNIST files: {', '.join(wrong)}; "
            f"move what is wrong away, then fetch it with 'fastdigits data download --to {folder}'."
        )


@command.command("download", epilog="Example: fastdigits data download --to ./mnist")
@click.option("--to", "folder", metavar="DIR", default="./mnist", show_default=True, help="Where the files go.")
def download_files(folder: str) -> None:
    """Download the four MNIST files into DIR.

    Files that are there and right are kept; where one of these names holds something else, nothing is replaced.
    """
    from fastdigits.data.download import MIRRORS, download

    download(folder, MIRRORS, report=lambda line: click.echo(line, err=True))
    click.echo(f"The MNIST files are in {folder}; use them with --data {folder}.")


def _as_text(shipped: dict) -> str:
    lines = [f"{shipped['name']} in {shipped['folder']}"]
    for part, size in shipped["parts"].items():
        lines.append(
            f"  {part:6}{size['images']:6} images of {size['height']} x {size['width']}, {size['classes']} classes"
        )
    for file in shipped["files"]:
        lines.append(f"  {file['file']:28}sha256 {file['sha256'][:12]}  {file['state']}")
    return "\n".join(lines)
