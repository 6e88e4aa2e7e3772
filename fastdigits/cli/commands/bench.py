"""`fastdigits bench`."""

import os
from dataclasses import dataclass
from typing import Any

import click

from fastdigits.cli.options import figure_files
from fastdigits.cli.options.common import DEVICES, ModelName, data_option, exact_option, load_ops, threads_option
from fastdigits.config.choices import RIVALS
from fastdigits.config.recipes import RECIPES, model_settings
from fastdigits.ops.interface import Ops

ROUNDS, SEEDS = 15, 3


class Names(click.ParamType):
    """Names with commas between them, such as cpu,reference."""

    name = "names"

    def __init__(self, choices: tuple[str, ...]):
        self.choices = choices

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
        for name in names:
            if name not in self.choices:
                self.fail(f"'{name}' is none of {', '.join(self.choices)}.", param, ctx)
        return names


@dataclass(frozen=True)
class Plan:
    """What is to be measured, as the command line says it."""

    models: tuple[str, ...]
    batch_size: int
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
        """The races of each network."""
        return [mode for mode, wanted in (("training", self.train), ("inference", self.inference)) if wanted]


@click.command("bench", epilog="Example: fastdigits bench lenet mlp --against torch --json new.json --compare old.json")
@click.argument("models", nargs=-1)
@click.option("--batch-size", type=click.IntRange(1, 65536), default=128, show_default=True)
@click.option(
    "--devices",
    type=Names(DEVICES),
    metavar="NAMES",
    help=f"Of {', '.join(DEVICES)}, with commas; all others are compared with the first. cpu,cuda if not given, or cpu "
    "where CUDA cannot be used.",
)
@click.option(
    "--against",
    type=Names(tuple(RIVALS)),
    default=(),
    metavar="NAMES",
    help="torch, torch-cuda (on the GPU), tensorflow and onnxruntime (inference only) run the same networks; numpy "
    "shows its matrix products in --ops.",
)
@click.option("--train/--no-train", default=True, show_default=True, help="Race training steps.")
@click.option("--inference/--no-inference", default=True, show_default=True, help="Race inference.")
@click.option("--ops", is_flag=True, help="Also time every step of the networks and its share of the machine.")
@click.option(
    "--target",
    type=click.FloatRange(0, 100, min_open=True),
    metavar="PERCENT",
    help="Also train and tell whether the mean test accuracy reaches this.",
)
@click.option("--recipe", type=click.Choice(list(RECIPES)), help="How --target trains; as default if not given.")
@click.option("--seeds", type=click.IntRange(min=1), help=f"How many trainings --target makes; {SEEDS} if not given.")
@data_option
@exact_option
@threads_option
@click.option("--runs", type=click.IntRange(min=1), default=ROUNDS, show_default=True, help="Rounds of each race.")
@click.option(
    "--compile/--no-compile",
    "compiled",
    default=True,
    show_default=True,
    help="Let torch.compile and XLA take part; it may take a minute for each network.",
)
@click.option("--json", "json_file", type=click.Path(), metavar="FILE", help="Write all figures to a file.")
@click.option(
    "--plot", "plot_file", type=figure_files.PictureFile(), metavar="FILE.png", help="Draw images per second as bars."
)
@click.option(
    "--compare", "old_file", type=click.Path(), metavar="OLD.json", help="Compare with a file that --json wrote."
)
@click.pass_context
def command(
    ctx: click.Context,
    models: tuple[str, ...],
    json_file: str | None,
    plot_file: str | None,
    old_file: str | None,
    **options: Any,
) -> None:
    """Measure how fast networks train and read digits on this machine, beside other frameworks.

    All contestants run the same network with the same weights on the same batch, and take turns, so that
    what else runs on the machine disturbs all alike; who computes something else is not timed. Without
    MODELS all networks are measured.
    """
    plan = Plan(tuple(dict.fromkeys(models)), **options)
    _check(plan, json_file, plot_file)
    if plan.threads:  # NumPy reads this when it is loaded, which has not happened yet
        os.environ.setdefault("OPENBLAS_NUM_THREADS", str(plan.threads))
    for model in plan.models:
        ModelName()(model, None, ctx)  # an argument's type would load NumPy to know the names
    from fastdigits.bench import rivals

    frameworks = [rivals.load(name) for name in plan.against]  # before our operations; see there
    from fastdigits.bench.report import compare, read
    from fastdigits.cli.actions import bench_tables
    from fastdigits.files import check_writable

    old = read(old_file) if old_file else None
    for path in filter(None, (json_file, plot_file)):
        check_writable(path)
    report = _measure(plan, frameworks)
    click.echo(bench_tables.as_text(report))
    if old:
        click.echo("\n" + bench_tables.changes(old, report.to_dict(), compare(old, report.to_dict())))
    if json_file:
        report.write(json_file)
    if plot_file:
        from fastdigits.bench import plot

        figure_files.write(plot_file, plot.draw(report.rows, bench_tables.machine_line(report.machine)))


