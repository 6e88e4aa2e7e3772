"""Turn the settings of a sweep into jobs, by the options of `fastdigits train`: they mean the same in both."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from difflib import get_close_matches
from functools import lru_cache
from reprlib import repr as shown
from typing import Any

import click

from fastdigits.cli.actions.common import say_recognized
from fastdigits.cli.actions.train_data import TrainingData, match
from fastdigits.cli.actions.train_plan import make_plan
from fastdigits.cli.commands import train
from fastdigits.cli.options.data import chosen_reading
from fastdigits.cli.options.training import DECIDED_BY_NETWORK, check_conflicts
from fastdigits.data import DigitSet, read_part
from fastdigits.errors import UserError
from fastdigits.sweeps.job import Job, Training, data_hash, images_name
from fastdigits.sweeps.spec import Settings, Spec
from fastdigits.sweeps.store import RunRow
from fastdigits.training.repeats import RunSpec
from fastdigits.training.transfer import for_classes

# Options of `train` that are no settings of a run, and what to use instead
INSTEAD = {
    "seed": "seeds",
    "runs": "seeds",
    "folds": "folds",
    "output": "--weights",
    "resume": "--resume",
    "progress": "--progress",
    "as_json": "--json",
    "workers": "--workers",
    "restart_dead": "more seeds",
    "show": "",
    "log_every": "",
    "stats_file": "",
    "plot_file": "",
    "checkpoint_every": "",
    "log": "",
}
ONE_VALUE = (click.types.FloatParamType, click.types.IntParamType, click.Choice)


class Jobs:
    """The jobs of a sweep, made from the settings of its variants.

    Parameters
    ----------
    spec : Spec
    keep_weights : bool
        Whether the jobs return the trained networks.
    """

    def __init__(self, spec: Spec, keep_weights: bool = False):
        self.spec, self.keep_weights = spec, keep_weights
        self.sets: dict[str, DigitSet] = {}  # by the name that workers know them by
        self.warnings: dict[str, None] = {}
        self._hashes: dict[tuple[int, int], str] = {}  # of `sets`, by the identity of the arrays

    def of(self, settings: Settings, thresholds: Sequence[float] = ()) -> list[Job]:
        """Return the jobs of a variant: one for each seed and fold.

        Raises
        ------
        UserError
            If there is no such option, it has no such value, or the options do not fit together.
        """
        return [job for seed in self.spec.seeds for job in self._of_seed(settings, seed, thresholds)]

    def _of_seed(self, settings: Settings, seed: int, thresholds: Sequence[float]) -> list[Job]:
        words = [*_words(settings), "--seed", str(seed)]
        if self.spec.folds:
            words += ["--folds", str(self.spec.folds)]
        with _as_user_error(), train.command.make_context("train", words) as ctx:
            check_conflicts(ctx)
            plan = make_plan(ctx)
            if plan.config.validation == 0:
                raise UserError("A sweep compares runs by their validation images; give validation = 5000.")
            data = match(plan, _training_part(plan.data, **chosen_reading()))
            if data.warning:
                self.warnings[data.warning] = None
            return [self._job(ctx, data, settings, thresholds, spec) for spec in data.run_specs(self.spec.folds, 1)]

    def _job(
        self, ctx: click.Context, data: TrainingData, settings: Settings, thresholds: Sequence[float], spec: RunSpec
    ) -> Job:
        plan, digits, config = data.plan, data.digits, spec.config
        training = Training(
            model=plan.model,
            network=data.network.config(),
            config=config,
            data=images_name(digits, self._hash(digits)),
            device=ctx.params["device"],
            threads=ctx.params["threads"],
            rows=spec.rows,
            trained=plan.trained and for_classes(plan.trained, digits.classes, config.seed),
            start=plan.start,
        )
        varied = {name: settings[name] for name in settings if name not in self.spec.fixed}
        options = {name: value for name, value in ctx.params.items() if name not in INSTEAD and name != "threads"}
        known = options | chosen_reading() | asdict(config) | {"folds": self.spec.folds}
        known |= {"threads": ctx.params["threads"]} if "threads" in varied else {}
        known.pop("seed")
        return Job(
            training=training,
            settings=json.loads(json.dumps(known)),  # with lists for tuples, as it will be stored
            dataset=digits.name,
            data_hash=self._hash(digits),
            fold=spec.tags.get("fold"),
            varied=varied,
            thresholds=tuple(thresholds),
            keep_weights=self.keep_weights,
        )

    def _hash(self, digits: DigitSet) -> str:
        """Return the hash of the images, and keep them for the workers."""
        identity = id(digits.train_images), id(digits.train_labels)
        if identity in self._hashes:
            return self._hashes[identity]
        found = data_hash(digits)
        name = images_name(digits, found)
        if name not in self.sets:  # else the arrays may be freed, and their identity be that of others
            self.sets[name], self._hashes[identity] = digits, found
        return found


@lru_cache
def _training_part(data: str, **reading: Any) -> DigitSet:
    """Load a data set without its test images."""
    part = read_part(data, "train", **reading)
    say_recognized(part)
    known = part.classes, part.notes, part.reading
    return DigitSet(part.name, part.images, part.labels, part.images[:0], part.labels[:0], *known)


def _words(settings: Settings) -> list[str]:
    """Return the words of the command line of `train` for settings."""
    return [word for name, value in settings.items() for word in _words_of(name, value)]


def _words_of(name: str, value: Any) -> list[str]:
    option = _option(name)
    if option.is_flag:
        if not isinstance(value, bool):
            raise UserError(f"{name} must be true or false, not {shown(value)}.")
        return option.opts[:1] if value else option.secondary_opts[:1]
    if isinstance(value, list) and isinstance(option.type, ONE_VALUE):
        raise UserError(f"{name} takes one value, not {shown(value)}; several to try belong into [grid].")
    if isinstance(value, list):
        value = ("x" if option.name in ("hidden", "size") else ",").join(map(str, value))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UserError(f"{name} cannot be {shown(value)}; see 'fastdigits train --help'.")
    return [f"{option.opts[0]}={value}"]


def _option(name: str) -> click.Option:
    """Return the option of `train` that a setting stands for, by the name of the option or of its parameter."""
    options = _options()
    if name not in options:
        matches = get_close_matches(name, options, n=1)
        suggestion = f"did you mean {matches[0]}?" if matches else "'fastdigits train --help' lists all."
        raise UserError(f"There is no option {shown(name)} of 'fastdigits train'; {suggestion}")
    option = options[name]
    if option.name in INSTEAD:
        instead = INSTEAD[option.name]
        raise UserError(f"{name} is no setting of a run; {f'use {instead}' if instead else 'leave it out'}.")
    return option


def _options() -> dict[str, click.Option]:
    options = [param for param in train.command.params if isinstance(param, click.Option)]
    by_option = {option.opts[0].removeprefix("--").replace("-", "_"): option for option in options}
    return {str(option.name): option for option in options} | by_option


@contextmanager
def _as_user_error() -> Iterator[None]:
    """Turn errors of the command line of `train` into errors of the description of a sweep."""
    try:
        yield
    except click.ClickException as error:
        raise UserError(error.format_message()) from None


def job_of(row: RunRow) -> tuple[Job, DigitSet]:
    """Return the job of a run in a store, to run it again, and its images.

    Raises
    ------
    UserError
        If its data set or its files are missing, or are not what they were.
    """
    given = {name: value for name, value in row.settings.items() if name in _options() and name not in INSTEAD}
    if row.settings["start"]:
        given = {name: value for name, value in given.items() if name not in DECIDED_BY_NETWORK}
    known = {name: value for name, value in given.items() if value is not None}
    if row.settings["batch_size"] is None:
        known["batch_size"] = "all"
    jobs = Jobs(Spec(seeds=[row.seed], folds=row.settings["folds"]), keep_weights=True)
    [job] = [job for job in jobs.of(known) if job.fold == row.fold]
    if job.key != row.key:
        raise UserError(
            f"Run {row.run} cannot be trained again, because its data set, the file of its network or fastdigits has "
            "changed; save the weights of a sweep with --weights."
        )
    return job, jobs.sets[job.training.data]
