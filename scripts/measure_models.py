"""Train networks with several seeds and print a Markdown table of their test accuracy and training time.

    python scripts/measure_models.py cnn lenet --seeds 5
    python scripts/measure_models.py --save

The table gives mean, standard deviation and range of the test accuracy, and the mean seconds of training without
compilation, loading and validation.
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
from fastdigits.files import write_atomically
from fastdigits.models import MODELS, network_of
from fastdigits.ops.runtime import numba_setup
from fastdigits.training.callbacks import Callback
from fastdigits.training.experiment import Run, run


def summarize(runs: list[Run], machine: str) -> dict[str, Any]:
    """Return the summary of the runs of one network as plain JSON types; accuracies are between 0 and 1."""
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


def row(model: str, parameters: int, summary: dict[str, Any]) -> str:
    """Return a line of the table."""
    return (
        f"| `{model}` | {parameters:,} | {summary['epochs']} | {summary['test_accuracy']:.2%} "
        f"| {summary['deviation']:.2%} | {summary['lowest']:.2%} .. {summary['highest']:.2%} "
        f"| {summary['seconds']:.1f} |"
    )


def save(summaries: dict[str, dict[str, Any]]) -> None:
    """Write the summaries to the file that `fastdigits models` shows, and keep those of other networks there."""
    known = load_model_results() | summaries
    text = json.dumps({model: known[model] for model in MODELS if model in known}, indent=1)
    write_atomically(shipped_folder() / "models" / "measured.json", (text + "\n").encode())


@click.command()
@click.argument("models", nargs=-1)
@click.option("--seeds", default=5, show_default=True)
@click.option("--epochs", type=int, help="Epochs; by default those of the network's own settings.")
@click.option("--threads", type=int)
@click.option("--save", "keep", is_flag=True, help="Save the results for 'fastdigits models', in data/models.")
def main(models: tuple[str, ...], seeds: int, epochs: int | None, threads: int | None, keep: bool) -> None:
    """Measure MODELS, by default all of them."""
    digits, cpu = load_digits("mnist"), ops.load("cpu", threads)
    python = f"{platform.system()}, Python {platform.python_version()}"
    used = threads or numba_setup.cores()
    machine = f"{used} thread{'s' * (used > 1)} of {cpu_name()}, {python}"
    click.echo(f"{machine}; seeds: {seeds}\n")
    click.echo("| model | parameters | epochs | test accuracy, mean | std | range | seconds |")
    click.echo("|---|---|---|---|---|---|---|")
    summaries = {}
    for model in models or MODELS:
        settings = MODEL_SETTINGS.get(model, {}) | ({"epochs": epochs} if epochs else {})
        configs = [TrainConfig(seed=seed, **settings) for seed in range(seeds)]
        runs = [run(model, network_of(model), digits, cpu, config, Callback()) for config in configs]
        summaries[model] = summarize(runs, machine)
        click.echo(row(model, runs[0].network.parameter_count, summaries[model]))
        if keep:
            save(summaries)


if __name__ == "__main__":
    main()
