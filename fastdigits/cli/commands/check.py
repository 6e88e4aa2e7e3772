"""`fastdigits check`."""

from time import perf_counter

import click

from fastdigits.cli.options.common import device_option, json_option, threads_option


@click.command("check", epilog="Example: fastdigits check --device cpu")
@device_option
@threads_option
@json_option
def command(device: str, threads: int | None, as_json: bool) -> None:
    """Verify that every operation and every gradient is computed correctly on this machine.

    Operations are compared with their definitions in float64, and gradients of whole networks also with
    differences of the loss. Errors are given as a percentage of what rounding explains. The exit code is 1 if a
    check fails.
    """
    start = perf_counter()
    from fastdigits.cli.actions import check

    check.run(device, threads, as_json, start)
