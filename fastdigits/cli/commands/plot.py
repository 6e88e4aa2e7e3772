"""`fastdigits plot`."""

import click

from fastdigits.cli.options import figure_files


@click.command("plot", epilog="Example: fastdigits plot lenet.h5 cnn.h5 -o curves.png")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "-o",
    "--output",
    type=figure_files.PictureFile(),
    required=True,
    metavar="FILE.png",
    help="Where the picture goes; .svg and .pdf, too.",
)
@click.option("--title", default="", help="What the picture says above.")
def command(files: tuple[str, ...], output: str, title: str) -> None:
    """Draw loss, accuracy and learning rate against the epochs of trainings.

    A FILE is one of weights, a checkpoint, one that 'train --stats' wrote, or what 'train --json' printed. Trainings
    that differ in nothing but their seed or fold are drawn as their mean with a band of one standard deviation.
    """
    from fastdigits.files import check_writable
    from fastdigits.plots import curves
    from fastdigits.storage import training_logs

    series = training_logs.read(files)
    check_writable(output)
    figure_files.write(output, curves.draw(series, title))
    for one in series:
        click.echo(one.label)
    click.echo(f"picture: {click.format_filename(output)}")
