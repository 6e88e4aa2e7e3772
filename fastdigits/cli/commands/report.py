"""`fastdigits report`."""

import click

from fastdigits.cli.options.arguments import HtmlFile
from fastdigits.cli.options.common import device_option, is_given, json_option, threads_option
from fastdigits.cli.options.data import data_options


@click.command("report", epilog="Example: fastdigits report weights.h5 -o report.html")
@click.argument("weights", metavar="WEIGHTS|STORE")
@click.option(
    "-o", "--output", type=HtmlFile(), default="report.html", show_default=True, help="HTML file of the report."
)
@data_options(default=None, show_default="that of the training")
@click.option(
    "--stats",
    "stats_file",
    type=click.Path(),
    metavar="FILE.json",
    help="Include the training times from a file written by 'train --stats'.",
)
@device_option
@threads_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    weights: str,
    output: str,
    data: str | None,
    stats_file: str | None,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Write an HTML report about a trained network, or about the store of a sweep.

    The page shows the training curves and settings, accuracy and speed on the test images, the worst mistakes, the
    layers and kernels, and the command that reproduces the training. It is a single file that needs no internet
    connection.

    The page of a STORE that 'fastdigits sweep' wrote ranks its settings by validation, and shows accuracy against each
    setting and against seconds.
    """
    from fastdigits.cli.actions import report, report_sweep

    if report_sweep.is_store(weights):
        for name in ("data", "stats_file"):
            if is_given(ctx, name):
                option = next(param.opts[0] for param in ctx.command.params if param.name == name)
                raise click.UsageError(f"{option} does not apply to the store of a sweep; leave it out.")
        report_sweep.run(weights, output, as_json)
        return
    report.run(weights, output, data, stats_file, device, threads, as_json)
