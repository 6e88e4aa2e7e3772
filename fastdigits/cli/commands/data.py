"""`fastdigits data`: list, verify or download data sets."""

import click

from fastdigits.cli.options.common import SuggestingGroup, json_option


@click.group("data", cls=SuggestingGroup, epilog="Example: fastdigits data list")
def command() -> None:
    """List, verify or download data sets."""


@command.command("list", epilog="Example: fastdigits data list --json")
@json_option
def list_sets(as_json: bool) -> None:
    """Show the included data set and its location."""
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


@command.command("download", epilog="Example: fastdigits data download --to ./mnist")
@click.option(
    "--to", "folder", metavar="DIR", default="./mnist", show_default=True, help="Folder to save the files to."
)
def download(folder: str) -> None:
    """Download the four MNIST files.

    Files that already exist are not downloaded again. Existing files with other content are never overwritten.
    """
    from fastdigits.cli.actions import data

    data.download_files(folder)
