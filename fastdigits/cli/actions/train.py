"""Run `fastdigits train`: load the data, train, and write the results, even after an interruption."""

import json
import os
import shlex
from time import perf_counter
from typing import Any

import click

from fastdigits.cli.actions.common import load_ops, training_callback, write_figure
from fastdigits.cli.actions.train_plan import Plan, check_outputs, make_plan
from fastdigits.cli.terminal import interrupt
from fastdigits.cli.terminal.names import printable
from fastdigits.cli.terminal.progress import announce_compilation
from fastdigits.cli.terminal.training_lines import averages_lines, result_line
from fastdigits.data import load_digits
from fastdigits.data.preprocessing import polarity_note
from fastdigits.plots import curves
from fastdigits.storage import run_statistics, weights
from fastdigits.storage.training_logs import from_summaries, group_runs
from fastdigits.training.experiment import run
from fastdigits.training.failure import TrainingFailed
from fastdigits.training.repeats import RunResult, RunResults, RunSpec, run_all


def run_command(ctx: click.Context, start: float) -> None:
    """Train with the options of the command line; `start` is the time when the command began."""
    plan, values = make_plan(ctx), ctx.params
    check_outputs(plan, values["stats_file"], values["plot_file"])
    Session(plan, values, start).run()


class Session:
    """The execution of a plan; `values` are the options of the command line."""

    def __init__(self, plan: Plan, values: dict[str, Any], start: float):
        self.plan, self.values, self.start = plan, values, start
        load_start = perf_counter()
        self.digits = load_digits(plan.data)
        self.network = plan.network(self.digits)
        self.load_s = perf_counter() - load_start
        plan.checkpoints.dataset = self.digits.name
        self.ops = load_ops(values["device"], values["threads"], self.say, plan.config.exact)
        self.specs = plan.run_specs(values["folds"], values["runs"], self.digits)
        self.repeated = len(self.specs) > 1
        self.callback = training_callback(
            values["progress"], values["as_json"], self.say, plan.config, values["log_every"]
        )
        self.done = RunResults()

    def say(self, line: str) -> None:
        """Print a line on stdout, or on stderr with --json."""
        click.echo(line, err=self.values["as_json"])

    def run(self) -> None:
        """Train and write the results. On Ctrl-C, write the results of the finished runs, then raise it again."""
        parameters, images = self.network.parameter_count, len(self.digits.train_labels)
        self.say(f"{self.plan.model}: {parameters:,} parameters, {self.digits.name}: {images:,} images")
        note = polarity_note(self.digits.train_images)
        if note and not self.plan.checkpoints.resumed:
            self.say(note)
        with interrupt.deferrable():
            try:
                self._train()
            except KeyboardInterrupt:
                if self.repeated:
                    self.say(f"{len(self.done.summaries)} of {len(self.specs)} runs are finished")
                if self.done.best:
                    self._write_results()
                self._say_how_to_resume()
                raise
            summary = self._write_results()
            if self.values["as_json"]:
                click.echo(json.dumps(summary))
            interrupt.check()

    def _train(self) -> None:
        callback = self.callback
        try:
            with announce_compilation(self.ops, callback.say), callback.display():
                run_all(self.specs, self._run_once, self.values["restart_dead"], callback, self.done)
        except TrainingFailed as error:
            if self.values["stats_file"]:
                run_statistics.add(self.values["stats_file"], [], error.runs)
            raise

    def _run_once(self, spec: RunSpec) -> RunResult:
        plan, start = self.plan, perf_counter() if self.repeated else self.start
        arguments = plan.model, self.network, self.digits, self.ops, spec.config, self.callback
        done = run(*arguments, spec.rows, plan.checkpoints)
        summary = done.summary(self.load_s, perf_counter() - start, plan.output)
        if self.repeated:
            self.callback.say(f"validation accuracy {done.kept.validation_accuracy:.2%}, {result_line(summary)}")
        return RunResult(done.saved(), spec.tags | summary, done.kept.rank if self.repeated else None)

    def _write_results(self) -> dict[str, Any]:
        """Write all files, print the results, and return the summary of the best run."""
        done, output = self.done, self.plan.output
        assert done.best  # at least one run has finished
        stats_file, plot_file = self.values["stats_file"], self.values["plot_file"]
        weights.write(output, done.best.saved)
        summary = done.best.summary | {"dead_runs": done.failed}
        if self.repeated:
            for line in averages_lines(done.averages()):
                self.say(line)
            self.say(f"the best by validation is {done.best_title}")
            summary |= {"trainings": done.summaries, "averages": done.averages()}
        self.say(result_line(summary))
        self.say(f"weights: {printable(output)}")
        if stats_file:
            run_statistics.add(stats_file, done.summaries, done.failed)
        if plot_file:
            write_figure(plot_file, curves.draw(group_runs(from_summaries(done.summaries))))
            self.say(f"picture: {printable(plot_file)}")
        return summary

    def _say_how_to_resume(self) -> None:
        checkpoints, output = self.plan.checkpoints, os.path.splitext(self.plan.output)
        if not checkpoints.written:
            return
        words = ["fastdigits", "train", "--resume", click.format_filename(checkpoints.path or "")]
        if self.values["stats_file"]:
            words += ["--stats", click.format_filename(self.values["stats_file"])]
        if self.repeated:  # the output already holds the best of the finished runs
            words += ["--output", f"{output[0]}.rest{output[1]}"]
        self.say(f"checkpoint: {printable(checkpoints.path or '')}")
        self.say(f"to resume{' this run' if self.repeated else ''}: {shlex.join(words)}")
