"""What a command line of `fastdigits train` asks for: which network, on which data, how, and how often."""

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import click

from fastdigits.cli.options.common import as_usage
from fastdigits.cli.options.training import checkpoint_path, given
from fastdigits.config.training import TrainConfig
from fastdigits.errors import UserError
from fastdigits.files import StrPath

if TYPE_CHECKING:
    from fastdigits.data import DigitSet
    from fastdigits.nn import Network
    from fastdigits.training.checkpoint import Checkpoints
    from fastdigits.training.repeats import RunSpec


@dataclass(frozen=True, eq=False)
class Plan:
    """All that is known before the data are read."""

    model: str
    data: str
    output: str
    config: TrainConfig
    network: Callable[["DigitSet"], "Network"]
    checkpoints: "Checkpoints"

    def tasks(self, folds: int | None, runs: int, digits: "DigitSet") -> list["RunSpec"]:
        """The trainings to do."""
        from fastdigits.training.repeats import over_folds, over_seeds

        return over_folds(self.config, folds, digits.train_labels) if folds else over_seeds(self.config, runs)


def plan(ctx: click.Context) -> Plan:
    """What the options say.

    Raises
    ------
    UsageError
        If they do not fit together.
    UserError
        If the checkpoint that is to be resumed cannot be read.
    """
    from fastdigits.models import name_of
    from fastdigits.training.checkpoint import Checkpoints

    values = ctx.params
    if values["resume"]:
        return _resumed(ctx)
    try:
        settings = {field.name: values[field.name] for field in fields(TrainConfig)}
        # Each fold is the validation of the others, whatever a recipe says of it.
        config = TrainConfig(**settings | ({"validation": None} if values["folds"] else {}))
        network = _network(values, config)
    except UserError as error:
        raise as_usage(error) from None
    model = name_of(values["model"])
    checkpoints = Checkpoints(**_kept(values | {"model": model}))
    return Plan(model, values["data"], values["output"], config, network, checkpoints)


def _network(values: dict[str, Any], config: TrainConfig) -> Callable[["DigitSet"], "Network"]:
    from fastdigits.models import ModelOptions, check_options, network_of

    model, options = values["model"], ModelOptions(**{field.name: values[field.name] for field in fields(ModelOptions)})
    check_options(model, options)
    return lambda digits: network_of(model, options, config.preparation.input_shape(digits.train_images))


def _resumed(ctx: click.Context) -> Plan:
    """As the checkpoint says, on the same data unless told otherwise, into NAME.h5 for NAME.checkpoint.h5."""
    from fastdigits.nn import Network
    from fastdigits.training import checkpoint

    values, file = ctx.params, checkpoint.read(ctx.params["resume"])
    saved, settings = file.saved, file.saved.config
    if given(ctx, "epochs"):
        settings = settings | {"epochs": values["epochs"]}
    data = values["data"] if given(ctx, "data") else saved.dataset
    output = values["output"]
    if not given(ctx, "output") and values["resume"].endswith(".checkpoint.h5"):
        output = values["resume"].removesuffix(".checkpoint.h5") + ".h5"
    checkpoints = checkpoint.Checkpoints(**_kept(values | {"output": output, "model": saved.model}), resumed=file)
    config = TrainConfig(**settings)
    return Plan(saved.model, data, output, config, lambda _: Network.from_config(saved.network), checkpoints)


def _kept(values: dict[str, Any]) -> dict[str, Any]:
    # A checkpoint holds no rows, so that a fold cannot go on from one.
    path = None if values["folds"] else checkpoint_path(values["output"])
    return {"path": path, "every": values["checkpoint_every"], "model": values["model"]}


def check_files(job: Plan, stats_file: str | None, plot_file: str | None) -> None:
    """Find out before any work is done whether all files can be written, and that none is another."""
    from fastdigits.files import check_writable
    from fastdigits.storage import run_statistics

    files: dict[str, list[StrPath | None]] = {"--output": [job.output, job.checkpoints.path], "--plot": [plot_file]}
    if stats_file is not None:
        run_statistics.check(stats_file)
        files["--stats"] = [stats_file, run_statistics.text_path(stats_file)]
    for path in (job.output, job.checkpoints.path, plot_file):
        if path is not None:
            check_writable(path)
    check_apart(files)


def check_apart(files: dict[str, list[StrPath | None]]) -> None:
    """UsageError where two options name the same file."""
    owners: dict[str, str] = {}
    for option, paths in files.items():
        for path in (path for path in paths if path):
            other = owners.setdefault(os.path.realpath(path), option)
            if other != option:
                raise click.UsageError(f"{other} and {option} name the same file; give each its own.")
