"""Run `fastdigits data list`, `data verify` and `data download`."""

import json
from dataclasses import asdict
from typing import Any

import click

from fastdigits.data import download
from fastdigits.data.sources import PARTS, SHA256, SHIPPED, shipped_folder, summarize_part, verify
from fastdigits.errors import UserError


def list_sets(as_json: bool) -> None:
    """Print the included data set with its folder, parts and checksums."""
    folder = shipped_folder()
    shipped = {
        "name": SHIPPED,
        "folder": str(folder),
        "parts": {part: asdict(summarize_part(SHIPPED, part)) for part in PARTS},
        "files": [{"file": name, "sha256": SHA256[name], "state": state} for name, state in verify(folder)],
    }
    click.echo(json.dumps({"sets": [shipped]}) if as_json else _as_text(shipped))


def verify_files(folder: str | None, as_json: bool) -> None:
    """Print the state of each MNIST file of a folder, by default of the included ones.

    Raises
    ------
    UserError
        If a file is missing or has other content.
    """
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
            f"move the wrong files away, then run 'fastdigits data download --to {folder}'."
        )


def download_files(folder: str) -> None:
    """Download the MNIST files to a folder."""
    download.download(folder, download.MIRRORS, report=lambda line: click.echo(line, err=True))
    click.echo(f"The MNIST files are in {folder}; use them with --data {folder}.")


def _as_text(shipped: dict[str, Any]) -> str:
    lines = [f"{shipped['name']} in {shipped['folder']}"]
    for part, size in shipped["parts"].items():
        lines.append(
            f"  {part:6}{size['images']:6} images of {size['height']} x {size['width']}, {size['classes']} classes"
        )
    for file in shipped["files"]:
        lines.append(f"  {file['file']:28}sha256 {file['sha256'][:12]}  {file['state']}")
    return "\n".join(lines)
