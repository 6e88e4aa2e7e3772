"""Run `fastdigits compare --against`: train the same networks here and in other frameworks."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from fastdigits import __version__
from fastdigits.bench import frameworks
from fastdigits.bench.frameworks import training
from fastdigits.bench.frameworks.result import OURS, FrameworkResult, result_of
from fastdigits.bench.interference import MAX_CORES, measure_interference
from fastdigits.cli.actions import framework_tables
from fastdigits.cli.actions.common import read_saved, training_callback
from fastdigits.cli.actions.compare import Candidate, Session
from fastdigits.config.training import TrainConfig
from fastdigits.data.matching import set_for
from fastdigits.ops.runtime import numba_setup
from fastdigits.plots import framework_comparison
from fastdigits.training.failure import TrainingFailed

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FrameworkSession(Session):
    """A comparison with other frameworks; `values` are the options of the command line."""

    def __init__(self, values: dict[str, Any]):
        for model in values["models"]:
            if read_saved(model):
                raise click.UsageError(f"--against trains networks; give the name of a model instead of '{model}'.")
        self.notes: list[str] = []
        self.device = "cuda" if values["device"] == "cuda" else "cpu"
        self.frameworks = [frameworks.load(name, self.device) for name in values["against"]]  # before ops.load
        super().__init__(values | {"device": values["device"].replace("auto", "cpu")})
        for candidate in self.candidates:
            for framework in self.frameworks:
                frameworks.check(framework, candidate.name, candidate.configs[0])
        self.runs *= 1 + len(self.frameworks)

    def settings(self, model: str) -> dict[str, Any]:
        """Return the settings of a network, without augmentation."""
        settings = super().settings(model)
        if settings.pop("augment", ""):
            self.note(f"{model} is trained without augmentation, which the frameworks do not compute in the same way.")
        return settings

    def note(self, line: str) -> None:
        """Print a line on stderr, and once below the tables."""
        self.say(line)
        if line not in self.notes:
            self.notes.append(line)

    def measured(self, candidate: Candidate) -> Iterator[FrameworkResult]:
        """Train a network here and in each framework; yield the results as they are measured."""
        yield self._result(candidate, (OURS, __version__), partial(self._train_here, candidate))
        for framework in self.frameworks:
            version = framework.TITLE, framework.version()
            yield self._result(candidate, version, partial(self._train_there, candidate, framework))

    def tables(self, rows: Sequence[dict[str, Any]], title: str) -> str:
        """Return the tables in Markdown."""
        return framework_tables.markdown(rows, title, self.notes)

    def csv_text(self, rows: Sequence[dict[str, Any]]) -> str:
        """Return the table in CSV."""
        return framework_tables.csv_text(rows)

    def figure(self, title: str) -> "Figure":
        """Return the figure."""
        return framework_comparison.draw([entry.to_dict() for entry in self.entries], title)

    def _result(
        self, candidate: Candidate, framework: tuple[str, str], train: Callable[[TrainConfig], tuple[float, float]]
    ) -> FrameworkResult:
        """Train with each configuration; runs that fail are reported and left out."""
        succeeded = []
        for config in candidate.configs:
            try:
                succeeded.append(train(config))
            except TrainingFailed as error:
                self.say(f"{candidate.name} in {framework[0]}: run failed: {error}")
        return result_of(candidate.name, candidate.network, framework, candidate.configs[0], succeeded, self.device)

    def _train_here(self, candidate: Candidate, config: TrainConfig) -> tuple[float, float]:
        """Return (test accuracy, seconds) of our training."""
        done = self.train(candidate, config)
        if done.failure:
            raise TrainingFailed(done.failure)
        return done.test.accuracy, done.training.seconds["train"]

    def _train_there(self, candidate: Candidate, framework: ModuleType, config: TrainConfig) -> tuple[float, float]:
        """Return (test accuracy, seconds) of the training in a framework."""
        callback = training_callback(self.values["progress"], True, self.say, config, 0)
        with callback.display():
            callback.on_run_start(f"{candidate.name} in {framework.TITLE}, seed {config.seed}", self.done, self.runs)
            self.done += 1
            digits = set_for(self.digits, candidate.network.class_names)
            threads = self.values["threads"] or numba_setup.cores()
            with measure_interference() as interference:
                done = training.train(
                    framework, candidate.name, candidate.network, digits, config, callback, self.device, threads
                )
        if (interference.cores or 0) > MAX_CORES:
            self.note(
                f"Other programs ran while {framework.TITLE} trained {candidate.name}, so it may have taken many times "
                "as long; repeat it on a quiet machine, or with --threads 1."
            )
        return done.accuracy, done.train_s
