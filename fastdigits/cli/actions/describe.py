"""Run `fastdigits describe`: print and draw the layers of a network or a learning-rate schedule."""

import json
from dataclasses import asdict
from typing import Any

import click
import numpy as np

from fastdigits.cli.actions.common import read_saved, say_written, write_figure
from fastdigits.cli.options.common import usage_error
from fastdigits.cli.options.figure_files import check_files
from fastdigits.config.schedules import lr_factor
from fastdigits.config.training import OPTIMIZERS, TrainConfig
from fastdigits.errors import UserError
from fastdigits.inspection.filters import filter_weights
from fastdigits.inspection.summary import layer_rows, layer_table
from fastdigits.models import name_of, network_of
from fastdigits.nn import Network
from fastdigits.plots import architecture
from fastdigits.plots import filters as filter_plot
from fastdigits.plots import schedule as schedule_plot
from fastdigits.storage.weights import SavedNetwork

EPOCH_STEPS = 100
WORST_RANK = (0.0, -1.0)  # validation accuracy and minus the loss


def describe_network(model: str, picture: str | None, filters: str | None, as_json: bool) -> None:
    """Print the layers of a model or a weights file, and draw the layers and the kernels if requested.

    Raises
    ------
    click.UsageError
        If the kernels of an untrained network are requested, or both files are the same.
    UserError
        If the network has no kernels to draw, or a file cannot be written.
    """
    saved = read_saved(model)
    name = saved.model if saved else name_of(model)
    network = Network.from_config(saved.network) if saved else network_of(model)
    kernels = _trained_kernels(name, network, saved) if filters else {}
    check_files({"--picture": picture, "--filters": filters})
    if picture:
        write_figure(picture, architecture.draw(network, name))
        say_written(picture)
    if filters:
        write_figure(filters, filter_plot.draw(kernels, f"Kernels of {name}"))
        say_written(filters)
    summary = _summary(name, network, saved)
    click.echo(json.dumps(summary) if as_json else _layer_table(summary))


def describe_schedule(schedule: str, settings: dict[str, Any], output: str | None, as_json: bool) -> None:
    """Print the learning rates of a schedule, and plot them.

    Raises
    ------
    click.UsageError
        If the settings do not fit the schedule.
    """
    try:
        config = TrainConfig(schedule=schedule, **settings)
    except UserError as error:
        raise usage_error(error) from None
    curve = _schedule_curve(config)
    if output:
        figure = schedule_plot.draw(curve["rates"], curve["epoch_steps"], _schedule_title(curve))
        write_figure(output, figure)
        say_written(output)
    click.echo(json.dumps(curve) if as_json else _schedule_table(curve))


def _trained_kernels(name: str, network: Network, saved: SavedNetwork | None) -> dict[str, np.ndarray]:
    if not saved:
        raise click.UsageError("--filters draws trained kernels; give a weights file written by 'fastdigits train'.")
    kernels = filter_weights(network, saved.weights)
    if not kernels:
        raise UserError(f"The network {name} has no kernels and no weights of pixels to draw; leave --filters out.")
    return kernels


def _summary(name: str, network: Network, saved: SavedNetwork | None) -> dict[str, Any]:
    rows = layer_rows(network)
    return {
        "model": name,
        "input_shape": list(network.input_shape),
        "layers": rows,
        "parameters": sum(row["parameters"] for row in rows),
        "multiply_adds": sum(row["multiply_adds"] for row in rows),
        **(_training(saved) if saved else {}),
    }


def _training(saved: SavedNetwork) -> dict[str, Any]:
    start = asdict(saved.start) if saved.start else None
    return {"dataset": saved.dataset, "config": saved.config, "metrics": saved.metrics, "start": start}


def _layer_table(summary: dict[str, Any]) -> str:
    lines = [layer_table(summary["model"], summary["input_shape"], summary["layers"])]
    if "metrics" in summary:
        accuracy = summary["metrics"].get("test_accuracy")
        result = f", test accuracy {accuracy:.2%}" if isinstance(accuracy, float) else ""
        start = f", starting from {summary['start']['file']}" if summary["start"] else ""
        lines.append(f"trained on {summary['dataset']}{start}{result}")
    return "\n".join(lines)


def _schedule_curve(config: TrainConfig) -> dict[str, Any]:
    """Return the learning rate of every step, with EPOCH_STEPS steps per epoch, as plain JSON types.

    For `plateau`, assume that validation never improves after the first epoch, which lowers the rate most.
    """
    peak = OPTIMIZERS[config.optimizer].lr if config.lr is None else config.lr
    ranks = [WORST_RANK] * config.epochs
    steps = range(config.epochs * EPOCH_STEPS)
    rates = [peak * lr_factor(config, step, EPOCH_STEPS, ranks[: step // EPOCH_STEPS]) for step in steps]
    return {"schedule": config.schedule, "epochs": config.epochs, "epoch_steps": EPOCH_STEPS, "rates": rates}


def _schedule_table(curve: dict[str, Any]) -> str:
    """Return a table of the rates at the start, after each tenth of the steps, and at the end."""
    rates, steps = curve["rates"], curve["epoch_steps"]
    rows = sorted({*(number * len(rates) // 10 for number in range(10)), len(rates) - 1})
    lines = [f"{step / steps:8.2f}   {rates[step]:.6g}" for step in rows]
    return "\n".join([_schedule_title(curve), "  epochs   learning rate", *lines])


def _schedule_title(curve: dict[str, Any]) -> str:
    assumption = ", if validation never improves" if curve["schedule"] == "plateau" else ""
    return f"schedule {curve['schedule']} over {curve['epochs']} epochs{assumption}"
