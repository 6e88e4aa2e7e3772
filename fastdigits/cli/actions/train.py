"""One `fastdigits train` from the data to the files that it leaves, whether it ends or is interrupted."""

import json
import os
import shlex
from time import perf_counter
from typing import Any

import click

from fastdigits.cli.actions.train_plan import Plan
from fastdigits.cli.options import figure_files
from fastdigits.cli.options.common import load_ops
from fastdigits.cli.terminal import interrupt
from fastdigits.cli.terminal.progress import announcing_compilation
from fastdigits.cli.terminal.training_lines import averages_lines, test_line, watching
from fastdigits.data import load_digits
from fastdigits.storage import run_statistics, weights
from fastdigits.storage.training_logs import from_summaries, group_runs
from fastdigits.training.experiment import run
from fastdigits.training.failure import TrainingFailed
from fastdigits.training.repeats import RunResult, RunResults, RunSpec, run_all


class Session:
    """A plan that is carried out; `values` are the options of the command line, `start` is when it began."""

    def __init__(self, job: Plan, values: dict[str, Any], start: float):
        self.job, self.values, self.start = job, values, start
        load_start = perf_counter()
        self.digits = load_digits(job.data)
        self.network = job.network(self.digits)
        self.load_s = perf_counter() - load_start
        job.checkpoints.dataset = self.digits.name
        self.ops = load_ops(values["device"], values["threads"], self.say, job.config.exact)
        self.tasks = job.tasks(values["folds"], values["runs"], self.digits)
        self.several = len(self.tasks) > 1
        self.callback = watching(values["progress"], values["as_json"], self.say, job.config, values["log_every"])
        self.done = RunResults()

    def say(self, line: str) -> None:
        """Print a line; beside JSON, which is alone on stdout, on stderr."""
        click.echo(line, err=self.values["as_json"])

    def run(self) -> None:
        """Train, and keep what came of it; with Ctrl-C what has come of it so far, before the exception goes on."""
        parameters, images = self.network.parameter_count, len(self.digits.train_labels)
        self.say(f"{self.job.model}: {parameters:,} parameters, {self.digits.name}: {images:,} images")
        with interrupt.released():
            try:
                self._train()
            except KeyboardInterrupt:
                if self.several:
                    self.say(f"{len(self.done.summaries)} of {len(self.tasks)} trainings are over")
                if self.done.best:
                    self._keep()
                self._explain_how_to_go_on()
                raise
            summary = self._keep()
            if self.values["as_json"]:
                click.echo(json.dumps(summary))
            interrupt.check()

    def _train(self) -> None:
        callback = self.callback
        try:
            with announcing_compilation(self.ops, callback.say), callback.display():
                run_all(self.tasks, self._attempt, self.values["restart_dead"], callback, self.done)
        except TrainingFailed as error:
            if self.values["stats_file"]:
                run_statistics.add(self.values["stats_file"], [], error.trainings)
            raise

    def _attempt(self, task: RunSpec) -> RunResult:
        job, begin = self.job, perf_counter() if self.several else self.start
        arguments = job.model, self.network, self.digits, self.ops, task.config, self.callback
        done = run(*arguments, task.rows, job.checkpoints)
        summary = done.summary(self.load_s, perf_counter() - begin, job.output)
        if self.several:
            self.callback.say(f"validation accuracy {done.kept.validation_accuracy:.2%}, {test_line(summary)}")
        return RunResult(done.saved(), task.tags | summary, done.kept.rank if self.several else None)

    def _keep(self) -> dict[str, Any]:
        """Write all files and say what is in them; return the figures of the network that is kept."""
        done: Any = self.done
        output = self.job.output
        stats_file, plot_file = self.values["stats_file"], self.values["plot_file"]
        weights.write(output, done.best.saved)
        summary = done.best.summary | {"dead_runs": done.failed}
        if self.several:
            for line in averages_lines(done.averages()):
                self.say(line)
            self.say(f"the best by validation is {done.best_title}")
            summary |= {"trainings": done.summaries, "averages": done.averages()}
        self.say(test_line(summary))
        self.say(f"weights: {click.format_filename(output)}")
        if stats_file:
            run_statistics.add(stats_file, done.summaries, done.failed)
        if plot_file:
            from fastdigits.plots import curves

            figure_files.write(plot_file, curves.draw(group_runs(from_summaries(done.summaries))))
            self.say(f"picture: {click.format_filename(plot_file)}")
        return summary

    def _explain_how_to_go_on(self) -> None:
        checkpoints, output = self.job.checkpoints, os.path.splitext(self.job.output)
        if not checkpoints.written:
            return
        words = ["fastdigits", "train", "--resume", click.format_filename(checkpoints.path or "")]
        if self.values["stats_file"]:
            words += ["--stats", click.format_filename(self.values["stats_file"])]
        if self.several:  # the best of those that are over has the name of the output
            words += ["--output", f"{output[0]}.rest{output[1]}"]
        self.say(f"checkpoint: {click.format_filename(checkpoints.path or '')}")
        self.say(f"to go on{' with this run' if self.several else ''}: {shlex.join(words)}")