def _check(plan: Plan, json_file: str | None, plot_file: str | None) -> None:
    """UsageError where options do not go together."""
    if not (plan.modes or plan.ops or plan.target):
        raise click.UsageError("There is nothing to measure; leave --no-train or --no-inference out, or add --ops.")
    for name, value in (("--seeds", plan.seeds), ("--recipe", plan.recipe)):
        if value and not plan.target:
            raise click.UsageError(f"{name} says how --target trains; give --target too, such as --target 99.")
    if "numpy" in plan.against and not plan.ops:
        raise click.UsageError("numpy only shows its matrix products beside the single steps; add --ops.")
    if plot_file and not plan.modes:
        raise click.UsageError("--plot draws training and inference; leave --no-train or --no-inference out.")
    if json_file and plot_file and os.path.realpath(json_file) == os.path.realpath(plot_file):
        raise click.UsageError("--json and --plot name the same file; give each its own.")


def _measure(plan: Plan, frameworks: list[Any]) -> Any:
    """The report of everything that was asked for."""
    from fastdigits import ops as devices
    from fastdigits.bench import comparison, gpu, machine, operations
    from fastdigits.bench.report import Report
    from fastdigits.bench.workload import make_workload
    from fastdigits.models import MODELS

    devices.load("cpu", plan.threads)  # the machine's own rates are measured with it, whatever the devices are
    wanted = plan.devices or (("cpu",) if devices.why_unavailable("cuda") else ("cpu", "cuda"))
    loaded = [load_ops(device, plan.threads, _say, plan.exact) for device in wanted]
    _say("machine: peak of multiply-adds and memory")
    facts, on_gpu = machine.measure(), "cuda" in [ops.device for ops in loaded]
    versions = {framework.NAME: framework.version() for framework in frameworks}
    settings = {
        "batch_size": plan.batch_size,
        "runs": plan.runs,
        "compile": plan.compiled,
        "exact": plan.exact,
        "versions": versions,
    }
    report = Report(facts, settings, gpu=gpu.measure() if on_gpu else None)
    product = next((framework for framework in frameworks if framework.NAME == "numpy"), None)
    for model in plan.models or MODELS:
        workload = make_workload(model, plan.batch_size, facts.cores)
        for mode in plan.modes:
            report.rows += comparison.measure(workload, mode, loaded, frameworks, plan.runs, plan.compiled, _say)
        if plan.ops:
            _say(f"{model}: single steps")
            report.operations += operations.measure(workload, loaded[0], product, max(plan.runs, 2))
        if plan.target:
            report.targets += [_target(plan, model, ops) for ops in loaded]
    report.machine = machine.measure_again(facts)
    return report


def _target(plan: Plan, model: str, ops: Ops) -> Any:
    from fastdigits.bench import time_to_accuracy
    from fastdigits.config.training import TrainConfig
    from fastdigits.data import load_digits

    settings: dict[str, Any] = {"batch_size": plan.batch_size} | model_settings(model, plan.recipe or "default")
    configs = [TrainConfig(**settings, exact=plan.exact, seed=seed) for seed in range(plan.seeds or SEEDS)]
    return time_to_accuracy.measure(
        model, ops, lambda: load_digits(plan.data), (plan.target or 0.0) / 100, configs, _say
    )


def _say(line: str) -> None:
    click.echo(line, err=True)
