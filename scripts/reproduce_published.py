"""Reproduce published results of handwritten-digit networks and compare them with the claims.

    python scripts/reproduce_published.py                          # all experiments; takes hours
    python scripts/reproduce_published.py --only linear --seeds 5
    python scripts/reproduce_published.py --epochs-scale 0.01      # quick trial

Each experiment trains a network with the published settings through `fastdigits train`, on all 60,000 training images
and with several seeds. Networks that are not built in are in scripts/published. The table is printed and written to
NAME.md, and all results to NAME.json; both files are updated after every experiment.
"""

import json
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import click

from fastdigits.bench.machine import cpu_name
from fastdigits.files import write_atomically

NETWORKS = Path(__file__).with_name("published")
# The options of most experiments; pixels are between 0 and 1, as in most such programs
DEFAULT_OPTIONS = "--validation 0 --optimizer sgd --schedule constant --no-normalise"
LENET = "--epochs 3 --lr 0.5 --batch-size 128"


@dataclass(frozen=True)
class Experiment:
    """A published result, and the options of `fastdigits train` that reproduce it.

    Parameters
    ----------
    name : str
    summary : str
        The network and its settings.
    accuracy : tuple of str
        As published, in percent: one number, or the lowest and the highest.
    time : str
        As published, with the hardware.
    options : str
        Options of `fastdigits train`, after `base_options`.
    base_options : str
    assumed : str
        Settings that the publication does not state.
    doubt : str
        Why the claim may not be reproducible.
    """

    name: str
    summary: str
    accuracy: tuple[str, ...]
    time: str
    options: str
    base_options: str = DEFAULT_OPTIONS
    assumed: str = ""
    doubt: str = ""

    @property
    def min_accuracy(self) -> float:
        """The lowest accuracy, between 0 and 1, that rounds to the claim."""
        claim = self.accuracy[0]
        decimals = len(claim.partition(".")[2])
        return (float(claim) - 0.5 * 10**-decimals) / 100


EXPERIMENTS = (
    Experiment(
        "linear",
        "784-10, full batch, lr 1, 100 epochs",
        ("88",),
        "4.7 to 6 s with CuPy, 0.3 s with PyTorch, RTX 2060",
        "--model linear --batch-size all --lr 1 --epochs 100",
    ),
    Experiment(
        "neuron",
        "one hidden neuron, ReLU, squared error, lr 0.01, 100 epochs",
        ("90",),
        "30 s",
        "--model neuron --loss mse --lr 0.01 --epochs 100",
        assumed="batch 128",
        doubt="one hidden unit cannot separate ten digits, but nine of ten outputs are right if all of them say no",
    ),
    Experiment(
        "dnn",
        "784-32-32-10, full batch, lr 0.1, 500 epochs",
        ("93",),
        "50 s with CuPy, RTX 2060",
        "--model dnn --batch-size all --lr 0.1 --epochs 500",
    ),
    Experiment(
        "feedforward",
        "784-120-84-10, lr 0.5, 3 epochs, batch 128",
        ("95",),
        "2.1 s",
        f"--model feedforward {LENET}",
    ),
    Experiment("conv1", "one convolution, the same settings", ("96",), "1.9 min", f"--model conv1 {LENET}"),
    Experiment(
        "conv2",
        "two convolutions, the same settings",
        ("84", "91"),
        "35 min",
        f"--model conv2 {LENET}",
        doubt="steps this large kill its ReLUs; with --activation sigmoid it reaches 97.2 %",
    ),
    Experiment(
        "conv1-avgpool",
        "one convolution and average pooling, the same settings",
        ("97",),
        "31 min",
        f"--model conv1-avgpool {LENET}",
    ),
    Experiment(
        "lenet",
        "LeNet: two convolutions and average pooling, the same settings",
        ("76", "81"),
        "2.1 h",
        f"--model lenet {LENET}",
    ),
    *(
        Experiment(
            f"mlp-{units}",
            f"784-{units}-{units}-10, lr 0.05, 1000 epochs",
            accuracy,
            time,
            f"--model mlp --hidden {units}x{units} --lr 0.05 --epochs 1000",
            assumed="batch 128",
        )
        for units, accuracy, time in (
            (16, ("95.7",), "2 min, Ryzen 7800X3D"),
            (32, ("95.7", "97.6"), "2 to 6.5 min, Ryzen 7800X3D"),
            (64, ("95.7", "97.6"), "2 to 6.5 min, Ryzen 7800X3D"),
            (128, ("95.7", "97.6"), "2 to 6.5 min, Ryzen 7800X3D"),
            (256, ("97.6",), "6.5 min, Ryzen 7800X3D"),
        )
    ),
    Experiment(
        "batchnorm-cnn",
        "10 filters 3 x 3, batch norm, pooling, 64-32-10, lr 0.01, 20 epochs, 5 folds",
        ("98.7",),
        "2.5 min, RTX 4070 Ti",
        "--model batchnorm-cnn.toml --lr 0.01 --epochs 20 --folds 5",
        base_options=DEFAULT_OPTIONS.replace("--validation 0 ", ""),
        assumed="batch 128",
    ),
    Experiment(
        "numba-cnn",
        "Numba CNN, momentum, contrast 4, gamma 0.7, padding 2, 50 epochs",
        ("97.84",),
        "not stated",
        "--model lenet --optimizer momentum --lr 0.01 --contrast 4 --gamma 0.7 --pad 2 --epochs 50",
        assumed="network lenet, lr 0.01, batch 128",
    ),
    Experiment(
        "record",
        "convolutions of 24 and 32 channels, 256 units, 1 epoch",
        ("99.04",),
        "0.76 s, GTX 1660 Ti",
        "--recipe fast --model record --epochs 1",
        base_options="",
        assumed="all but the network: the settings of --recipe fast",
    ),
)


