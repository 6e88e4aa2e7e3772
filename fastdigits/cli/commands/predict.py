"""`fastdigits predict`."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from fastdigits.cli.options.arguments import picture_paths
from fastdigits.cli.options.common import DEVICES, json_option, threads_option
from fastdigits.cli.options.figure_files import PictureFile, write
from fastdigits.cli.terminal import interrupt
from fastdigits.errors import UserError

if TYPE_CHECKING:
    from fastdigits.imaging import Prepared
    from fastdigits.inference.recognizer import Prediction, Recognizer

MAX_SHOWN = 30  # pictures in a figure
PERHAPS = 0.2  # confidence from which on a digit is worth telling of


@click.command(
    "predict",
    epilog="Example: fastdigits predict photo.jpg\n\nfastdigits predict scans/ 'more/*.png' --json\n\n"
    "fastdigits predict phone-number.jpg --several --show boxes.png",
)
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option("--weights", metavar="FILE", help="A trained network; the one that ships if not given.")
@click.option("--several", is_flag=True, help="Read every digit of each picture, line by line.")
@click.option(
    "--show",
    type=PictureFile(),
    metavar="FILE.png",
    help=f"Draw each picture (the first {MAX_SHOWN}), the steps of its preparation and the reading; also .svg, .pdf.",
)
@click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True, help="What to compute on.")
@threads_option
@json_option
def command(
    images: tuple[str, ...],
    weights: str | None,
    several: bool,
    show: str | None,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Read the digit of each IMAGE: a picture, a folder of pictures, or a quoted pattern such as 'scans/*.png'.

    PNG, JPEG, WebP, BMP, TIFF and GIF of any size and colours; of several frames or pages the first. Where the
    network had better not answer, since there is no digit or it could be another, it says that it is unsure.
    """
    from fastdigits.cli.terminal.progress import announcing_compilation
    from fastdigits.files import check_writable
    from fastdigits.inference.recognizer import Recognizer

    if show:
        check_writable(show)

    def say(line: str) -> None:
        click.echo(line, err=True)

    recognizer = Recognizer(weights, device, threads)
    if not recognizer.calibrated:
        say(f"{recognizer.weights} has no calibration: probabilities stay as they are, and below 50 % counts as unsure")
    predictions: list[Any] = []
    failed: list[Any] = []
    shown: list[Any] = []
    with announcing_compilation(recognizer.ops, say):
        for path, picture, outcome in _outcomes(images, recognizer, several):
            interrupt.check()
            if isinstance(outcome, UserError):
                failed.append({"image": path, "reason": str(outcome)})
                say(f"{path}: {outcome}")
                continue
            predictions.append({"image": path, **(_of_several(outcome) if several else _of_one(outcome))})
            if not as_json:
                click.echo(_as_text(predictions[-1]))
            if show and len(shown) < MAX_SHOWN:
                shown.append((path, picture, outcome) if several else (path, outcome))
    if show and shown:
        from fastdigits.plots import reading

        write(show, (reading.draw_lines if several else reading.draw)(shown))
    if as_json:
        click.echo(json.dumps({"predictions": predictions, "failed": failed}))
    if failed:
        count = len(predictions) + len(failed)
        raise UserError(
            f"{len(failed)} of {count} cannot be read, for the reasons above; mend these or leave them out."
        )


def _outcomes(images: tuple[str, ...], recognizer: "Recognizer", several: bool) -> Iterator[tuple[str, Any, Any]]:
    """Each picture's name, itself, and what was read in it, with --several line by line; or why it cannot be read."""
    from fastdigits.imaging import read_picture

    for name in images:
        try:
            paths = picture_paths(name)
        except UserError as error:
            yield name, None, error
            continue
        for path in paths:
            try:
                picture = read_picture(path)
            except UserError as error:
                yield path, None, UserError(str(error).removeprefix(f"{path}: "))
                continue
            yield path, picture, recognizer.recognize_all(picture) if several else recognizer.recognize(picture)


def _of_one(look: tuple["Prepared", "Prediction"]) -> dict[str, Any]:
    _, reading = look
    return {
        "digit": reading.digit,
        "confidence": reading.confidence,
        "probabilities": list(reading.probabilities),
        "second": reading.second,
        "unsure": reading.unsure,
    }


def _of_several(lines: list[list[tuple["Prepared", "Prediction"]]]) -> dict[str, Any]:
    digits = [
        {
            "digit": reading.digit,
            "confidence": reading.confidence,
            "box": list(prepared.box or ()),
            "unsure": reading.unsure,
        }
        for line in lines
        for prepared, reading in line
    ]
    return {"digits": digits, "text": "\n".join("".join(str(reading.digit) for _, reading in line) for line in lines)}


def _as_text(prediction: dict[str, Any]) -> str:
    image = click.format_filename(prediction["image"])
    if "text" in prediction:
        return f"{image}: {_digits_in_words(prediction)}"
    digit, second, p = prediction["digit"], prediction["second"], prediction["probabilities"]
    if prediction["unsure"] and p[digit] < PERHAPS:
        return f"{image}: unsure (no digit stands out)"
    if prediction["unsure"]:
        return f"{image}: unsure (perhaps {digit}, {p[digit]:.1%}, or {second}, {p[second]:.1%})"
    return f"{image}: {digit} ({p[digit]:.1%}; next {second}, {p[second]:.1%})"


def _digits_in_words(prediction: dict[str, Any]) -> str:
    if not prediction["digits"]:
        return "no digits"
    unsure = sum(digit["unsure"] for digit in prediction["digits"])
    text = prediction["text"].replace("\n", " / ")
    return f"{text} (unsure of {unsure} of {len(prediction['digits'])})" if unsure else text
