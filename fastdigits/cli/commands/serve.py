"""`fastdigits serve`."""

from typing import Any

import click

from fastdigits.cli.options.common import device_option, threads_option
from fastdigits.errors import UserError

MEBI, MILLION = 2**20, 1_000_000


@click.command("serve", epilog="Example: fastdigits serve\n\nfastdigits serve cnn.h5 lenet.h5 --port 9000")
@click.argument("weights", nargs=-1)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; 0.0.0.0 is all of them.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes any that is free."
)
@click.option(
    "--allow-origin",
    "allow_origins",
    multiple=True,
    metavar="ORIGIN",
    help="Let pages of this site ask, too, such as https://example.org, or * for all; may be repeated.",
)
@click.option(
    "--max-body", type=click.IntRange(1, 64), default=20, show_default=True, help="MiB that a request may have."
)
@click.option("--max-pixels", type=click.IntRange(1, 50), default=25, show_default=True, help="Millions in a picture.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 3600, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds for a request to arrive, and then for its answer.",
)
@device_option
@threads_option
def command(
    weights: tuple[str, ...],
    host: str,
    port: int,
    allow_origins: tuple[str, ...],
    max_body: int,
    max_pixels: int,
    timeout: float,
    **machine: Any,
) -> None:
    """Serve a page to draw digits on, and the same for programs by HTTP.

    Networks are read from WEIGHTS files; without any it is the one that comes along. Ctrl-C stops.
    """
    try:
        from fastdigits.serve import Limits, create_app, server
    except ModuleNotFoundError as error:
        raise UserError(f"Serving needs the package {error.name}; run: pip install 'fastdigits[serve]'.") from None
    from fastdigits.ops.runtime import numba_setup

    limits = Limits(body_bytes=max_body * MEBI, picture_pixels=max_pixels * MILLION, seconds=timeout)
    listener = server.bind(host, port)
    numba_setup.prepare_numba(machine["threads"])
    with numba_setup.on_first_compilation(lambda: click.echo("compiling kernels, once ...")):
        app = create_app(weights or (None,), limits, allow_origins, **machine)
    names = ", ".join(facts.name for facts in app.state.recognition.worker.models)
    click.echo(f"{names} at {server.url(listener)}, for programs at {server.url(listener)}/docs; Ctrl-C stops.")
    server.run(app, listener)
    click.echo("Stopped.")
