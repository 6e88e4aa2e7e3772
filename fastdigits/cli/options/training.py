"""Options of `fastdigits train` beyond the plain loop, and which of them go together."""

import os
import shlex
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from fastdigits.cli.options.common import together
from fastdigits.config.schedules import DECAY_EVERY, DECAYING, LR_DECAY, SCHEDULES
from fastdigits.config.training import OPTIMIZERS

SHARE = click.FloatRange(min=0, max=1, max_open=True)
COUNT = click.IntRange(min=1)
# What may be said anew of a training that goes on; all else is in its checkpoint
RESUMABLE = {
    "epochs",
    "data",
    "device",
    "threads",
    "checkpoint_every",
    "resume",
    "log_every",
    "output",
    "stats_file",
    "plot_file",
    "progress",
    "as_json",
}


class BatchSize(click.ParamType):
    """A number of images, or "all" of them, which is None."""

    name = "images|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        return None if value == "all" else click.IntRange(1, 65536).convert(value, param, ctx)


def schedule_options(schedule: str | None, warmup: float) -> Callable:
    """--schedule and what goes with it, with these defaults."""
    return together(
        click.option(
            "--schedule",
            type=click.Choice(list(SCHEDULES)),
            default=schedule,
            show_default=schedule is not None,
            help="How the learning rate changes.",
        ),
        click.option(
            "--lr-decay",
            type=click.FloatRange(min=0, min_open=True),
            help=f"How much the rate falls every --decay-every epochs, for {', '.join(DECAYING)}: the factor, or for "
            f"inverse-time the F in 1 / (1 + F t); {LR_DECAY} if not given.",
        ),
        click.option(
            "--decay-every",
            type=COUNT,
            help=f"Epochs; for plateau those in a row without a better validation; {DECAY_EVERY} if not given.",
        ),
        click.option(
            "--warmup",
            type=click.FloatRange(0, 1),
            default=warmup,
            show_default=True,
            help="Share of all steps in which the rate rises from 0; multiplies the schedule.",
        ),
    )


def learning_options() -> Callable:
    """What changes the steps and which weights are kept."""
    return together(
        click.option(
            "--clip-norm", type=click.FloatRange(min=0, min_open=True), help="Shrink gradients to this norm at most."
        ),
        click.option(
            "--ema",
            type=SHARE,
            help="Evaluate and save the moving average of the weights, with this decay, such as 0.999.",
        ),
        click.option("--early-stop", type=COUNT, help="Stop after so many epochs without a better validation."),
        click.option(
            "--keep-best/--no-keep-best",
            default=None,
            help="Save the weights of the epoch with the best validation, not the last ones; as with --early-stop.",
        ),
    )


def repeat_options() -> Callable:
    """Several trainings, and trainings in several parts."""
    return together(
        click.option(
            "--folds",
            type=click.IntRange(min=2),
            help="Cross-validate: so many trainings, each validated on a part of the images that it did not see.",
        ),
        click.option("--runs", type=COUNT, default=1, show_default=True, help="Train with seeds S, S+1, ..."),
        click.option(
            "--restart-dead",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="Try so many other seeds where a network learns nothing.",
        ),
        click.option(
            "--checkpoint-every",
            type=COUNT,
            help="Write NAME.checkpoint.h5 beside the output after every so many epochs, not only on Ctrl-C.",
        ),
        click.option(
            "--resume",
            type=click.Path(),
            metavar="FILE",
            help="Go on from a checkpoint with its settings, to the same bits; --epochs may be raised.",
        ),
    )


def check_together(ctx: click.Context) -> None:
    """UsageError, in one sentence, where options of the command line exclude each other."""
    chosen = {name for name in ctx.params if given(ctx, name)}
    runs, folds = ctx.params["runs"] > 1, ctx.params["folds"]
    several = "--folds" if folds else "--runs"
    if runs and folds:
        raise click.UsageError("--folds and --runs are two ways to train several times; choose one of them.")
    if (runs or folds) and ctx.params["checkpoint_every"]:
        raise click.UsageError(f"A checkpoint holds one training; leave {several} or --checkpoint-every out.")
    if folds and "validation" in chosen:
        raise click.UsageError("With --folds each fold is the validation of the others; leave --validation out.")
    if runs and ctx.params["validation"] == 0:
        raise click.UsageError("--runs looks at images that are held out, and none are; give --validation 5000.")
    if ctx.params["resume"]:
        known = chosen - RESUMABLE
        if given(ctx, "recipe"):
            known.add("recipe")
        if known:
            param = next(param for param in ctx.command.params if param.name in known)
            option = _words(param, ctx.params.get(param.name), "")[0]
            raise click.UsageError(f"--resume takes all settings from the checkpoint; leave {option} out.")


def checkpoint_path(output: str) -> str:
    """NAME.checkpoint.h5 beside NAME.h5."""
    return f"{os.path.splitext(output)[0]}.checkpoint.h5"


def show(ctx: click.Context) -> str:
    """All options with their values, and the command line that gives those that the recipe or the user set."""
    lines, words = [], ["fastdigits", "train"]
    usual = _usual(ctx.params)
    for param in ctx.command.params:
        if not param.expose_value or param.name in ("show", "as_json", "progress"):
            continue
        value = ctx.params[param.name]
        everything = param.name == "batch_size" and value is None
        text = "all" if everything else _text(value)
        if ctx.get_parameter_source(param.name) is not ParameterSource.DEFAULT:
            words += _words(param, value, text)
        lines.append(f"{param.opts[0]:20}{text or usual.get(param.name, 'not given')}")
    return "\n".join([*lines, "", shlex.join(words)])


def _usual(values: dict[str, Any]) -> dict[str, str]:
    """What holds where an option is not given."""
    optimizer = OPTIMIZERS[values["optimizer"]]
    decays = {"lr_decay": f"{LR_DECAY}, the usual", "decay_every": f"{DECAY_EVERY}, the usual"}
    return {
        "lr": f"{optimizer.lr}, the usual of {values['optimizer']}",
        "weight_decay": f"{optimizer.weight_decay}, the usual of {values['optimizer']}",
        "keep_best": "yes, with --early-stop" if values["early_stop"] else "no",
        "validation": "a twelfth of the training images",
        "threads": "all",
        **(decays if values["schedule"] in DECAYING else {}),
    }


def _words(param: Any, value: Any, text: str) -> list[str]:
    if param.is_flag:
        return (param.opts if value else param.secondary_opts)[:1]
    return [param.opts[0], text]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "x".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)


def given(ctx: click.Context, name: str) -> bool:
    """Whether an option is on the command line."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
