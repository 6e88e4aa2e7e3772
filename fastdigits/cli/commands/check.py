"""`fastdigits check`."""

from time import perf_counter

import click

from fastdigits.cli.options.common import device_option, json_option, threads_option


@click.command("check", epilog="Example: fastdigits check --device cpu")
@device_option
@threads_option
@json_option
def command(device: str, threads: int | None, as_json: bool) -> None:
    """Verify that all operations and gradients are computed correctly on this machine.

    Each operation is compared with a float64 reference. Gradients of whole networks are also compared with finite
    differences of the loss. Errors are given as a percentage of the tolerance for rounding. The exit code is 1 if a
    check fails.
    """
    start = perf_counter()
    from fastdigits.cli.actions import check

    check.run(device, threads, as_json, start)
