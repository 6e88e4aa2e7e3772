"""Run `fastdigits data list`, `data verify`, `data download` and `data pack`."""

import json
import os
from dataclasses import asdict
from typing import Any

import click

from fastdigits.cli.options.data import chosen_reading
from fastdigits.cli.terminal.names import printable
from fastdigits.data import download
from fastdigits.data.named import SETS, folder_of_set
from fastdigits.data.packing import pack
from fastdigits.data.sources import PARTS, SHA256, SHIPPED, shipped_folder, summarize_part, verify
from fastdigits.errors import UserError
from fastdigits.files import check_writable


def list_sets(as_json: bool) -> None:
    """Print the included data set with its folder, parts and checksums, and the sets that can be downloaded."""
    folder = shipped_folder()
    shipped = {
        "name": SHIPPED,
        "folder": str(folder),
        "parts": {part: asdict(summarize_part(SHIPPED, part)) for part in PARTS},
        "files": [{"file": name, "sha256": SHA256[name], "state": state} for name, state in verify(folder)],
    }
    others = [
        {
            "name": name,
            "description": one.description,
            "licence": one.licence,
            "homepage": one.homepage,
            "folder": str(folder_of_set(name)),
            "downloaded": folder_of_set(name).is_dir(),
        }
        for name, one in SETS.items()
    ]
    if as_json:
        click.echo(json.dumps({"sets": [shipped], "downloads": others}))
        return
    click.echo(_as_text(shipped))
    for one in others:
        state = f"in {one['folder']}" if one["downloaded"] else f"not here: fastdigits data download {one['name']}"
        click.echo(f"\n{one['name']}: {one['description']}\n  licence: {one['licence']}; {one['homepage']}\n  {state}")


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


def download_files(name: str, folder: str | None) -> None:
    """Download a data set to a folder, by default that in which --data finds it; MNIST, to ./mnist.

    Raises
    ------
    click.UsageError
        If there is no set of this name.
    UserError
        See `download.download_set`.
    """

    def report(line: str) -> None:
        click.echo(line, err=True)

    if name == SHIPPED:
        folder = folder or "./mnist"
        download.download(folder, download.MIRRORS, report)
        click.echo(f"The MNIST files are in {folder}; use them with --data {folder}.")
        return
    if name not in SETS:
        raise click.UsageError(f"There is no data set '{name}'; choose among {', '.join((SHIPPED, *SETS))}.")
    written = download.download_set(name, folder, report=report)
    click.echo(f"The files of {name} are in {written}; use them with --data {folder or name}.")


def pack_files(source: str, output: str, as_json: bool) -> None:
    """Write a data set to a packed file, and print its size."""
    check_writable(output)
    packed = pack(source, output, **chosen_reading())
    if packed.notes:
        click.echo(f"{printable(source)}: {'; '.join(packed.notes)}", err=True)
    megabytes = os.path.getsize(output) / 1e6
    parts = ", ".join(f"{count:,} {name}" for name, count in packed.counts.items())
    if as_json:
        summary = {"source": source, "output": output, "images": packed.counts, "size": packed.size}
        click.echo(json.dumps(summary | {"classes": packed.classes}))
        return
    height, width = packed.size
    click.echo(f"{parts} images of {height} x {width}, {len(packed.classes)} classes")
    click.echo(f"written: {printable(output)}, {megabytes:,.1f} MB; use it with --data {printable(output)}")


def _as_text(shipped: dict[str, Any]) -> str:
    lines = [f"{shipped['name']} in {shipped['folder']}"]
    for part, size in shipped["parts"].items():
        lines.append(
            f"  {part:6}{size['images']:6} images of {size['height']} x {size['width']}, {size['classes']} classes"
        )
    for file in shipped["files"]:
        lines.append(f"  {file['file']:28}sha256 {file['sha256'][:12]}  {file['state']}")
    return "\n".join(lines)
