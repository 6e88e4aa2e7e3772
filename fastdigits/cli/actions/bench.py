"""Run `fastdigits bench`: measure steps, operations and whole training runs."""

from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import click

from fastdigits import ops as devices
from fastdigits.bench import comparison, gpu, machine, operations, plot, rivals, time_to_accuracy
from fastdigits.bench.report import Report, compare, read
from fastdigits.bench.workload import make_workload
from fastdigits.cli.actions import bench_tables
from fastdigits.cli.actions.common import load_ops, say_written, write_figure
from fastdigits.cli.options.data import chosen_reading
from fastdigits.cli.options.figure_files import check_files
from fastdigits.config.recipes import model_settings
from fastdigits.config.training import TrainConfig
from fastdigits.data import load_digits
from fastdigits.errors import UserError
from fastdigits.models import MODELS
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime import compilation

SEEDS = 3


@dataclass(frozen=True)
class Plan:
    """What to measure: the options of the command line."""

    models: tuple[str, ...]
    batch_sizes: tuple[int, ...]
    devices: tuple[str, ...] | None
    against: tuple[str, ...]
    train: bool
    inference: bool
    ops: bool
    target: float | None
    seeds: int | None
    recipe: str | None
    exact: bool
    threads: int | None
    runs: int
    compiled: bool
    data: str

    @property
    def modes(self) -> list[str]:
        """The modes in which networks race."""
        return [mode for mode, chosen in (("training", self.train), ("inference", self.inference)) if chosen]


def run(plan: Plan, json_file: str | None, plot_file: str | None, old_file: str | None) -> None:
    """Measure everything, print the tables and write the files."""
    check_files({"--json": json_file, "--plot": plot_file})
    frameworks = _load_rivals(plan.against)  # before ops.load: see there
    old = read(old_file) if old_file else None
    with compilation.shown(compilation.Line(_say)):
        report = _measure(plan, frameworks)
    click.echo(bench_tables.as_text(report))
    if old:
        click.echo("\n" + bench_tables.changes(old, report.to_dict(), compare(old, report.to_dict())))
    if json_file:
        report.write(json_file)
        say_written(json_file)
    if plot_file:
        write_figure(plot_file, plot.draw(report.rows, bench_tables.machine_line(report.machine)))
        say_written(plot_file)


def _load_rivals(names: tuple[str, ...]) -> list[ModuleType]:
    """Return the modules of the rivals that can be used here; say why others are left out."""
    found = []
    for name in names:
        try:
            found.append(rivals.load(name))
        except UserError as error:
            _say(f"{name} is left out: {error}")
    return found


def _measure(plan: Plan, frameworks: list[ModuleType]) -> Report:
    cpu = devices.load("cpu", plan.threads)  # measures the machine's own rates, whatever the chosen devices are
    chosen = plan.devices or (("cpu",) if devices.why_unavailable("cuda") else ("cpu", "cuda"))
    loaded = [load_ops(device, plan.threads, _say, plan.exact) for device in chosen]
    _say("machine: peak of multiply-adds and memory")
    facts, on_gpu = machine.measure(cpu), "cuda" in [ops.device for ops in loaded]
    settings = {
        "batch_sizes": plan.batch_sizes,
        "runs": plan.runs,
        "compile": plan.compiled,
        "exact": plan.exact,
        "versions": {framework.NAME: framework.version() for framework in frameworks},
    }
    report = Report(facts, settings, gpu=gpu.measure() if on_gpu else None)
    numpy = next((framework for framework in frameworks if framework.NAME == "numpy"), None)
    for model in plan.models or MODELS:
        for batch_size in plan.batch_sizes:
            workload = make_workload(model, batch_size, facts.cores)
            for mode in plan.modes:
                report.rows += comparison.measure(workload, mode, loaded, frameworks, plan.runs, plan.compiled, _say)
            if plan.ops:
                _say(f"{model}: single operations")
                report.operations += operations.measure(workload, loaded[0], numpy, plan.runs)
        if plan.target:
            report.targets += [_time_to_accuracy(plan, model, ops) for ops in loaded]
    report.machine = machine.measure_again(facts)
    return report


def _time_to_accuracy(plan: Plan, model: str, ops: Ops) -> time_to_accuracy.TimeToAccuracy:
    settings: dict[str, Any] = {"batch_size": plan.batch_sizes[0]} | model_settings(model, plan.recipe or "default")
    configs = [TrainConfig(**settings, exact=plan.exact, seed=seed) for seed in range(plan.seeds or SEEDS)]
    return time_to_accuracy.measure(
        model, ops, partial(load_digits, plan.data, **chosen_reading()), (plan.target or 0.0) / 100, configs, _say
    )


def _say(line: str) -> None:
    click.echo(line, err=True)
