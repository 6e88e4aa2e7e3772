"""Run `fastdigits serve`: load the networks and listen until Ctrl-C."""

from collections.abc import Sequence

import click

from fastdigits.ops.runtime import compilation, numba_setup
from fastdigits.serve import Limits, create_app, server

MEBI, MILLION = 2**20, 1_000_000


def run(
    weights: Sequence[str],
    host: str,
    port: int,
    allow_hosts: Sequence[str],
    allow_origins: Sequence[str],
    root_path: str,
    max_body: int,
    max_pixels: int,
    timeout: float,
    learn: str | None,
    device: str,
    threads: int | None,
) -> None:
    """Serve the networks of the weights files, by default the included network."""
    limits = Limits(body_bytes=max_body * MEBI, picture_pixels=max_pixels * MILLION, seconds=timeout)
    listener = server.bind(host, port)
    if learn is not None and not server.is_local(listener):
        raise click.UsageError(
            f"--learn needs a server that only this machine reaches, not --host {host}; leave one out."
        )
    hosts = [*server.own_hosts(host, listener), *allow_hosts]
    numba_setup.prepare_numba(threads)
    with compilation.shown(compilation.Line(click.echo)):
        app = create_app(weights or (None,), limits, allow_origins, hosts, root_path, device, threads, learn)
    names = ", ".join(facts.title for facts in app.state.recognition.worker.models)
    click.echo(f"{names} at {server.url(listener)}, API at {server.url(listener)}/docs; press Ctrl-C to stop.")
    server.run(app, listener)
    click.echo("Stopped.")
