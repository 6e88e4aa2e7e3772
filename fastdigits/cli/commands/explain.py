"""`fastdigits explain`."""

import json
from typing import TYPE_CHECKING, Any

import click

from fastdigits.cli.options import figure_files
from fastdigits.cli.options.common import data_option, json_option

if TYPE_CHECKING:
    from fastdigits.cli.options.arguments import ChosenImage
    from fastdigits.inference.explain import Explanation


@click.command(
    "explain",
    epilog="Example: fastdigits explain weights.h5 test:8 -o explained.png\n\n"
    "fastdigits explain weights.h5 photo.jpg -o explained.svg",
)
@click.argument("weights")
@click.argument("image", metavar="IMAGE|test:INDEX")
@click.option(
    "-o",
    "--output",
    type=figure_files.PictureFile(),
    metavar="FILE.png",
    help="Draw which pixels decide, and what every layer makes of the image.",
)
@data_option
@json_option
def command(weights: str, image: str, output: str | None, data: str, as_json: bool) -> None:
    """Show how the network of a WEIGHTS file reads an image: any picture of a digit, or one of the test images.

    Computed by the definitions in NumPy: for a single image there is nothing to compile.
    """
    from fastdigits import ops
    from fastdigits.cli.options import arguments
    from fastdigits.inference.explain import explain
    from fastdigits.storage.weights import read

    figure_files.check_files({"--output": output})
    saved, chosen = read(weights), arguments.read(image, data, weights)
    found = explain(saved, chosen.pixels, ops.load("reference"))
    sentence = _sentence(saved.model, chosen, found)
    if output:
        from fastdigits.plots import explanation

        figure = explanation.draw(found.image, found.probabilities, found.maps, found.saliency, sentence)
        figure_files.write(output, figure)
    click.echo(json.dumps(_summary(saved.model, chosen, found)) if as_json else _as_text(sentence, found))


def _sentence(model: str, chosen: "ChosenImage", found: "Explanation") -> str:
    right = (
        ""
        if chosen.digit is None
        else ", which is right"
        if chosen.digit == found.digit
        else f", but it is a {chosen.digit}"
    )
    return f"{model} reads {chosen.name} as {found.digit}{right}"


def _summary(model: str, chosen: "ChosenImage", found: "Explanation") -> dict[str, Any]:
    return {
        "model": model,
        "image": chosen.name,
        "true_digit": chosen.digit,
        "digit": found.digit,
        "probabilities": found.probabilities.tolist(),
        "layers": {name: list(array.shape) for name, array in found.maps.items()},
        "saliency": found.saliency.tolist(),
    }


def _as_text(sentence: str, found: "Explanation") -> str:
    """The probabilities, the highest first, and how active every layer is."""
    lines = [sentence, "", "digit   probability"]
    lines += [f"{digit:5}{found.probabilities[digit]:14.2%}" for digit in (-found.probabilities).argsort()]
    width = max(len("layers"), *map(len, found.maps)) + 3
    lines += ["", f"{'layers':{width}}{'shape':>14}{'active':>10}{'highest':>12}"]
    for name, array in found.maps.items():
        shape = " x ".join(map(str, array.shape))
        lines.append(f"{name:{width}}{shape:>14}{(array > 0).mean():>10.1%}{array.max():>12.4g}")
    return "\n".join(lines)
