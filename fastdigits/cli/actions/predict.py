"""Run `fastdigits predict`: recognize the digits in pictures."""

import json
import os
from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import Any

import click
import numpy as np

from fastdigits.cli.actions.common import say_written, write_figure
from fastdigits.cli.options.figure_files import check_files
from fastdigits.cli.terminal import interrupt
from fastdigits.cli.terminal.progress import CountProgress, announce_compilation
from fastdigits.errors import NotFiniteError, UserError
from fastdigits.imaging import Picture, Prepared, open_picture
from fastdigits.inference.recognizer import Prediction, Recognizer
from fastdigits.plots import predictions as prediction_plot

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
MAX_SHOWN = 30  # pictures in a figure
MIN_GUESS = 0.2  # lowest probability of a digit that is named as a guess


def run(
    images: Sequence[str],
    weights: str | None,
    several: bool,
    show: str | None,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Print the predictions for all pictures, and draw the first ones.

    Raises
    ------
    UserError
        If a picture cannot be read; raised after the other pictures are done.
    """

    def say(line: str) -> None:
        click.echo(line, err=True)

    check_files({"--show": show})
    recognizer = Recognizer(weights, device, threads)
    if not recognizer.calibrated:
        say(f"{recognizer.weights} has no calibration: probabilities are not adjusted, and below 50 % count as unsure")
    predictions: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    shown: list[Any] = []  # (name, picture, lines) with `several`, else (name, (prepared, prediction))
    with announce_compilation(recognizer.ops, say):
        for path, picture, result in _recognize(images, recognizer, several):
            interrupt.check()
            if isinstance(result, UserError):
                failed.append({"image": path, "reason": str(result)})
                say(f"{path}: {result}")
                continue
            predictions.append({"image": path, **(_all_digits(result, picture) if several else _one_digit(result))})
            if not as_json:
                click.echo(_as_text(predictions[-1]))
            if show and len(shown) < MAX_SHOWN:
                shown.append((path, picture.pixels, result) if several else (path, result))
    if show and shown:
        write_figure(show, (prediction_plot.draw_lines if several else prediction_plot.draw)(shown))
        say_written(show)
    if as_json:
        click.echo(json.dumps({"predictions": predictions, "failed": failed}))
    if failed:
        count = len(predictions) + len(failed)
        raise UserError(f"{len(failed)} of {count} cannot be read, for the reasons above; fix these or leave them out.")


def _recognize(
    images: Sequence[str], recognizer: Recognizer, several: bool
) -> Iterator[tuple[str, Picture | Any, Any]]:
    """Yield (path, picture, result) for each picture; the result is a UserError if the picture cannot be read."""
    for name in images:
        try:
            paths = _picture_paths(name)
        except UserError as error:
            yield name, None, error
            continue
        for path in paths:
            try:
                picture = open_picture(path)
                pixels = picture.pixels
                result = _recognize_all(recognizer, pixels) if several else recognizer.recognize(pixels)
            except NotFiniteError:  # not a fault of this picture
                raise
            except UserError as error:
                yield path, None, UserError(str(error).removeprefix(f"{path}: "))
                continue
            yield path, picture, result


def _recognize_all(recognizer: Recognizer, pixels: np.ndarray) -> list[list[tuple[Prepared, Prediction]]]:
    with CountProgress("shapes") as on_progress:
        return recognizer.recognize_all(pixels, on_progress)


def _picture_paths(name: str) -> list[str]:
    """List the pictures of a folder or a pattern in alphabetical order, or return the name of a single file.

    Raises
    ------
    UserError
        If nothing matches a pattern, or a folder holds no picture.
    """
    if os.path.isdir(name):
        paths = [str(path) for path in sorted(Path(name).iterdir()) if path.suffix.lower() in EXTENSIONS]
        if not paths:
            endings = f"{', '.join(EXTENSIONS[:-1])} or {EXTENSIONS[-1]}"
            raise UserError(f"no file in this folder ends with {endings}; name the pictures one by one.")
        return paths
    if has_magic(name) and not os.path.exists(name):
        paths = sorted(path for path in glob(name, recursive=True) if os.path.isfile(path))
        if not paths:
            raise UserError("no file matches this pattern; check the pattern.")
        return paths
    return [name]


def _one_digit(result: tuple[Prepared, Prediction]) -> dict[str, Any]:
    _, prediction = result
    return {
        "digit": prediction.digit,
        "confidence": prediction.confidence,
        "probabilities": list(prediction.probabilities),
        "second": prediction.second,
        "unsure": prediction.unsure,
    }


def _all_digits(lines: list[list[tuple[Prepared, Prediction]]], picture: Picture) -> dict[str, Any]:
    digits = [
        {
            "digit": prediction.digit,
            "confidence": prediction.confidence,
            "box": list(picture.box_in_file(prepared.box)) if prepared.box else [],
            "unsure": prediction.unsure,
        }
        for line in lines
        for prepared, prediction in line
    ]
    text = "\n".join("".join(str(prediction.digit) for _, prediction in line) for line in lines)
    return {"digits": digits, "text": text}


def _as_text(row: dict[str, Any]) -> str:
    image = click.format_filename(row["image"])
    if "text" in row:
        return f"{image}: {_digits_text(row)}"
    digit, second, p = row["digit"], row["second"], row["probabilities"]
    if row["unsure"] and p[digit] < MIN_GUESS:
        return f"{image}: unsure (no digit stands out)"
    if row["unsure"]:
        return f"{image}: unsure (perhaps {digit}, {p[digit]:.1%}, or {second}, {p[second]:.1%})"
    return f"{image}: {digit} ({p[digit]:.1%}; next {second}, {p[second]:.1%})"


def _digits_text(row: dict[str, Any]) -> str:
    if not row["digits"]:
        return "no digits"
    unsure = sum(digit["unsure"] for digit in row["digits"])
    text = row["text"].replace("\n", " / ")
    return f"{text} (unsure of {unsure} of {len(row['digits'])})" if unsure else text
