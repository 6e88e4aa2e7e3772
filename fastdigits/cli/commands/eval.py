"""`fastdigits eval`."""

import json
from typing import TYPE_CHECKING, Any

import click

from fastdigits.cli.actions import eval
from fastdigits.cli.options.common import (
    data_option,
    device_option,
    exact_option,
    json_option,
    load_ops,
    threads_option,
)

if TYPE_CHECKING:
    from fastdigits.inference.ensemble import EnsembleEvaluation
    from fastdigits.inference.evaluate import Evaluation
    from fastdigits.storage.weights import SavedNetwork


@click.command(
    "eval",
    epilog="Example: fastdigits eval weights.h5 --confusion confusion.png --mistakes mistakes.png\n\n"
    "fastdigits eval a.h5 b.h5 c.h5 --tta",
)
@click.argument("weights", nargs=-1, required=True)
@data_option
@device_option
@exact_option
@threads_option
@click.option("--tta", is_flag=True, help="Look at each image nine times, moved by up to one pixel each way.")
@eval.picture_options()
@json_option
def command(
    weights: tuple[str, ...],
    data: str,
    device: str,
    exact: bool,
    threads: int | None,
    tta: bool,
    as_json: bool,
    **files: str | None,
) -> None:
    """Measure trained WEIGHTS on the test images of a data set; several files as an ensemble, too.

    An ensemble tells the mean of its networks' probabilities, as --tta does of the looks at an image.
    Networks are measured as if with --exact where one of them was trained so.
    """
    from fastdigits.data import load_part
    from fastdigits.inference.ensemble import NO_SHIFT, SHIFTS, evaluate_ensemble, evaluate_single
    from fastdigits.storage.weights import read

    eval.check_files(files)
    networks = [read(path) for path in weights]
    images, labels = load_part(data, "test")
    exact = exact or any(saved.config["exact"] for saved in networks)
    ops = load_ops(device, threads, lambda line: click.echo(line, err=as_json), exact)
    if len(networks) == 1 and not tta:
        verdict = evaluate_single(networks[0], images, labels, ops, any(files.values()))
    else:
        verdict = evaluate_ensemble(networks, images, labels, ops, SHIFTS if tta else NO_SHIFT)
    result = verdict.combined
    summary = {
        **_figures(result),
        "per_class": result.per_class,
        "confusion": result.confusion.tolist(),
        "seconds": result.seconds,
        "images_per_second": result.images / result.seconds,
        "model": " + ".join(saved.model for saved in networks),
        "device": ops.device,
        "dataset": data,
        "tta": tta,
        "members": _members(weights, networks, verdict),
    }
    eval.write(files, verdict, images, labels, f"{summary['model']} on {data}")
    click.echo(json.dumps(summary) if as_json else _as_text(summary))


def _figures(result: "Evaluation") -> dict[str, Any]:
    return {
        "images": result.images,
        "correct": result.correct,
        "accuracy": result.accuracy,
        "interval_95": result.interval_95,
        "loss": result.loss,
    }


def _members(
    files: tuple[str, ...], networks: list["SavedNetwork"], verdict: "EnsembleEvaluation"
) -> list[dict[str, Any]]:
    return [
        {"file": file, "model": saved.model, **_figures(member)}
        for file, saved, member in zip(files, networks, verdict.members, strict=True)
    ]


def _as_text(summary: dict[str, Any]) -> str:
    digits, members, tta = range(len(summary["confusion"])), summary["members"], summary["tta"]
    looks = ", each image looked at nine times" if tta else ""
    lines = [
        f"{summary['model']} on {summary['dataset']}: {_in_words(summary)}{looks}",
        *(f"  {one['file']} ({one['model']}): {_in_words(one)}" for one in members if len(members) > 1),
        f"{summary['images_per_second']:,.0f} images/s on {summary['device']}",
        "",
        "true digit in rows, digit read in columns:",
        "      " + "".join(f"{digit:6}" for digit in digits) + "   right",
    ]
    for digit, row, right in zip(digits, summary["confusion"], summary["per_class"], strict=True):
        share = "      -" if right is None else f"{right:8.2%}"
        lines.append(f"{digit:6}" + "".join(f"{count or '.':>6}" for count in row) + share)
    return "\n".join(lines)


def _in_words(figures: dict[str, Any]) -> str:
    low, high = figures["interval_95"]
    return (
        f"{figures['accuracy']:.2%} of {figures['images']:,} images right ({figures['correct']:,}; "
        f"95 % interval {low:.2%} to {high:.2%}), loss {figures['loss']:.4f}"
    )
