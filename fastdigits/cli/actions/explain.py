"""Run `fastdigits explain`: print the prediction for one image, and draw its saliency map and feature maps."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
import numpy as np

from fastdigits import ops
from fastdigits.cli.actions.common import load_test_part, say_written, warn_of_polarity, write_figure
from fastdigits.cli.options.figure_files import check_files
from fastdigits.errors import UserError
from fastdigits.imaging import read_picture
from fastdigits.inference.explain import Explanation, explain
from fastdigits.inference.recognizer import Recognizer
from fastdigits.nn.class_names import are_digits, label_of, noun, number_of
from fastdigits.plots import explanation
from fastdigits.storage.weights import SavedNetwork, read

TEST = "test:"
MAX_LISTED = 20  # probabilities


@dataclass(frozen=True, eq=False)
class ChosenImage:
    """An image uint8 (H, W), its name, and the number of its true class if known."""

    pixels: np.ndarray
    name: str
    label: int | None = None


def run(weights: str, image: str, output: str | None, against: str | None, data: str, as_json: bool) -> None:
    """Print how the network of a weights file classifies an image, and draw it.

    Raises
    ------
    UserError
        If the weights file or the image cannot be read, or `against` is no class or the predicted one.
    """
    check_files({"--output": output})
    if image.isascii() and image.isdigit() and not os.path.exists(image):
        raise UserError(f"There is no picture '{image}'; did you mean {TEST}{image}, a test image?")
    if image.startswith(TEST):
        saved = read(weights)
        chosen = _test_image(image, data, saved)
    else:
        recognizer = Recognizer(weights, "reference")
        saved, chosen = recognizer.saved, _prepared_picture(image, recognizer)
    names = saved.class_names
    rival = None if against is None else number_of(names, against)
    found = explain(saved, chosen.pixels, ops.load("reference"), rival, smooth=bool(output) or as_json)
    sentence = _sentence(saved, chosen, found)
    if output:
        saliencies = (found.saliency, found.smooth_saliency)
        figure = explanation.draw(
            found.image, found.probabilities, found.maps, saliencies, sentence, names, against=rival
        )
        write_figure(output, figure)
        say_written(output)
    if as_json:
        click.echo(json.dumps(_summary(saved, chosen, found, rival)))
    else:
        click.echo(_as_text(sentence, found, names, rival))


def _prepared_picture(path: str, recognizer: Recognizer) -> ChosenImage:
    """Prepare a picture in the way that makes the network most confident."""
    prepared, _ = recognizer.recognize(read_picture(path))
    return ChosenImage(prepared.image, path)


def _test_image(image: str, data: str, saved: SavedNetwork) -> ChosenImage:
    """Read test:INDEX from the data set; warn if the set has another polarity than the network's training images."""
    part = load_test_part(data, [saved])
    images, labels = part.images, part.labels
    warn_of_polarity([saved], images)
    index = image.removeprefix(TEST)
    if not (index.isascii() and index.isdigit() and int(index) < len(images)):
        raise UserError(f"There is no test image '{index}'; choose {TEST}0 to {TEST}{len(images) - 1}.")
    return ChosenImage(images[int(index)], f"test image {int(index)}", int(labels[int(index)]))


def _sentence(saved: SavedNetwork, chosen: ChosenImage, found: Explanation) -> str:
    names = saved.class_names
    if chosen.label is None:
        verdict = ""
    elif chosen.label == found.digit:
        verdict = " (correct)"
    else:
        verdict = f" (wrong: it is {'a ' if are_digits(names) else ''}{names[chosen.label]})"
    return f"{saved.model} classifies {chosen.name} as {names[found.digit]}{verdict}"


def _summary(saved: SavedNetwork, chosen: ChosenImage, found: Explanation, against: int | None) -> dict[str, Any]:
    names, kind = saved.class_names, noun(saved.class_names)
    return {
        "model": saved.model,
        "image": chosen.name,
        f"true_{kind}": None if chosen.label is None else label_of(names, chosen.label),
        kind: label_of(names, found.digit),
        "classes": names,
        "probabilities": found.probabilities.tolist(),
        "layers": {name: list(array.shape) for name, array in found.maps.items()},
        "against": None if against is None else label_of(names, against),
        "margin": found.margin,
        "saliency": found.saliency.tolist(),
        "smooth_saliency": found.smooth_saliency.tolist(),
    }


def _as_text(sentence: str, found: Explanation, names: Sequence[str], against: int | None) -> str:
    """List the highest probabilities in descending order, and the activations of every layer."""
    listed = (-found.probabilities).argsort(kind="stable")[:MAX_LISTED]
    wide = max(5, *(len(names[number]) for number in listed))
    lines = [sentence]
    if against is not None:
        lines.append(f"the score of {names[found.digit]} is {found.margin:.4g} above that of {names[against]}")
    lines += ["", f"{noun(names):{wide}}   probability"]
    lines += [f"{names[number]:>{wide}}{found.probabilities[number]:14.2%}" for number in listed]
    lines += [f"and {len(names) - MAX_LISTED} more"] if len(names) > MAX_LISTED else []
    width = max(len("layers"), *map(len, found.maps)) + 3
    lines += ["", f"{'layers':{width}}{'shape':>14}{'active':>10}{'highest':>12}"]
    for name, array in found.maps.items():
        shape = " x ".join(map(str, array.shape))
        lines.append(f"{name:{width}}{shape:>14}{(array > 0).mean():>10.1%}{array.max():>12.4g}")
    return "\n".join(lines)
