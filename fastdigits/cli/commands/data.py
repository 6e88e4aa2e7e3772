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

    Without DIR, the included files are verified. The exit code is 1 if a file is missing or has other content.
    """
    from fastdigits.cli.actions import data

    data.verify_files(folder, as_json)


@command.command("download", epilog="Example: fastdigits data download --to ./mnist")
@click.option("--to", "folder", metavar="DIR", default="./mnist", show_default=True, help="Where to save the files.")
def download(folder: str) -> None:
    """Download the four MNIST files.

    Files that are already there are kept, and files of the same names with other content are never replaced.
    """
    from fastdigits.cli.actions import data

    data.download_files(folder)
