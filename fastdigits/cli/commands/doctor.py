"""`fastdigits doctor`."""

import click

from fastdigits.cli.options.common import json_option


@click.command("doctor", epilog="Example: fastdigits doctor\n\nfastdigits doctor --clean")
@click.option("--clean", is_flag=True, help="First remove the compiled kernels of other versions.")
@json_option
def command(clean: bool, as_json: bool) -> None:
    """Diagnose the installation and print the commands that fix problems.

    Examines the packages, the processor, the cache of compiled kernels and the CUDA driver and toolkit, and runs a
    trial kernel on each device. The exit code is 0 if the CPU works.
    """
    from fastdigits.cli.actions import doctor

    doctor.run(clean, as_json)
