"""Train networks over several seeds and print a Markdown table: python scripts/measure_models.py cnn lenet --seeds 5.

Test accuracy as mean, standard deviation, lowest and highest; seconds of training alone, without
compilation, loading and validation; and the machine.
"""

import platform
from statistics import fmean, stdev

import click

from fastdigits import dataset, ops
from fastdigits.bench.machine import cpu_name
from fastdigits.config import TrainConfig
from fastdigits.models import MODELS, network_of
from fastdigits.recipes import MODEL_SETTINGS
from fastdigits.run import Run, run
from fastdigits.watcher import Watcher


def row(model: str, runs: list[Run]) -> str:
    """One line of the table."""
    accuracies = [one.test.accuracy for one in runs]
    spread = stdev(accuracies) if len(runs) > 1 else 0.0
    return (
        f"| `{model}` | {runs[0].network.parameter_count:,} | {runs[0].config.epochs} "
        f"| {fmean(accuracies):.2%} | {spread:.2%} | {min(accuracies):.2%} .. {max(accuracies):.2%} "
        f"| {fmean(one.training.seconds['train'] for one in runs):.1f} "
        f"| {fmean(one.training.images_per_second for one in runs):,.0f} |"
    )


@click.command()
@click.argument("models", nargs=-1)
@click.option("--seeds", default=5, show_default=True)
@click.option("--epochs", type=int, help="Those that the network usually takes if not given.")
@click.option("--threads", type=int)
def main(models: tuple[str, ...], seeds: int, epochs: int | None, threads: int | None) -> None:
    """Measure MODELS (all of them if none is named)."""
    digits, cpu = dataset.load("mnist"), ops.load("cpu", threads)
    machine = f"{cpu_name()}, {platform.system()}, Python {platform.python_version()}"
    click.echo(f"{machine}, {threads or 'all'} cores, {seeds} seeds\n")
    click.echo("| model | parameters | epochs | test accuracy, mean | std | range | seconds | images/s |")
    click.echo("|---|---|---|---|---|---|---|---|")
    for model in models or MODELS:
        settings = MODEL_SETTINGS.get(model, {}) | ({"epochs": epochs} if epochs else {})
        configs = [TrainConfig(seed=seed, **settings) for seed in range(seeds)]
        runs = [run(model, network_of(model), digits, cpu, config, Watcher()) for config in configs]
        click.echo(row(model, runs))


if __name__ == "__main__":
    main()
