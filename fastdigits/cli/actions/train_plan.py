"""Turn the options of `fastdigits train` into a plan: the network, the data, the settings and the files."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import click

from fastdigits.cli.options.common import is_given, usage_error
from fastdigits.cli.options.figure_files import check_files
from fastdigits.cli.options.training import checkpoint_path
from fastdigits.config.training import TrainConfig
from fastdigits.data import DigitSet
from fastdigits.errors import UserError
from fastdigits.models import ModelOptions, check_options, name_of, network_of
from fastdigits.nn import Network
from fastdigits.storage import run_statistics
from fastdigits.training import checkpoint
from fastdigits.training.checkpoint import Checkpoints
from fastdigits.training.repeats import RunSpec, over_folds, over_seeds


@dataclass(frozen=True, eq=False)
class Plan:
    """A training before its data set is loaded. `network` is a function that creates the network for a data set."""

    model: str
    data: str
    output: str
    config: TrainConfig
    network: Callable[[DigitSet], Network]
    checkpoints: Checkpoints

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
        If the checkpoint to resume cannot be read.
    """
    values = ctx.params
    if values["resume"]:
        return _resumed(ctx)
    try:
        settings = {field.name: values[field.name] for field in fields(TrainConfig)}
        # Each run is validated on its fold, so the validation setting of a recipe does not apply
        config = TrainConfig(**settings | ({"validation": None} if values["folds"] else {}))
        network = _network(values, config)
    except UserError as error:
        raise usage_error(error) from None
    model = name_of(values["model"])
    checkpoints = Checkpoints(**_checkpoint_settings(values | {"model": model}))
    return Plan(model, values["data"], values["output"], config, network, checkpoints)


def check_outputs(plan: Plan, stats_file: str | None, plot_file: str | None) -> None:
    """Check that all files can be written and that no two are the same."""
    if stats_file is not None:
        run_statistics.check(stats_file)
    check_files(
        {
            "--output": [path for path in (plan.output, plan.checkpoints.path) if path is not None],
            "--plot": plot_file,
            "--stats": run_statistics.files(stats_file) if stats_file is not None else None,
        }
    )


def _network(values: dict[str, Any], config: TrainConfig) -> Callable[[DigitSet], Network]:
    model, options = values["model"], ModelOptions(**{field.name: values[field.name] for field in fields(ModelOptions)})
    check_options(model, options)
    return lambda digits: network_of(model, options, config.preparation.input_shape(digits.train_images))


def _resumed(ctx: click.Context) -> Plan:
    """Create the plan that resumes a checkpoint.

    By default it trains on the data set of the checkpoint, and the output for NAME.checkpoint.h5 is NAME.h5.
    """
    values, file = ctx.params, checkpoint.read(ctx.params["resume"])
    saved, settings = file.saved, file.saved.config
    if is_given(ctx, "epochs"):
        settings = settings | {"epochs": values["epochs"]}
    data = values["data"] if is_given(ctx, "data") else saved.dataset
    output = values["output"]
    if not is_given(ctx, "output") and values["resume"].endswith(".checkpoint.h5"):
        output = values["resume"].removesuffix(".checkpoint.h5") + ".h5"
    checkpoints = Checkpoints(**_checkpoint_settings(values | {"output": output, "model": saved.model}), resumed=file)
    config = TrainConfig(**settings)
    return Plan(saved.model, data, output, config, lambda _: Network.from_config(saved.network), checkpoints)


def _checkpoint_settings(values: dict[str, Any]) -> dict[str, Any]:
    # A checkpoint does not store the rows of a fold, so no checkpoint of a fold is written
    path = None if values["folds"] else checkpoint_path(values["output"])
    return {"path": path, "every": values["checkpoint_every"], "model": values["model"]}
