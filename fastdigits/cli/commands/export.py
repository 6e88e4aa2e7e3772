"""`fastdigits export`."""

import click

from fastdigits.cli.options.common import examples, is_given, json_option, usage_error
from fastdigits.errors import UserError
from fastdigits.export import FORMATS, INPUTS, format_of


@click.command(
    "export",
    epilog=examples(
        "fastdigits export weights.h5 -o digits.onnx --preprocessing",
        "fastdigits export weights.h5 -o digits.safetensors",
        "fastdigits export weights.h5 -o digits.py --to keras",
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
    as_json: bool,
) -> None:
    """Write the network in a WEIGHTS file for other programs.

    The format follows from the ending of FILE: .onnx is a graph in inference mode, with any number of images per
    batch; .safetensors and .npz hold the weights by PyTorch's names; .py is the source code of a PyTorch module whose
    load_state_dict takes these weights, or with --to keras of a Keras model.
    """
    try:
        name = name or format_of(output)
    except UserError as error:
        raise usage_error(error) from None
    if preprocessing and not FORMATS[name].preprocessing:
        raise click.UsageError(f"--preprocessing does not apply to the format {name}; leave it out.")
    if is_given(ctx, "pixels") and not preprocessing:
        raise click.UsageError("--input is the input of a graph with --preprocessing; give both, or neither.")
    from fastdigits.cli.actions import export

    export.run(weights, output, name, fold, pixels if preprocessing else None, as_json)
