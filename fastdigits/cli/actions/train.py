"""Run `fastdigits train`: load the data, train, and write the results, even after an interruption."""

import json
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any

import click

from fastdigits import ops
from fastdigits.cli.actions import train_data
from fastdigits.cli.actions.common import chosen_device, training_callback, write_figure
from fastdigits.cli.actions.saving import save
from fastdigits.cli.actions.train_logs import Logs
from fastdigits.cli.actions.train_plan import Plan, check_outputs, make_plan
from fastdigits.cli.options.data import reading_words
from fastdigits.cli.terminal import interrupt
from fastdigits.cli.terminal.names import printable
from fastdigits.cli.terminal.progress import announce_compilation
from fastdigits.cli.terminal.sweep_lines import stopping_line
from fastdigits.cli.terminal.training_lines import RunsProgress, averages_lines, result_line
from fastdigits.data.preprocessing import polarity_note
from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.plots import curves
from fastdigits.storage import run_statistics, weights
from fastdigits.storage.training_logs import from_summaries, group_runs
from fastdigits.sweeps.cluster import Cluster
from fastdigits.sweeps.job import Training, images_name
from fastdigits.sweeps.processes import check_workers, local
from fastdigits.sweeps.repeats import Repeats
from fastdigits.training.callbacks import Callbacks
from fastdigits.training.experiment import run
from fastdigits.training.failure import TrainingFailed
from fastdigits.training.repeats import RunResult, RunResults, RunSpec, run_all
from fastdigits.training.transfer import for_classes


def run_command(ctx: click.Context, start: float) -> None:
    """Train with the options of the command line; `start` is the time when the command began."""
    plan, values = make_plan(ctx), ctx.params
    check_outputs(ctx, plan)
    logs = Logs(values["log"], plan, values)
    if not values["workers"]:
        Session(plan, values, start, logs).run()
        return
    threads = values["threads"] or 1
    workers = min(check_workers(values["workers"], threads), values["folds"] or values["runs"])
    # They load the kernels while this process loads the data set
    with local(workers, threads, values["device"]) as cluster:
        Session(plan, values, start, logs, cluster).run()