@dataclass(frozen=True)
class Result:
    """The results of all training runs of an experiment, and the error messages of those that failed."""

    experiment: Experiment
    command: list[str]
    runs: list[dict[str, Any]]
    failures: list[str]


def command(experiment: Experiment, seed: int, epochs_scale: float, threads: int | None) -> list[str]:
    """Return the arguments of `fastdigits` for an experiment."""
    options = f"{experiment.base_options} {experiment.options} --seed {seed} --json".split()
    arguments = ["train", *(str(NETWORKS / option) if option.endswith(".toml") else option for option in options)]
    at = arguments.index("--epochs") + 1
    arguments[at] = str(max(1, round(int(arguments[at]) * epochs_scale)))
    return [*arguments, *(["--threads", str(threads)] if threads else [])]


def measure(arguments: list[str]) -> list[dict[str, Any]] | str:
    """Train and return the results of each run, of which there is one per fold, or the error message."""
    with tempfile.TemporaryDirectory() as folder:
        command_line = [sys.executable, "-m", "fastdigits", *arguments, "--output", str(Path(folder, "weights.h5"))]
        done = subprocess.run(command_line, capture_output=True, text=True)
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    summary = json.loads(done.stdout)
    return [
        {
            "seed": summary["seed"],
            "test_accuracy": one["test"]["accuracy"],
            "train_s": one["seconds"]["train"],
            "total_s": one["seconds"]["total"],
        }
        for one in summary.get("trainings", [summary])
    ]


def verdict(experiment: Experiment, accuracies: list[float]) -> str:
    """Say whether the mean accuracy reaches the published one."""
    if fmean(accuracies) >= experiment.min_accuracy:
        return "reached" if fmean(accuracies) * 100 <= float(experiment.accuracy[-1]) + 0.5 else "surpassed"
    reason = experiment.doubt or f"the mean is {fmean(accuracies):.2%}"
    return f"not reproduced by a correct implementation: {reason}"


def row(result: Result, trial: bool) -> str:
    """Return a line of the table; a trial run gets no verdict."""
    experiment, runs = result.experiment, result.runs
    theirs = f"{' to '.join(experiment.accuracy)} % | {experiment.time}"
    failures = Counter(result.failures).items()
    remarks = [f"{count} failed: {failure}" for failure, count in failures]
    if not runs:
        return f"| {experiment.name} | {_described(experiment)} | {theirs} | - | - | - | {'; '.join(remarks)} |"
    accuracies = [run["test_accuracy"] for run in runs]
    seeds = len({run["seed"] for run in runs})
    ours = f"{fmean(accuracies):.2%} | {min(accuracies):.2%} .. {max(accuracies):.2%} ({seeds})"
    seconds = sum(run["train_s"] for run in runs) / seeds
    if not trial:
        remarks.insert(0, verdict(experiment, accuracies))
    return (
        f"| {experiment.name} | {_described(experiment)} | {theirs} | {ours} | {seconds:.2f} | {'; '.join(remarks)} |"
    )


def table(results: list[Result], conditions: dict[str, Any]) -> str:
    """Return the comparison as a Markdown table."""
    scale = conditions["epochs_scale"]
    lines = [
        f"{conditions['machine']}, {conditions['threads'] or 'all'} cores; seconds of training alone, mean over "
        "the seeds (all folds together). The test images are evaluated once, after training.",
        *([f"\nTrial run with {scale:g} times the epochs: the results cannot be compared."] if scale != 1 else []),
        "",
        "| experiment | settings | published | their time | ours, mean | range (seeds) | our seconds | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(row(result, trial=scale != 1) for result in results), ""])


def _described(experiment: Experiment) -> str:
    return experiment.summary + (f" (assumed: {experiment.assumed})" if experiment.assumed else "")


@click.command()
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([e.name for e in EXPERIMENTS]),
    help="Run only this experiment; may be repeated.",
)
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option(
    "--epochs-scale",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    help="Multiply all epochs by this, for a quick trial.",
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU cores to use; all by default.")
@click.option("--output", default="published", show_default=True, metavar="NAME", help="Write NAME.md and NAME.json.")
def main(only: tuple[str, ...], seeds: int, epochs_scale: float, threads: int | None, output: str) -> None:
    """Train published networks with several seeds and compare the results with the claims."""
    machine = f"{cpu_name()}, {platform.system()}, Python {platform.python_version()}"
    conditions = {"machine": machine, "threads": threads, "seeds": seeds, "epochs_scale": epochs_scale}
    results: list[Result] = []
    for experiment in EXPERIMENTS:
        if only and experiment.name not in only:
            continue
        outcomes = []
        for seed in range(seeds):
            arguments = command(experiment, seed, epochs_scale, threads)
            click.echo(f"fastdigits {' '.join(arguments)}", err=True)
            outcomes.append(measure(arguments))
        runs = [run for outcome in outcomes if isinstance(outcome, list) for run in outcome]
        failures = [outcome for outcome in outcomes if isinstance(outcome, str)]
        results.append(Result(experiment, command(experiment, 0, epochs_scale, threads), runs, failures))
        text, content = table(results, conditions), {**conditions, "experiments": list(map(asdict, results))}
        write_atomically(f"{output}.md", text.encode())
        write_atomically(f"{output}.json", json.dumps(content, indent=1).encode())
    click.echo(text)


if __name__ == "__main__":
    main()
