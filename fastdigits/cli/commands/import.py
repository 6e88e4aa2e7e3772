"""`fastdigits import`."""

import click

from fastdigits.cli.options.arguments import Number
from fastdigits.cli.options.common import examples, json_option, usage_error
from fastdigits.errors import UserError
from fastdigits.importing import check_suffix


@click.command(
    "import",
    epilog=examples(
        "fastdigits import digits.onnx -o weights.h5",
        "fastdigits import mnist_cnn.safetensors --model torch-example -o weights.h5",
    ),
)
@click.argument("file")
@click.option("-o", "--output", required=True, metavar="WEIGHTS", help="Weights file to write.")
@click.option(
    "--model",
    metavar="MODEL",
    help="Layers that the arrays of a .safetensors or .npz file belong to: a name from 'fastdigits models', or a .toml "
    "file. Exports of fastdigits describe them.",
)
@click.option(
    "--mean",
    type=Number(0, 1),
    show_default="as exported, or 0.1307",
    help="Mean of pixels from 0 to 1 in the training.",
)
@click.option(
    "--std",
    type=Number(0, min_open=True),
    show_default="as exported, or 0.3081",
    help="Standard deviation of pixels in the training.",
)
@json_option
def command(file: str, output: str, model: str | None, mean: float | None, std: float | None, as_json: bool) -> None:
    """Read a network that another program has trained, and write it as a weights file.

    FILE is an .onnx model, whose operators must be those of layers of fastdigits, or a .safetensors or .npz file of
    arrays by PyTorch's names. Arrays with other names than those of an export are assigned in order: the first
    convolution of the file to the first one of the model, and so on.
    """
    try:
        check_suffix(file)
    except UserError as error:
        raise usage_error(error) from None
    from fastdigits.cli.actions import import_file

    import_file.run(file, output, model, mean, std, as_json)
