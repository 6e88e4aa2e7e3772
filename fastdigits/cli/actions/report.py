"""Run `fastdigits report`: evaluate a network and write an HTML page about it."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import click
import numpy as np

from fastdigits.cli.actions.common import load_ops, load_test_part, warn_of_polarity
from fastdigits.cli.actions.reproduction import reproduction_of
from fastdigits.cli.options.data import assume_reading
from fastdigits.cli.options.figure_files import check_files
from fastdigits.cli.terminal.names import printable
from fastdigits.cli.terminal.progress import announce_compilation
from fastdigits.errors import UserError
from fastdigits.files import write_atomically
from fastdigits.inference.ensemble import evaluate_single
from fastdigits.ops import inference_ops
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime.rehearsal import Rehearsal, planned
from fastdigits.report.contents import contents
from fastdigits.report.page import render
from fastdigits.report.pictures import TestedNetwork
from fastdigits.report.speed import Speed, measure, single_image
from fastdigits.storage import run_statistics
from fastdigits.storage.weights import SavedNetwork, read


def run(
    weights: str,
    output: str,
    data: str | None,
    stats_file: str | None,
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Write the report and print its summary.

    Raises
    ------
    UserError
        If a file cannot be read or written, or the statistics file has no run of these weights.
    """

    def say(line: str) -> None:
        click.echo(line, err=as_json)

    check_files({"--output": output})
    saved = read(weights)
    training = _find_training(stats_file, saved) if stats_file else None
    if data is None:
        data = saved.dataset
        assume_reading(saved.reading)
    part = load_test_part(data, [saved])
    images, labels = part.images, part.labels
    warn_of_polarity([saved], images)
    ops = load_ops(device, threads, say, saved.config["exact"])
    tested, speed = _measure(saved, data, images, labels, ops, say)
    say("drawing")
    found = contents(tested, speed, training, date.today().isoformat())
    page = render(found | {"reproduction": reproduction_of(saved)}).encode(errors="replace")
    write_atomically(output, page)
    result = tested.evaluation.combined
    say(f"{saved.model} on {data}: accuracy {result.accuracy:.2%} on {result.images:,} images")
    say(f"report: {printable(output)}, {len(page) / 1e6:.1f} MB")
    if as_json:
        metrics = {"accuracy": result.accuracy, "correct": result.correct, "images": result.images}
        times = {"images_per_second": speed.images_per_second, "single_image_seconds": speed.single_s}
        click.echo(json.dumps({"model": saved.model, "dataset": data, **metrics, **times, "output": output}))


def _measure(
    saved: SavedNetwork, data: str, images: np.ndarray, labels: np.ndarray, ops: Ops, say: Callable[[str], None]
) -> tuple[TestedNetwork, Speed]:
    def rehearse(rehearsal: Rehearsal) -> None:
        custom = saved.has_custom_code
        evaluate_single(saved, images[:1], labels[:1], rehearsal.defer(ops, custom), with_probabilities=True)
        single_image(saved, images[0], rehearsal.defer(inference_ops(ops, 1), custom))(1)

    with announce_compilation(ops, say), planned(rehearse):
        say(f"{saved.model}: evaluating on {len(labels):,} test images of {data}")
        evaluation = evaluate_single(saved, images, labels, ops, with_probabilities=True)
        say("measuring the time of a single image")
        speed = measure(saved, evaluation.combined, images[0], ops)
    return TestedNetwork(saved, evaluation, images, labels, data), speed


def _find_training(stats_file: str, saved: SavedNetwork) -> dict[str, Any]:
    """Return the run in a statistics file that has the history of these weights."""
    history = saved.history
    for run in run_statistics.read(stats_file):
        epochs = [{name: epoch.get(name) for name in history[0]} for epoch in run["epochs"]] if history else []
        if (run.get("model"), run.get("seed")) == (saved.model, saved.config["seed"]) and epochs == history:
            return run
    raise UserError(f"{stats_file} has no run of these weights; give the file that their 'train --stats' wrote.")