class Session:
    """The execution of a plan, on workers if there are some; `values` are the options of the command line."""

    def __init__(self, plan: Plan, values: dict[str, Any], start: float, logs: Logs, cluster: Cluster | None = None):
        self.values, self.start, self.logs, self.cluster = values, start, logs, cluster
        load_start = perf_counter()
        self.data = train_data.load(plan)
        plan = self.plan = self.data.plan
        self.digits, self.network = self.data.digits, self.data.network
        self.load_s = perf_counter() - load_start
        plan.checkpoints.describe(self.digits)
        self.device = chosen_device(values["device"], self.say)
        if cluster:
            ops.check_device(self.device)
        self.ops = None if cluster else ops.load(self.device, values["threads"], plan.config.exact)
        self.specs = self.data.run_specs(values["folds"], values["runs"])
        self.repeated = len(self.specs) > 1
        self.callback = training_callback(
            values["progress"], values["as_json"], self.say, plan.config, values["log_every"]
        )
        plan.checkpoints.warn = self.logs.warn = self.callback.warn
        self.done = RunResults()
        self.problems: list[str] = []  # files that could not be written where they belong

    def say(self, line: str) -> None:
        """Print a line on stdout, or on stderr with --json."""
        click.echo(line, err=self.values["as_json"])

    def run(self) -> None:
        """Train and write the results. After a signal to stop, write the results of the finished runs.

        Raises
        ------
        KeyboardInterrupt
            After a signal to stop.
        UserError
            If training diverged, or a file was not written where it belongs; the weights are written all the same.
        """
        parameters, images = self.network.parameter_count, self.data.new_images
        self.say(f"{self.plan.model}: {parameters:,} parameters, {self.digits.name}: {images:,} images")
        if self.data.warning:
            self.callback.warn(self.data.warning)
        for line in [*self.plan.notes, *self.data.notes(self.values["start"])]:
            self.say(line)
        note = polarity_note(self.digits.train_images)
        if note and not self.plan.config.ink and not self.plan.checkpoints.resumed:
            self.say(note)
        with interrupt.deferrable():
            try:
                self._train()
            except (KeyboardInterrupt, OSError):  # OSError: the terminal or the pipe for the lines is closed
                self._write_finished_runs()
                self._warn_of_problems()
                if self.repeated:
                    self.say(f"{len(self.done.reported)} of {len(self.specs)} runs are finished")
                self._say_how_to_resume()
                raise
            except TrainingFailed:
                raise
            except UserError:  # workers that are killed again and again
                self._write_finished_runs()
                raise
            summary = self._write_results()
            if self.values["as_json"]:
                click.echo(json.dumps(summary))
            self._raise_problems(summary)

    def _train(self) -> None:
        callback = self.callback
        interrupt.defer()  # Python prints and drops exceptions in callbacks of the compiler
        try:
            with callback.display():
                if self.cluster:
                    self._train_on_workers(self.cluster)
                else:
                    self._train_here()
        except TrainingFailed as error:
            if stats_file := self.values["stats_file"]:
                failed = error.runs
                self._save(stats_file, lambda path: run_statistics.add(os.fspath(path), [], failed))
            self._warn_of_problems()
            raise

    def _train_here(self) -> None:
        """Do one run after the other in this process."""
        assert self.ops
        with announce_compilation(self.ops, self.callback.say, self.callback.show_compilation):
            run_all(self.specs, self._run_once, self.values["restart_dead"], self.callback, self.done)

    def _train_on_workers(self, cluster: Cluster) -> None:
        """Share out the runs to processes on this machine."""
        data = images_name(self.digits)
        cluster.send(data, self.digits)
        repeats = Repeats(
            specs=self.specs,
            training=lambda spec: self._training(spec, data),
            restarts=self.values["restart_dead"],
            cluster=cluster,
            callback=self.callback,
            display=RunsProgress(self.callback.show_compilation, self.plan.config.epochs, len(self.specs)),
            finished=self._finish,
            is_stopping=interrupt.received,
            stopping=lambda running: self.callback.say(stopping_line(running)),
        )
        repeats.run(self.done)

    def _training(self, spec: RunSpec, data: str) -> Training:
        """Return what a worker needs to train a network."""
        plan = self.plan
        trained = plan.trained and for_classes(plan.trained, self.digits.classes, spec.config.seed)
        return Training(
            model=plan.model,
            network=self.network.config(),
            config=spec.config,
            data=data,
            device=self.device,
            rows=spec.rows,
            trained=trained,
            start=plan.start,
        )

    def _finish(self, spec: RunSpec, result: RunResult) -> None:
        """Complete the summary of a run that a worker has trained, and print its line."""
        result.summary.update(spec.tags, output=self.plan.output)
        result.summary["seconds"]["load"] = self.load_s
        self.logs.add(spec, self.digits.name, result)
        accuracy = result.summary["validation_accuracy"]
        self.callback.say(f"{spec.title}: validation accuracy {accuracy:.2%}, {result_line(result.summary)}")

    def _run_once(self, spec: RunSpec) -> RunResult:
        assert self.ops
        plan, start = self.plan, perf_counter() if self.repeated else self.start
        arguments = plan.model, self.network, self.digits, self.ops, spec.config
        trained = plan.trained and for_classes(plan.trained, self.digits.classes, spec.config.seed)
        with self.logs.following(spec, self.digits.name) as trackers:
            # The last callback raises an interrupt
            done = run(*arguments, Callbacks([*trackers, self.callback]), spec.rows, plan.checkpoints, trained)
            summary = done.summary(self.load_s, perf_counter() - start, plan.output)
            saved = replace(done.saved(), start=plan.start)
            result = RunResult(saved, spec.tags | summary, done.rank, done.problem)
            self.logs.finish(trackers, result)
        if self.repeated:
            self.callback.say(f"validation accuracy {done.kept.validation_accuracy:.2%}, {result_line(summary)}")
        return result

    def _write_finished_runs(self) -> None:
        """Write and print the results of the runs that are finished before an error, if there are any."""
        if self.done.best:
            summary = self._write_results() | {"planned_runs": len(self.specs)}
            if self.values["as_json"]:
                click.echo(json.dumps(summary))

    def _write_results(self) -> dict[str, Any]:
        """Write all files, print the results, and return the summary of the best run."""
        done = self.done
        best = done.best
        assert best  # at least one run has finished
        stats_file, plot_file = self.values["stats_file"], self.values["plot_file"]
        output = self._save(self.plan.output, lambda path: weights.write(path, best.saved))
        summary = best.summary | {"output": output, "dead_runs": done.failed}
        if self.repeated:
            for line in averages_lines(done.averages()):
                self.say(line)
            self.say(f"the best by validation is {done.best_title}")
            summary |= {"trainings": done.reported, "averages": done.averages()}
        self.say(result_line(summary))
        self._say_written("weights", output)
        if output:
            self.logs.add_weights(best, output)
        if stats_file:
            self._save(stats_file, lambda path: run_statistics.add(os.fspath(path), done.summaries, done.failed))
        if plot_file:
            figure = curves.draw(group_runs(from_summaries(done.reported)))
            self._say_written("picture", self._save(plot_file, lambda path: write_figure(os.fspath(path), figure)))
        if summary["verdict"]["result"] in ("chance", "majority"):
            self.callback.warn(summary["verdict"]["message"])
        return summary

    def _save(self, path: str, write: Callable[[StrPath], object]) -> str | None:
        """Write a file, somewhere else if need be; return its path, or None if no folder takes it."""
        written, problem = save(path, write, ask=not self.values["as_json"])
        if problem:
            self.problems.append(problem)
        return written

    def _say_written(self, name: str, path: str | None) -> None:
        if path:
            self.say(f"{name}: {printable(path)}")

    def _warn_of_problems(self) -> None:
        for problem in self._all_problems():
            self.callback.warn(problem)

    def _all_problems(self) -> list[str]:
        return [*self.problems, *self.logs.problems]

    def _raise_problems(self, summary: dict[str, Any]) -> None:
        if interrupt.received():
            self._warn_of_problems()
        interrupt.check()
        if summary["verdict"]["result"] == "diverged":
            self._warn_of_problems()
            kept, output = summary["kept_epoch"], summary["output"]
            place = f"are in {printable(output)}" if output else "could not be written"
            raise UserError(f"{summary['verdict']['message']} The weights of epoch {kept} {place}.")
        if problems := self._all_problems():
            raise UserError(" ".join(problems))

    def _say_how_to_resume(self) -> None:
        checkpoints, output = self.plan.checkpoints, os.path.splitext(self.plan.output)
        if checkpoints.written is None:
            return
        file = click.format_filename(checkpoints.written)
        words = ["fastdigits", "train", "--resume", file, *reading_words()]
        if self.values["stats_file"]:
            words += ["--stats", click.format_filename(self.values["stats_file"])]
        words += [word for target in self.values["log"] for word in ("--log", target)]
        if self.repeated:  # the output already holds the best of the finished runs
            words += ["--output", f"{output[0]}.rest{output[1]}"]
        self.say(f"checkpoint: {printable(checkpoints.written)}")
        self.say(f"to resume{' this run' if self.repeated else ''}: {shlex.join(words)}")
