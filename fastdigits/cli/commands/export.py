"""`fastdigits export`."""

import click

from fastdigits.cli.options.common import examples, is_given, json_option, usage_error
from fastdigits.errors import UserError
from fastdigits.export import FORMATS, INPUTS, ExportOptions, format_of


@click.command(
    "export",
    epilog=examples(
        "fastdigits export weights.h5 -o digits.onnx --preprocessing",
        "fastdigits export weights.h5 -o digits.safetensors",
        "fastdigits export weights.h5 -o digits.py --to keras",
        "fastdigits export weights.h5 -o digits.html",
        "fastdigits export weights.h5 -o digits.c --int8",
    ),
)
@click.argument("weights")
@click.option("-o", "--output", type=click.Path(), required=True, metavar="FILE", help="File to write.")
@click.option(
    "--to", "name", type=click.Choice(list(FORMATS)), show_default="by the ending of FILE", help="Format of the file."
)
@click.option(
    "--fold", is_flag=True, help="Fold batch normalizations into the layers before them, and leave out dropout."
)
@click.option("--preprocessing", is_flag=True, help="Put the preprocessing of pixels into the graph (onnx).")
@click.option(
    "--input",
    "pixels",
    type=click.Choice(INPUTS),
    default="uint8",
    show_default=True,
    help="Pixels that a graph with --preprocessing takes: uint8 from 0 to 255, or float from 0 to 1.",
)
@click.option("--int8", is_flag=True, help="Quantize the network to 8-bit integers, calibrated on training images (c).")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    weights: str,
    output: str,
    name: str | None,
    fold: bool,
    preprocessing: bool,
    pixels: str,
    int8: bool,
    as_json: bool,
) -> None:
    """Write the network in a WEIGHTS file for other programs.

    The format follows from the ending of FILE: .onnx is a graph in inference mode, with any number of images per
    batch; .safetensors and .npz hold the weights by PyTorch's names; .py is the source code of a PyTorch module whose
    load_state_dict takes these weights, or with --to keras of a Keras model; .html is a page to draw digits on, which
    needs no server; .c and .h are C99 for any machine, in float32 or int8.
    """
    try:
        name = name or format_of(output)
    except UserError as error:
        raise usage_error(error) from None
    if preprocessing and not FORMATS[name].preprocessing:
        raise click.UsageError(f"--preprocessing does not apply to the format {name}; leave it out.")
    if is_given(ctx, "pixels") and not preprocessing:
        raise click.UsageError("--input is the input of a graph with --preprocessing; give both, or neither.")
    if int8 and not FORMATS[name].int8:
        raise click.UsageError(f"--int8 does not apply to the format {name}; leave it out.")
    from fastdigits.cli.actions import export

    options = ExportOptions(fold, pixels if preprocessing else None, int8)
    export.run(weights, output, name, options, as_json)
