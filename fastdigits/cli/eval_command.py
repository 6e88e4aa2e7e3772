"""`fastdigits eval`."""

import json
from typing import Any

import click

from fastdigits.cli.options import data_option, device_option, exact_option, json_option, load_ops, threads_option
from fastdigits.config import EVALUATION_BATCH


@click.command("eval", epilog="Example: fastdigits eval weights.h5")
@click.argument("weights")
@data_option
@device_option
@exact_option
@threads_option
@json_option
def command(weights: str, data: str, device: str, exact: bool, threads: int | None, as_json: bool) -> None:
    """Measure trained WEIGHTS on the test images of a data set.

    A network that was trained with --exact is measured so, too.
    """
    import numpy as np

    from fastdigits import dataset
    from fastdigits.dataset.batches import Batches
    from fastdigits.evaluate import evaluate
    from fastdigits.nn import Network
    from fastdigits.weights import read

    saved = read(weights)
    network = Network.from_config(saved.network)
    images, labels = dataset.load_part(data, "test")
    network.check_images(images, labels)
    exact = exact or saved.config["exact"]
    ops = load_ops(device, threads, lambda line: click.echo(line, err=as_json), exact)
    network.build(ops, EVALUATION_BATCH, training=False)
    network.set_values(saved.values)
    batches = Batches(ops, images, labels, EVALUATION_BATCH, saved.normalisation)
    loss = saved.config["loss"]
    evaluate(network, batches, np.arange(1), loss)  # compiles, so that the seconds are those of the work
    result = evaluate(network, batches, np.arange(len(labels)), loss)
    summary = {
        "images": result.images,
        "correct": result.correct,
        "accuracy": result.accuracy,
        "interval_95": result.interval_95,
        "loss": result.loss,
        "per_class": result.per_class,
        "confusion": result.confusion.tolist(),
        "seconds": result.seconds,
        "images_per_second": result.images / result.seconds,
        "model": saved.model,
        "device": ops.device,
        "dataset": data,
    }
    click.echo(json.dumps(summary) if as_json else _as_text(summary))


def _as_text(summary: dict[str, Any]) -> str:
    low, high = summary["interval_95"]
    digits = range(len(summary["confusion"]))
    lines = [
        f"{summary['model']} on {summary['dataset']}: {summary['accuracy']:.2%} of {summary['images']:,} images right "
        f"({summary['correct']:,}; 95 % interval {low:.2%} to {high:.2%}), loss {summary['loss']:.4f}",
        f"{summary['images_per_second']:,.0f} images/s on {summary['device']}",
        "",
        "true digit in rows, digit read in columns:",
        "      " + "".join(f"{digit:6}" for digit in digits) + "   right",
    ]
    for digit, row, right in zip(digits, summary["confusion"], summary["per_class"], strict=True):
        share = "      -" if right is None else f"{right:8.2%}"
        lines.append(f"{digit:6}" + "".join(f"{count or '.':>6}" for count in row) + share)
    return "\n".join(lines)
