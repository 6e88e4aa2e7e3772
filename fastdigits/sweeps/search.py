"""Search for settings: Optuna's TPE chooses the next trial from the results of earlier ones.

Everything here is a function of the description and of earlier results in the order of the trials, not of the order in
which they end. So a search that goes on after an interruption chooses what it would have chosen without it.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from fastdigits.sweeps.spec import Choices, Range, Settings
from fastdigits.sweeps.store import PRUNED, RunRow

MIN_COMPLETE = 5  # trials before any run is stopped early
optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Trial:
    """The chosen values of a trial, and its runs once they have all ended.

    Attributes
    ----------
    params : dict
        As Optuna names them: for a list, the number of the chosen value.
    rows : sequence of RunRow
        Empty while it runs.
    """

    params: dict[str, Any]
    rows: Sequence[RunRow] = ()

    @property
    def is_pruned(self) -> bool:
        """Whether one of its runs was stopped early."""
        return any(row.status == PRUNED for row in self.rows)

    @property
    def value(self) -> float:
        """The mean validation accuracy of its runs; a run that diverged before it had weights counts as 0."""
        return fmean(row.validation_accuracy or 0.0 for row in self.rows)

    @property
    def curve(self) -> list[float]:
        """The mean validation accuracy after each epoch that all runs reached."""
        runs = [[epoch["validation_accuracy"] or 0.0 for epoch in row.epochs] for row in self.rows]
        return [fmean(accuracies) for accuracies in zip(*runs, strict=False)]


def choose(space: dict[str, Choices], number: int, earlier: Sequence[Trial]) -> dict[str, Any]:
    """Choose the values of trial `number` from the earlier ones; those without runs are taken to be poor.

    Parameters
    ----------
    space : dict
        See Spec.
    number : int
        From 0 on.
    earlier : sequence of Trial

    References
    ----------
    Bergstra et al. (2011), Algorithms for hyper-parameter optimization.
    """
    distributions = {name: _distribution(values) for name, values in space.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # about constant_liar, in older versions
        sampler = TPESampler(seed=number, constant_liar=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials([_frozen(trial, distributions) for trial in earlier])
    return study.ask(distributions).params


def settings_of(space: dict[str, Choices], params: dict[str, Any]) -> Settings:
    """Return the settings that the parameters of a trial stand for."""
    return {name: values[params[name]] if isinstance(values, list) else params[name] for name, values in space.items()}


def thresholds(earlier: Sequence[Trial]) -> list[float]:
    """Return the median validation accuracy of the complete trials after each epoch.

    A run is stopped after an epoch if the best of its accuracies so far is below; see `optuna.pruners.MedianPruner`.

    References
    ----------
    Golovin et al. (2017), Google Vizier: a service for black-box optimization.
    """
    curves = [trial.curve for trial in earlier if trial.rows and not trial.is_pruned]
    epochs = max(map(len, curves), default=0)
    reached = [[curve[epoch] for curve in curves if len(curve) > epoch] for epoch in range(epochs)]
    return [median(accuracies) if len(accuracies) >= MIN_COMPLETE else 0.0 for accuracies in reached]


def _distribution(values: Choices) -> BaseDistribution:
    if not isinstance(values, Range):
        return CategoricalDistribution(range(len(values)))
    if values.is_whole:
        return IntDistribution(int(values.low), int(values.high), log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)


def _frozen(trial: Trial, distributions: dict[str, BaseDistribution]) -> FrozenTrial:
    known: dict[str, Any] = {"params": trial.params, "distributions": distributions}
    if not trial.rows:
        return create_trial(state=TrialState.RUNNING, **known)
    if trial.is_pruned:
        curve = dict(enumerate(trial.curve, 1))
        return create_trial(state=TrialState.PRUNED, intermediate_values=curve, **known)
    return create_trial(state=TrialState.COMPLETE, value=trial.value, **known)
