"""Options of `fastdigits train` for schedules, regularization and repeated runs, and checks of their combinations."""

import os
import shlex
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from fastdigits.cli.options.common import is_given, option_group
from fastdigits.cli.options.data import reading_words
from fastdigits.config.recipes import FINE_TUNING_LR_DIVISOR
from fastdigits.config.schedules import DECAY_EVERY, DECAYING, LR_DECAY, SCHEDULES
from fastdigits.config.training import OPTIMIZERS

FRACTION = click.FloatRange(min=0, max=1, max_open=True)
POSITIVE = click.FloatRange(min=0, min_open=True)
COUNT = click.IntRange(min=1)
# Options that may be combined with --resume; the file holds all others
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
    "log",
    "plot_file",
    "progress",
    "as_json",
}

# Options that a trained network decides
DECIDED_BY_NETWORK = {
    "model",
    "hidden",
    "activation",
    "init",
    "dropout",
    "pool",
    "width",
    "pad",
    "contrast",
    "gamma",
    "binarize",
    "ink",
    "normalise",
}


def schedule_options(schedule: str | None, warmup: float) -> Callable:
    """Return --schedule and the options that belong to it; the parameters are the defaults."""
    return option_group(
        click.option(
            "--schedule",
            type=click.Choice(list(SCHEDULES)),
            default=schedule,
            show_default=schedule is not None,
            help="Learning-rate schedule.",
        ),
        click.option(
            "--lr-decay",
            type=POSITIVE,
            show_default=f"{LR_DECAY}",
            help="Factor of the learning rate every --decay-every epochs, for the schedules step, exponential and "
            "plateau; for inverse-time, the F in 1 / (1 + F t), where t counts such periods.",
        ),
        click.option(
            "--decay-every",
            type=COUNT,
            show_default=f"{DECAY_EVERY}",
            help="Epochs between decays; for plateau, epochs without a better validation result.",
        ),
        click.option(
            "--warmup",
            type=click.FloatRange(0, 1),
            default=warmup,
            show_default=True,
            help="Fraction of the training in which the learning rate rises linearly from 0.",
        ),
    )


def regularization_options() -> Callable:
    """Return the options for gradient clipping, weight averaging and early stopping."""
    return option_group(
        click.option("--clip-norm", type=POSITIVE, help="Clip the norm of the gradients to this value."),
        click.option(
            "--ema",
            type=FRACTION,
            help="Evaluate and save the exponential moving average of the weights with this decay, such as 0.999.",
        ),
        click.option(
            "--early-stop", type=COUNT, help="Stop after this many epochs without a better validation result."
        ),
        click.option(
            "--keep-best/--no-keep-best",
            default=None,
            help="Save the weights of the epoch with the best validation result instead of those of the last epoch. "
            "--early-stop implies it.",
        ),
    )


def repeat_options() -> Callable:
    """Return the options for repeated, restarted and resumed runs."""
    return option_group(
        click.option(
            "--folds", type=click.IntRange(min=2), help="Cross-validate on this many folds of the training images."
        ),
        click.option(
            "--runs",
            type=COUNT,
            default=1,
            show_default=True,
            help="Number of runs, with the seeds S, S+1, ... for --seed S.",
        ),
        click.option(
            "--workers",
            type=COUNT,
            help="Share out --runs or --folds to this many processes, each with one thread or as many as --threads "
            "says; the results are the same.",
        ),
        click.option(
            "--restart-dead",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="Retry a run that diverges, or is no better than chance, with up to this many other seeds.",
        ),
        click.option(
            "--checkpoint-every",
            type=COUNT,
            help="Save a checkpoint every this many epochs, not only on Ctrl-C, SIGTERM and SIGHUP: "
            "NAME.checkpoint.h5 for the output NAME.h5.",
        ),
        click.option(
            "--resume",
            type=click.Path(),
            metavar="FILE",
            help="Resume a checkpoint with its settings; the result is bit-identical to that of an uninterrupted run. "
            "Or train a finished network for more --epochs, with a new optimizer state.",
        ),
    )


