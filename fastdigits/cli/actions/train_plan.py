"""Turn the options of `fastdigits train` into a plan: the network, the data, the settings and the files."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import click

from fastdigits import tracking
from fastdigits.cli.options.common import is_given, usage_error
from fastdigits.cli.options.data import assume_reading
from fastdigits.cli.options.figure_files import check_files
from fastdigits.cli.options.training import DECIDED_BY_NETWORK, checkpoint_path
from fastdigits.config.recipes import FINE_TUNING_LR_DIVISOR
from fastdigits.config.schedules import SPANNING, lr_factor
from fastdigits.config.training import OPTIMIZERS, TrainConfig
from fastdigits.data import DigitSet
from fastdigits.errors import UserError
from fastdigits.models import ModelOptions, check_options, name_of, network_of
from fastdigits.nn import Network
from fastdigits.storage import run_statistics, weights
from fastdigits.storage.weights import SavedNetwork, Start
from fastdigits.training import checkpoint
from fastdigits.training.checkpoint import Checkpoint, Checkpoints
from fastdigits.training.continuation import Continuation
from fastdigits.training.repeats import RunSpec, over_folds, over_seeds
from fastdigits.training.transfer import for_classes

STEPS = 1000  # in an epoch, to compute a learning rate before the images are known


@dataclass(frozen=True, eq=False)
class Plan:
    """A training before its data set is loaded.

    `network` is a function that creates the network for a data set, `trained` the network to start from, and `start`
    the file of that network. `notes` are lines to print.
    """

    model: str
    data: str
    output: str
    config: TrainConfig
    network: Callable[[DigitSet], Network]
    checkpoints: Checkpoints
    notes: Sequence[str] = ()
    trained: SavedNetwork | None = None
    start: Start | None = None

    def run_specs(self, folds: int | None, runs: int, digits: DigitSet) -> list[RunSpec]:
        """List the runs to do, one per fold or seed."""
        return over_folds(self.config, folds, digits.train_labels) if folds else over_seeds(self.config, runs)


def make_plan(ctx: click.Context) -> Plan:
    """Create the plan from the options of the command line.

    Raises
    ------
    UsageError
        If the options do not fit together.
    UserError
        If the file to resume cannot be read, or there is nothing left to train.
    """
    values = ctx.params
    if values["resume"]:
        return _resumed(ctx)
    file = values["start"]
    trained, start = (weights.read(file), Start.of(file)) if file else (None, None)
    try:
        settings = {field.name: values[field.name] for field in fields(TrainConfig) if field.name in values}
        if trained:
            settings |= _fine_tuning(ctx, trained)
        # Each run is validated on its fold, so the validation setting of a recipe does not apply
        config = TrainConfig(**settings | ({"validation": None} if values["folds"] else {}))
        network = _network(values, config) if trained is None else partial(_network_from, trained)
    except UserError as error:
        raise usage_error(error) from None
    model = trained.model if trained else name_of(values["model"])
    checkpoints = Checkpoints(**_checkpoint_settings(values | {"model": model}), start=start)
    return Plan(model, values["data"], values["output"], config, network, checkpoints, trained=trained, start=start)


def check_outputs(ctx: click.Context, plan: Plan) -> None:
    """Check that all files can be written, that no two are the same, and that no trained network is replaced unasked.

    Raises
    ------
    UsageError
        If they are the same, or if the default output is the file to start from.
    UserError
        If one cannot be written.
    """
    values = ctx.params
    start, stats_file = values["start"], values["stats_file"]
    if start and not is_given(ctx, "output") and os.path.realpath(start) == os.path.realpath(plan.output):
        raise click.UsageError(
            f"The result would replace {start}, from which training starts; give it another name with --output, or "
            f"--output {start} to replace it."
        )
    if stats_file is not None:
        run_statistics.check(stats_file)
    check_files(
        {
            "--output": [path for path in (plan.output, plan.checkpoints.path) if path is not None],
            "--plot": values["plot_file"],
            "--stats": run_statistics.files(stats_file) if stats_file is not None else None,
            "--log": [place for kind, place in map(tracking.parse, values["log"]) if kind == "csv"],
        }
    )


def _network(values: dict[str, Any], config: TrainConfig) -> Callable[[DigitSet], Network]:
    model, options = values["model"], ModelOptions(**{field.name: values[field.name] for field in fields(ModelOptions)})
    check_options(model, options)
    return lambda digits: network_of(
        model, options, config.preparation.input_shape(digits.train_images), digits.classes
    )


def _fine_tuning(ctx: click.Context, trained: SavedNetwork) -> dict[str, Any]:
    """Return the settings that the trained network decides, and defaults that follow from it."""
    settings = {name: value for name, value in trained.config.items() if name in DECIDED_BY_NETWORK}
    if not is_given(ctx, "augment"):
        settings["augment"] = trained.config["augment"]
    if ctx.params["lr"] is None:
        settings["lr"] = OPTIMIZERS[ctx.params["optimizer"]].lr / FINE_TUNING_LR_DIVISOR
    return settings | {"warm_start": True}


def _network_from(trained: SavedNetwork, digits: DigitSet) -> Network:
    return Network.from_config(for_classes(trained, digits.classes, 0).network)


def _same_network(saved: SavedNetwork, digits: DigitSet) -> Network:
    return Network.from_config(saved.network)


def _resumed(ctx: click.Context) -> Plan:
    """Create the plan that resumes a checkpoint, or trains a finished network further.

    By default it trains on the data set in the file. The output for NAME.checkpoint.h5 is NAME.h5, and that for a
    finished network is its file.
    """
    values = ctx.params
    file = _to_resume(values["resume"])
    saved = file.saved
    config = TrainConfig(**saved.config | ({"epochs": values["epochs"]} if is_given(ctx, "epochs") else {}))
    notes = _notes(saved, config)
    if isinstance(file, Continuation):
        file.check(config)
        notes = [
            f"{click.format_filename(values['resume'])} holds a finished network, {saved.model}: "
            "the optimizer starts from its initial state",
            *notes,
        ]
    data = values["data"]
    if not is_given(ctx, "data"):
        data = saved.dataset
        assume_reading(saved.reading)
    output = values["output"] if is_given(ctx, "output") else _output(file, values["output"])
    settings = _checkpoint_settings(values | {"output": output, "model": saved.model})
    checkpoints, start = Checkpoints(**settings, start=saved.start, resumed=file), saved.start
    network = partial(_same_network, saved)
    return Plan(saved.model, data, output, config, network, checkpoints, notes, start=start)


def _to_resume(path: str) -> Checkpoint | Continuation:
    if checkpoint.is_checkpoint(path):
        return checkpoint.read(path)
    return Continuation(path, weights.read(path))


def _output(file: Checkpoint | Continuation, default: str) -> str:
    path = str(file.path)
    if isinstance(file, Continuation):
        return path
    return path.removesuffix(".checkpoint.h5") + ".h5" if path.endswith(".checkpoint.h5") else default


def _notes(saved: SavedNetwork, config: TrainConfig) -> list[str]:
    """Say what happens to a schedule that depends on the number of all epochs, if that changes."""
    done, planned = len(saved.history), saved.config["epochs"]
    if config.epochs == planned or done >= config.epochs or not (config.schedule in SPANNING or config.warmup):
        return []
    factor = lr_factor(config, done * STEPS, STEPS)
    return [
        f"the learning rate follows --schedule {config.schedule} over {config.epochs} epochs instead of {planned}: "
        f"it continues at {factor:.0%} of its peak"
    ]


def _checkpoint_settings(values: dict[str, Any]) -> dict[str, Any]:
    # A checkpoint does not store the rows of a fold, so no checkpoint of a fold is written
    path = None if values["folds"] else checkpoint_path(values["output"])
    return {"path": path, "every": values["checkpoint_every"], "model": values["model"]}
