"""`fastdigits serve`."""

import re
from typing import Any

import click

from fastdigits.cli.options.arguments import Number
from fastdigits.cli.options.common import device_option, examples, threads_option
from fastdigits.errors import UserError

HOST = re.compile(r"\*|[\w.-]+(/\d+)?|[\da-f:]+:[\da-f:.]*(/\d+)?", re.ASCII | re.IGNORECASE)
ORIGIN = re.compile(r"\*|null|[\w.+-]+://[^/?#\s]+", re.ASCII)
ROOT_PATH = re.compile(r"(/[\w.~-]+)*/?", re.ASCII)


def pattern(expected: str, regex: re.Pattern) -> Any:
    """Return a callback that refuses values of an option that do not match."""

    def check(context: click.Context, option: click.Parameter, value: Any) -> Any:
        for given in (value,) if isinstance(value, str) else value:
            if not regex.fullmatch(given):
                raise click.BadParameter(f"{given!r} is not {expected}.")
        return value

    return check


@click.command("serve", epilog=examples("fastdigits serve", "fastdigits serve cnn.h5 lenet.h5 --port 9000"))
@click.argument("weights", nargs=-1)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all interfaces."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 for any free port.",
)
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    callback=pattern("a name such as example.org, without a scheme and a port", HOST),
    help="Accept requests for this name, such as the public one behind a proxy, or * for any. May be repeated.",
)
@click.option(
    "--allow-origin",
    "allow_origins",
    multiple=True,
    metavar="ORIGIN",
    callback=pattern("a site such as https://example.org, without a path", ORIGIN),
    help="Accept requests from pages of this site, such as https://example.org, or * for any site. May be repeated.",
)
@click.option(
    "--root-path",
    metavar="PATH",
    default="",
    callback=pattern("a path such as /digits", ROOT_PATH),
    help="Path at which a proxy publishes the server, such as /digits.",
)
@click.option(
    "--max-body", type=click.IntRange(1, 64), default=20, show_default=True, help="Maximum size of a request in MiB."
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1, 50),
    default=25,
    show_default=True,
    help="Maximum size of a picture in millions of pixels.",
)
@click.option(
    "--timeout",
    type=Number(0, 3600, min_open=True),
    default=10.0,
    show_default=True,
    help="Time limit in seconds for receiving a request, and again for answering it.",
)
@click.option(
    "--learn",
    metavar="FILE.h5",
    help="Let the page and programs on this machine correct predictions, keep the corrected images in this file, and "
    "fine-tune the network on them when asked.",
)
@device_option
@threads_option
def command(weights: tuple[str, ...], **options: Any) -> None:
    """Serve a drawing page and an HTTP API that recognize digits.

    The networks are those of the WEIGHTS files, by default the included network. Press Ctrl-C to stop.
    """
    try:
        from fastdigits.cli.actions import serve
    except ModuleNotFoundError as error:
        raise UserError(f"Serving needs the package {error.name}; run: pip install 'fastdigits[serve]'.") from None
    serve.run(weights, **options)
