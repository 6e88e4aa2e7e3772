"""`fastdigits report`."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from fastdigits.cli.options.common import device_option, json_option, load_ops, threads_option
from fastdigits.errors import UserError
from fastdigits.ops.interface import Ops

if TYPE_CHECKING:
    import numpy as np

    from fastdigits.report.pictures import TestedNetwork
    from fastdigits.report.speed import Speed
    from fastdigits.storage.weights import SavedNetwork


class PageFile(click.Path):
    """A file that ends with .html."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        path = str(super().convert(value, param, ctx))
        if not path.lower().endswith((".html", ".htm")):
            self.fail(f"'{path}' does not end with .html.", param, ctx)
        return path


@click.command("report", epilog="Example: fastdigits report weights.h5 -o report.html")
@click.argument("weights")
@click.option(
    "-o", "--output", type=PageFile(), default="report.html", show_default=True, help="Where the report goes."
)
@click.option("--data", help="mnist, or a folder with the four IDX files; the one it was trained on if not given.")
@click.option(
    "--stats",
    "stats_file",
    type=click.Path(),
    metavar="FILE.json",
    help="The times of the training: see train --stats.",
)
@device_option
@threads_option
@json_option
def command(
    weights: str,
    output: str,
    data: str | None,
    stats_file: str | None,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Put all that is known of the network of a WEIGHTS file on one page, which any browser shows and prints.

    Its course and its settings, what it reaches on the test images and how fast, its mistakes, its layers and
    kernels, and how to train it again. The page needs no other file and no network.
    """
    from fastdigits.data import load_part
    from fastdigits.files import check_writable, write_atomically
    from fastdigits.storage.weights import read

    def say(line: str) -> None:
        click.echo(line, err=as_json)

    check_writable(output)
    saved = read(weights)
    training, data = _training(stats_file, saved) if stats_file else None, data or saved.dataset
    images, labels = load_part(data, "test")
    ops = load_ops(device, threads, say, saved.config["exact"])
    tested, speed = _measure(saved, data, images, labels, ops, say)
    say("drawing")
    content = _page(tested, speed, training).encode(errors="replace")
    write_atomically(output, content)
    result = tested.evaluation.combined
    say(f"{saved.model} on {data}: {result.accuracy:.2%} of {result.images:,} images right")
    say(f"report: {click.format_filename(output)}, {len(content) / 1e6:.1f} MB")
    if as_json:
        figures = {"accuracy": result.accuracy, "correct": result.correct, "images": result.images}
        times = {"images_per_second": speed.images_per_second, "single_image_seconds": speed.single_s}
        click.echo(json.dumps({"model": saved.model, "dataset": data, **figures, **times, "output": output}))


def _measure(
    saved: "SavedNetwork", data: str, images: "np.ndarray", labels: "np.ndarray", ops: Ops, say: Callable[[str], None]
) -> tuple["TestedNetwork", "Speed"]:
    """What the network makes of the test images, and how fast."""
    from fastdigits.cli.terminal.progress import announcing_compilation
    from fastdigits.inference.ensemble import evaluate_single
    from fastdigits.report.pictures import TestedNetwork
    from fastdigits.report.speed import measure

    with announcing_compilation(ops, say):
        say(f"{saved.model}: reading {len(labels):,} test images of {data}")
        verdict = evaluate_single(saved, images, labels, ops, with_probabilities=True)
        say("measuring how long a single image takes")
        speed = measure(saved, verdict.combined, images[0], ops)
    return TestedNetwork(saved, verdict, images, labels, data), speed


def _page(tested: "TestedNetwork", speed: "Speed", training: dict[str, Any] | None) -> str:
    from datetime import date

    from fastdigits.cli.actions.reproduction import reproduction_of
    from fastdigits.report.contents import contents
    from fastdigits.report.page import render

    found = contents(tested, speed, training, date.today().isoformat())
    return render(found | {"reproduction": reproduction_of(tested.saved)})


def _training(stats_file: str, saved: "SavedNetwork") -> dict[str, Any]:
    """What the statistics say of the training that made these weights; UserError if they do not know it."""
    from fastdigits.storage import run_statistics

    history = saved.history
    for run in run_statistics.read(stats_file):
        figures = [{name: epoch.get(name) for name in history[0]} for epoch in run["epochs"]] if history else []
        if (run.get("model"), run.get("seed")) == (saved.model, saved.config["seed"]) and figures == history:
            return run
    raise UserError(f"{stats_file} knows no training that made these weights; give that of their --stats.")
