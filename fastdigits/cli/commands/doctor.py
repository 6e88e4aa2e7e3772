"""`fastdigits doctor`."""

import click

from fastdigits.cli.options.common import examples, json_option


@click.command("doctor", epilog=examples("fastdigits doctor", "fastdigits doctor --clean"))
@click.option("--clean", is_flag=True, help="Remove the cached kernels of other versions first.")
@json_option
def command(clean: bool, as_json: bool) -> None:
    """Diagnose the installation and print commands that fix the problems.

    Examine the packages, the processor, the kernel cache and the CUDA driver and toolkit, and run a test kernel on
    each device. The exit code is 0 if the CPU works.
    """
    from fastdigits.cli.actions import doctor

    doctor.run(clean, as_json)
