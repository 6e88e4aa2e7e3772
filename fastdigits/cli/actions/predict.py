"""Run `fastdigits predict`: recognize the digit in each picture, or read all numbers."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from glob import escape, glob, has_magic
from math import prod
from pathlib import Path
from typing import Any

import click

from fastdigits.cli.actions.common import say_written, write_figure
from fastdigits.cli.options.figure_files import check_files
from fastdigits.cli.terminal import interrupt
from fastdigits.cli.terminal.names import printable
from fastdigits.cli.terminal.progress import CountProgress, announce_compilation
from fastdigits.errors import NotFiniteError, UserError
from fastdigits.imaging import MAX_BYTES, Picture, Prepared, open_picture
from fastdigits.inference.numbers import Number, NumberReader
from fastdigits.inference.recognizer import Prediction, Recognizer
from fastdigits.inference.sequences import Restriction
from fastdigits.nn.class_names import are_digits, label_of, noun
from fastdigits.plots import predictions as prediction_plot

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
MAX_SHOWN = 30  # pictures in a figure
STDIN = "-"
MIN_GUESS = 0.2  # lowest probability of a digit that is named as a guess


def run(
    images: Sequence[str],
    weights: str | None,
    several: bool,
    restriction: Restriction,
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
    if STDIN in images and (sys.stdin is None or sys.stdin.isatty()):
        raise click.UsageError("- reads a picture from standard input; redirect it, as in 'predict - < photo.jpg'.")
    recognizer = (NumberReader if several else Recognizer)(weights, device, threads)
    others = cache(partial(NumberReader, None, device, threads))  # reads what else a picture of one digit shows
    if not recognizer.calibrated:
        network = printable(f"{recognizer.model} ({recognizer.weights})")
        say(f"{network} has no calibration: probabilities are not adjusted, and below 50 % count as unsure")
    classes = () if isinstance(recognizer, NumberReader) else recognizer.classes
    predictions: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    shown: list[Any] = []  # (name, picture, numbers) with `several`, else (name, (prepared, prediction))
    with announce_compilation(recognizer.ops, say):
        for path, picture, result in _recognize(images, recognizer, restriction):
            interrupt.check()
            if isinstance(result, UserError):
                failed.append({"image": path, "reason": str(result)})
                say(printable(f"{path}: {result}"))
                continue
            row = _all_numbers(result, picture) if several else _one_digit(result, picture, others)
            predictions.append({"image": path, **row})
            if not as_json:
                click.echo(_as_text(predictions[-1], classes))
            if show and len(shown) < MAX_SHOWN:
                shown.append((path, picture.pixels, result) if several else (path, result))
    if show and shown:
        write_figure(show, (prediction_plot.draw_numbers if several else prediction_plot.draw)(shown))
        say_written(show)
    if as_json:
        named: dict[str, Any] = {"model": recognizer.model, "weights": os.fsdecode(recognizer.weights)}
        named |= {"classes": classes} if classes else {}
        click.echo(json.dumps({"predictions": predictions, "failed": failed, **named}))
    if failed:
        count = len(predictions) + len(failed)
        raise UserError(f"{len(failed)} of {count} cannot be read, for the reasons above; fix these or leave them out.")


def _recognize(
    images: Sequence[str], recognizer: Recognizer | NumberReader, restriction: Restriction
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
                picture = open_picture(_stdin() if path == STDIN else path)
                pixels = picture.pixels
                if isinstance(recognizer, NumberReader):
                    with CountProgress("lines") as on_progress:
                        result: Any = recognizer.read(pixels, restriction, on_progress)
                else:
                    result = recognizer.recognize(pixels)
            except NotFiniteError:  # not a fault of this picture
                raise
            except UserError as error:
                yield path, None, UserError(str(error).removeprefix(f"{path}: "))
                continue
            yield path, picture, result


def _stdin() -> bytes:
    """Read the content of a picture file from standard input."""
    try:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"it cannot be read ({error.strerror or error}); redirect a picture to it.") from error


def _picture_paths(name: str) -> list[str]:
    """List the pictures of a folder or a pattern in alphabetical order, or return the name of a single file.

    Raises
    ------
    UserError
        If nothing matches a pattern, or a folder holds no picture or cannot be read.
    """
    if os.path.isdir(name):
        return _in_folder(name)
    if has_magic(name) and not os.path.exists(name):
        return _matching(name)
    return [name]


def _in_folder(name: str) -> list[str]:
    try:
        files = [path for path in sorted(Path(name).iterdir()) if path.suffix.lower() in EXTENSIONS and path.is_file()]
    except OSError as error:
        raise UserError(f"this folder cannot be read ({error.strerror or error}); check its permissions.") from error
    paths = [str(path) for path in files if not path.name.startswith(".")]  # such as ._a.png, which macOS writes
    if not paths:
        endings = f"{', '.join(EXTENSIONS[:-1])} or {EXTENSIONS[-1]}"
        raise UserError(f"no file in this folder ends with {endings}; name the pictures one by one.")
    return paths


def _matching(pattern: str) -> list[str]:
    """List the files that match a pattern; brackets in the name of a folder that exists are none."""
    folder, rest = os.path.split(pattern)
    while folder and not os.path.isdir(folder):
        folder, name = os.path.split(folder)
        rest = os.path.join(name, rest)
    paths = sorted(filter(os.path.isfile, glob(os.path.join(escape(folder), rest), recursive=True)))
    if not paths:
        raise UserError("no file matches this pattern; check the pattern.")
    return paths


def _digits_seen(reader: Callable[[], NumberReader], picture: Picture, prepared: Prepared) -> int:
    """Return how many digits a picture shows, of which only one was recognized."""
    if prepared.alone:
        return 0 if prepared.box is None else 1
    return sum(len(number.digits) for number in reader().read(picture.pixels))


def _one_digit(
    result: tuple[Prepared, Prediction], picture: Picture, reader: Callable[[], NumberReader]
) -> dict[str, Any]:
    prepared, prediction = result
    seen = {"digits_seen": _digits_seen(reader, picture, prepared)} if are_digits(prediction.classes) else {}
    return {
        **_named(prediction),
        "confidence": prediction.confidence,
        "probabilities": list(prediction.probabilities),
        "second": label_of(prediction.classes, prediction.second),
        "unsure": prediction.unsure,
        **seen,
    }


def _all_numbers(numbers: list[Number], picture: Picture) -> dict[str, Any]:
    return {
        "text": "\n".join(number.text for number in numbers),
        "confidence": prod(number.confidence for number in numbers) if numbers else 0.0,
        "unsure": not numbers or any(number.unsure for number in numbers),
        "lines": [_as_line(number, picture) for number in numbers],
    }


def _as_line(number: Number, picture: Picture) -> dict[str, Any]:
    return {
        "text": number.text,
        "confidence": number.confidence,
        "unsure": number.unsure,
        "corners": [list(picture.point_in_file(x, y)) for x, y in number.corners],
        "digits": [
            {"digit": digit.digit, "confidence": digit.confidence, "box": list(picture.box_in_file(digit.box))}
            for digit in number.digits
        ],
    }


def _named(prediction: Prediction) -> dict[str, Any]:
    """Return the name of the class, and the number if it is a digit."""
    names = prediction.classes
    number = {"digit": label_of(names, prediction.digit)} if are_digits(names) else {}
    return {**number, "label": prediction.label}


def _as_text(row: dict[str, Any], classes: Sequence[str]) -> str:
    return f"{printable(row['image'])}: {_lines_text(row) if 'lines' in row else _digit_text(row, classes)}"


def _digit_text(row: dict[str, Any], classes: Sequence[str]) -> str:
    first, second, seen = row["label"], str(row["second"]), row.get("digits_seen", 0)
    p, q = (row["probabilities"][classes.index(name)] for name in (first, second))
    others = f" - {seen} digits seen; --several reads them all" if seen > 1 else ""
    if row["unsure"] and p < MIN_GUESS:
        return f"unsure (no {noun(classes)} stands out){others}"
    if row["unsure"]:
        return f"unsure (perhaps {first}, {p:.1%}, or {second}, {q:.1%}){others}"
    return f"{first} ({p:.1%}; next {second}, {q:.1%}){others}"


def _lines_text(row: dict[str, Any]) -> str:
    lines = row["lines"]
    if not lines:
        return "no digits"
    unsure = [line["text"] for line in lines if line["unsure"]]
    text = " / ".join(line["text"] for line in lines)
    if not unsure:
        return text
    return f"{text} (unsure of {len(unsure)} of {len(lines)} lines)" if len(lines) > 1 else f"{text} (unsure)"
