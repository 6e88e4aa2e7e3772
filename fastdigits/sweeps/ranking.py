"""Rank the settings of a sweep by their validation results, and compare two of them over the same seeds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from scipy.special import stdtrit

from fastdigits.errors import UserError
from fastdigits.storage.run_statistics import Summary, summarize
from fastdigits.sweeps.store import DONE, FAILED, RunRow, variants, varying

UPPER_95 = 0.975  # quantile of the upper end of a 95 % interval


@dataclass(frozen=True)
class Standing:
    """Settings with the validation results of all their runs that are done.

    Attributes
    ----------
    place : int
        From 1 on, by the mean validation accuracy.
    variant : str
        See RunRow.
    settings : dict
        Those that differ between the runs of the store.
    rows : list of RunRow
        They differ in seed and fold only.
    failed : int
        Number of runs of the same settings that failed.
    """

    place: int
    variant: str
    settings: dict[str, Any]
    rows: Sequence[RunRow]
    failed: int = 0

    @property
    def accuracies(self) -> list[float]:
        """The validation accuracy of each run."""
        return [row.validation_accuracy for row in self.rows if row.validation_accuracy is not None]

    @property
    def accuracy(self) -> Summary:
        """The mean, the standard deviation (None for a single run), min and max of the validation accuracies."""
        summary = summarize(self.accuracies)
        assert summary
        return summary

    @property
    def loss(self) -> float:
        """The mean validation loss."""
        return fmean(row.validation_loss for row in self.rows if row.validation_loss is not None)

    @property
    def seconds(self) -> float:
        """The mean seconds of training."""
        return fmean(row.seconds["train"] for row in self.rows)

    @property
    def seeds(self) -> int:
        """The number of different seeds."""
        return len({row.seed for row in self.rows})

    @property
    def folds(self) -> int:
        """The number of different folds; 0 without cross-validation."""
        return len({row.fold for row in self.rows if row.fold is not None})

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as JSON types."""
        return {
            "place": self.place,
            "variant": self.variant,
            "settings": self.settings,
            "model": self.rows[0].model,
            "runs": [row.run for row in self.rows],
            "seeds": self.seeds,
            "folds": self.folds,
            "failed": self.failed,
            "validation_accuracy": self.accuracy,
            "validation_loss": self.loss,
            "train_seconds": self.seconds,
            "parameters": self.rows[0].parameters,
        }


@dataclass(frozen=True)
class Comparison:
    """The difference of the validation accuracies of two settings over the seeds and folds that both have.

    Attributes
    ----------
    first, second : Standing
    differences : list of float
        First minus second, of each pair.
    """

    first: Standing
    second: Standing
    differences: Sequence[float]

    @property
    def difference(self) -> float:
        """The mean difference."""
        return fmean(self.differences)

    @property
    def interval_95(self) -> tuple[float, float] | None:
        """The interval of Student's t distribution for the mean difference; None for a single pair.

        References
        ----------
        Student (1908), The probable error of a mean.
        """
        pairs = len(self.differences)
        if pairs < 2:
            return None
        margin = float(stdtrit(pairs - 1, UPPER_95)) * stdev(self.differences) / sqrt(pairs)
        return self.difference - margin, self.difference + margin

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON types."""
        interval = self.interval_95
        return {
            "first": self.first.place,
            "second": self.second.place,
            "pairs": len(self.differences),
            "difference": self.difference,
            "interval_95": list(interval) if interval else None,
        }


def ranked(rows: Sequence[RunRow]) -> list[Standing]:
    """Rank the settings of runs by their mean validation accuracy, never by a test accuracy.

    Settings without a run that is done and validated are left out.
    """
    names = varying(rows)
    failed: dict[str, int] = {}
    for row in rows:
        failed[row.variant] = failed.get(row.variant, 0) + (row.status == FAILED)
    standings: list[Standing] = []
    for variant, group in variants(row for row in rows if row.validation_accuracy is not None).items():
        settings = {name: group[0].settings.get(name) for name in names}
        standings.append(Standing(len(standings) + 1, variant, settings, group, failed[variant]))
    return standings


def compared(first: Standing, second: Standing) -> Comparison:
    """Compare two settings over the same seeds and folds.

    Raises
    ------
    UserError
        If they have none in common.
    """
    one, other = _by_seed(first.rows), _by_seed(second.rows)
    differences = [one[key] - other[key] for key in sorted(one.keys() & other.keys())]
    if not differences:
        raise UserError(
            f"The settings of places {first.place} and {second.place} have no seed in common; give both the same seeds."
        )
    return Comparison(first, second, differences)


def left_out(rows: Sequence[RunRow], standings: Sequence[Standing]) -> list[str]:
    """Say how many settings are not ranked, and why."""
    known = {standing.variant for standing in standings}
    statuses: dict[str, set[str]] = {}
    for row in rows:
        if row.variant not in known:
            statuses.setdefault(row.variant, set()).add(row.status)
    reasons = {
        "all runs failed": lambda found: FAILED in found and DONE not in found,
        "no run has validation images": lambda found: DONE in found,
        "all runs were stopped early": lambda found: found.isdisjoint((FAILED, DONE)),
    }
    counts = {reason: sum(map(applies, statuses.values())) for reason, applies in reasons.items()}
    return [
        f"{count} {'setting is' if count == 1 else 'settings are'} not ranked, because {reason}"
        for reason, count in counts.items()
        if count
    ]


def pareto_front(standings: Iterable[Standing]) -> list[Standing]:
    """Return the settings that none beats in both mean accuracy and mean seconds, from the fastest to the best."""
    front: list[Standing] = []
    for standing in sorted(standings, key=lambda one: (one.seconds, -one.accuracy["mean"])):
        if not front or standing.accuracy["mean"] > front[-1].accuracy["mean"]:
            front.append(standing)
    return front


def _by_seed(rows: Iterable[RunRow]) -> dict[tuple[int, int], float]:
    return {(row.seed, row.fold or 0): row.validation_accuracy for row in rows if row.validation_accuracy is not None}