def check_conflicts(ctx: click.Context) -> None:
    """Raise UsageError if the given options of `train` exclude each other."""
    chosen = {name for name in ctx.params if is_given(ctx, name)}
    runs, folds = ctx.params["runs"] > 1, ctx.params["folds"]
    repeat = "--folds" if folds else "--runs"
    if runs and folds:
        raise click.UsageError("--folds and --runs both repeat the training; choose one of them.")
    if (runs or folds) and ctx.params["checkpoint_every"]:
        raise click.UsageError(f"A checkpoint holds a single run; leave {repeat} or --checkpoint-every out.")
    if folds and "validation" in chosen:
        raise click.UsageError("--folds validates each run on its own fold; leave --validation out.")
    if runs and ctx.params["validation"] == 0:
        raise click.UsageError("--runs needs validation images to choose the best run; give --validation 5000.")
    if ctx.params["workers"] and not (runs or folds):
        raise click.UsageError("--workers shares out --runs or --folds; give one of them, or leave --workers out.")
    if ctx.params["workers"] and (option := _first_option(ctx, chosen & {"log_every"})):
        raise click.UsageError(f"{option} follows a training in this process; leave it or --workers out.")
    if is_given(ctx, "recipe"):
        chosen.add("recipe")
    if ctx.params["resume"] and (option := _first_option(ctx, chosen - RESUMABLE)):
        raise click.UsageError(f"--resume takes all settings from its file; leave {option} out.")
    if ctx.params["start"] and (option := _first_option(ctx, chosen & {"recipe", *DECIDED_BY_NETWORK})):
        raise click.UsageError(f"--from takes the network and its preprocessing from its file; leave {option} out.")


def _first_option(ctx: click.Context, names: set[str]) -> str:
    """Return the first of the options with these names, as it is given on the command line; "" if there is none."""
    params = [param for param in ctx.command.params if param.name in names]
    return _words(params[0], ctx.params.get(str(params[0].name)), "")[0] if params else ""


def checkpoint_path(output: str) -> str:
    """Return NAME.checkpoint.h5 for NAME.h5."""
    return f"{os.path.splitext(output)[0]}.checkpoint.h5"


def option_table(ctx: click.Context) -> str:
    """List all options of `train` with their values, followed by the command line that sets them."""
    lines, words = [], ["fastdigits", "train"]
    defaults = _implicit_defaults(ctx.params)
    for param in ctx.command.params:
        if not param.expose_value or param.name in ("show", "as_json", "progress"):
            continue
        if ctx.params["start"] and param.name in DECIDED_BY_NETWORK:
            continue
        value = ctx.params[param.name]
        text = "all" if param.name == "batch_size" and value is None else _text(value)
        if ctx.get_parameter_source(param.name) is not ParameterSource.DEFAULT:
            words += _words(param, value, text)
        lines.append(f"{param.opts[0]:20}{text or defaults.get(param.name, 'not set')}")
    return "\n".join([*lines, "", shlex.join(words + reading_words())])


def _implicit_defaults(values: dict[str, Any]) -> dict[str, str]:
    """Describe the defaults that depend on other options."""
    name = values["optimizer"]
    optimizer = OPTIMIZERS[name]
    tuned_lr = f"{optimizer.lr / FINE_TUNING_LR_DIVISOR}, a tenth of the default of {name}"
    fine_tuning = {"lr": tuned_lr, "augment": "as in the file"}
    decay = {"lr_decay": f"{LR_DECAY}, the default", "decay_every": f"{DECAY_EVERY}, the default"}
    return {
        "lr": f"{optimizer.lr}, the default of {name}",
        "weight_decay": f"{optimizer.weight_decay}, the default of {name}",
        "keep_best": "yes, with --early-stop" if values["early_stop"] else "no",
        "validation": "one twelfth of the training images",
        "threads": "all",
        **(decay if values["schedule"] in DECAYING else {}),
        **(fine_tuning if values["start"] else {}),
    }


def _words(param: click.Parameter, value: Any, text: str) -> list[str]:
    """Return the words that set an option on the command line."""
    if isinstance(param, click.Option) and param.is_flag:
        return (param.opts if value else param.secondary_opts)[:1]
    if isinstance(param, click.Option) and param.multiple:
        return [word for one in value for word in (param.opts[0], one)]
    return [param.opts[0], text]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        return ", ".join(value)
    return "x".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
