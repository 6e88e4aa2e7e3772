"""Train networks over several seeds and print a Markdown table: python scripts/measure_models.py cnn lenet --seeds 5.

Test accuracy as mean, standard deviation, lowest and highest; seconds of training alone, without
compilation, loading and validation; and the machine.
"""

import json
import platform
from statistics import fmean, stdev
from typing import Any

import click

from fastdigits import ops
from fastdigits.bench.machine import cpu_name
from fastdigits.config.recipes import MODEL_SETTINGS
from fastdigits.config.training import TrainConfig
from fastdigits.data import load_digits
from fastdigits.data.model_results import load_model_results
from fastdigits.data.sources import shipped_folder
from fastdigits.models import MODELS, network_of
from fastdigits.ops.runtime import numba_setup
from fastdigits.training.callbacks import Callback
from fastdigits.training.experiment import Run, run


def figures(runs: list[Run], machine: str) -> dict[str, Any]:
    """What the runs of one network come to, in plain JSON types; accuracies are shares of 1."""
    accuracies = [one.test.accuracy for one in runs]
    return {
        "test_accuracy": fmean(accuracies),
        "deviation": stdev(accuracies) if len(runs) > 1 else 0.0,
        "lowest": min(accuracies),
        "highest": max(accuracies),
        "seeds": len(runs),
        "epochs": runs[0].config.epochs,
        "seconds": fmean(one.training.seconds["train"] for one in runs),
        "machine": machine,
    }


def row(model: str, parameters: int, found: dict[str, Any]) -> str:
    """One line of the table."""
    return (
        f"| `{model}` | {parameters:,} | {found['epochs']} | {found['test_accuracy']:.2%} | {found['deviation']:.2%} "
        f"| {found['lowest']:.2%} .. {found['highest']:.2%} | {found['seconds']:.1f} |"
    )


def save(found: dict[str, dict[str, Any]]) -> None:
    """Put the figures where `fastdigits models` reads them, beside those of other networks."""
    known = load_model_results() | found
    text = json.dumps({model: known[model] for model in MODELS if model in known}, indent=1)
    (shipped_folder() / "models" / "measured.json").write_text(text + "\n", "utf8")


@click.command()
@click.argument("models", nargs=-1)
@click.option("--seeds", default=5, show_default=True)
@click.option("--epochs", type=int, help="Those that the network usually takes if not given.")
@click.option("--threads", type=int)
@click.option("--save", "keep", is_flag=True, help="Keep the figures for 'fastdigits models', in data/models.")
def main(models: tuple[str, ...], seeds: int, epochs: int | None, threads: int | None, keep: bool) -> None:
    """Measure MODELS (all of them if none is named)."""
    digits, cpu = load_digits("mnist"), ops.load("cpu", threads)
    python = f"{platform.system()}, Python {platform.python_version()}"
    used = threads or numba_setup.cores()
    machine = f"{used} thread{'s' * (used > 1)} of {cpu_name()}, {python}"
    click.echo(f"{machine}; seeds: {seeds}\n")
    click.echo("| model | parameters | epochs | test accuracy, mean | std | range | seconds |")
    click.echo("|---|---|---|---|---|---|---|")
    found = {}
    for model in models or MODELS:
        settings = MODEL_SETTINGS.get(model, {}) | ({"epochs": epochs} if epochs else {})
        configs = [TrainConfig(seed=seed, **settings) for seed in range(seeds)]
        runs = [run(model, network_of(model), digits, cpu, config, Callback()) for config in configs]
        found[model] = figures(runs, machine)
        click.echo(row(model, runs[0].network.parameter_count, found[model]))
        if keep:
            save(found)


if __name__ == "__main__":
    main()
