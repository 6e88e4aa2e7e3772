"""`fastdigits data`: list, verify, download or pack data sets."""

import click

from fastdigits.cli.options.common import SuggestingGroup, examples, json_option
from fastdigits.cli.options.data import reading_options


@click.group("data", cls=SuggestingGroup, epilog="Example: fastdigits data list")
def command() -> None:
    """List, verify, download or pack data sets."""


@command.command("list", epilog="Example: fastdigits data list --json")
@json_option
def list_sets(as_json: bool) -> None:
    """Show the included data set and those that can be downloaded, with their folders."""
    from fastdigits.cli.actions import data

    data.list_sets(as_json)


@command.command("verify", epilog="Example: fastdigits data verify ./mnist")
@click.argument("folder", metavar="[DIR]", required=False)
@json_option
def verify(folder: str | None, as_json: bool) -> None:
    """Verify the SHA-256 checksums of MNIST files.

    By default, verify the included files. The exit code is 1 if a file is missing or its content differs.
    """
    from fastdigits.cli.actions import data

    data.verify_files(folder, as_json)


@command.command(
    "download", epilog=examples("fastdigits data download --to ./mnist", "fastdigits data download fashion-mnist")
)
@click.argument("name", metavar="[NAME]", required=False, default="mnist")
@click.option(
    "--to",
    "folder",
    metavar="DIR",
    show_default="./mnist for MNIST, else a folder in which --data NAME finds the set",
    help="Folder to save the files to.",
)
def download(name: str, folder: str | None) -> None:
    """Download a data set, by default the four MNIST files.

    NAME is one from 'fastdigits data list'. Files that already exist are not downloaded again. Existing files with
    other content are never overwritten.
    """
    from fastdigits.cli.actions import data

    data.download_files(name, folder)


@command.command("pack", epilog="Example: fastdigits data pack letters/ -o letters.h5")
@click.argument("source")
@click.option("-o", "--output", type=click.Path(), required=True, metavar="FILE.h5", help="File to write.")
@reading_options
@json_option
def pack(source: str, output: str, as_json: bool) -> None:
    """Pack a data set into a file that --data maps into memory.

    Training then starts at once, and the set may be larger than the memory. SOURCE is what --data takes.
    """
    from fastdigits.cli.actions import data

    data.pack_files(source, output, as_json)
