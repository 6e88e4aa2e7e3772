"""Set what others have published about their handwritten-digit networks beside the same trainings done here.

python scripts/reproduce_published.py                          # all of them; hours
python scripts/reproduce_published.py --only linear --seeds 5
python scripts/reproduce_published.py --epochs-scale 0.01      # to see whether everything runs

Each experiment is a network and its settings as they were published, trained by `fastdigits train` on all 60,000
images, with several seeds. It uses the networks linear, neuron, dnn, feedforward, mlp, conv1, conv2, conv1-avgpool,
lenet and record, those of scripts/published, and the options --batch-size all and --folds. The table goes to the
screen, to NAME.md and, with all figures, to NAME.json, anew after every experiment.
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

NETWORKS = Path(__file__).with_name("published")
# What holds unless an experiment says otherwise; pixels are 0 to 1, as they are in most such programs
USUAL = "--validation 0 --optimizer sgd --schedule constant --no-normalise"
LENET = "--epochs 3 --lr 0.5 --batch-size 128"


@dataclass(frozen=True)
class Experiment:
    """What was published, and the options of `fastdigits train` that do the same.

    `accuracy` is as published, in percent: one number, or the least and the greatest. `assumed` is what the
    publication leaves open, `doubt` why the claim may fail.
    """

    name: str
    what: str
    accuracy: tuple[str, ...]
    time: str
    options: str
    usual: str = USUAL
    assumed: str = ""
    doubt: str = ""

    @property
    def least(self) -> float:
        """The share of right answers that rounds to the claim."""
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
        doubt="one number per image cannot tell ten digits apart, but nine of ten outputs are right where all say no",
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
        doubt="steps as large as these silence its ReLUs; with --activation sigmoid it comes to 97.2 %",
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
        usual=USUAL.replace("--validation 0 ", ""),
        assumed="batch 128",
    ),
    Experiment(
        "numba-cnn",
        "Numba CNN, momentum, contrast 4, gamma 0.7, padding 2, 50 epochs",
        ("97.84",),
        "not told",
        "--model lenet --optimizer momentum --lr 0.01 --contrast 4 --gamma 0.7 --pad 2 --epochs 50",
        assumed="network lenet, lr 0.01, batch 128",
    ),
    Experiment(
        "record",
        "convolutions of 24 and 32 channels, 256 units, 1 epoch",
        ("99.04",),
        "0.76 s, GTX 1660 Ti",
        "--recipe fast --model record --epochs 1",
        usual="",
        assumed="all but the network: the settings of --recipe fast",
    ),
)


@dataclass(frozen=True)
class Result:
    """What came of an experiment: the figures of every training, and what went wrong with those that failed."""

    published: Experiment
    command: list[str]
    runs: list[dict[str, Any]]
    failures: list[str]


def command(experiment: Experiment, seed: int, epochs_scale: float, threads: int | None) -> list[str]:
    """The arguments of `fastdigits`."""
    options = f"{experiment.usual} {experiment.options} --seed {seed} --json".split()
    arguments = ["train", *(str(NETWORKS / option) if option.endswith(".toml") else option for option in options)]
    at = arguments.index("--epochs") + 1
    arguments[at] = str(max(1, round(int(arguments[at]) * epochs_scale)))
    return [*arguments, *(["--threads", str(threads)] if threads else [])]


def measure(arguments: list[str]) -> list[dict[str, Any]] | str:
    """The figures of each training, of which folds make several; or what `fastdigits` said went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        whole = [sys.executable, "-m", "fastdigits", *arguments, "--output", str(Path(folder, "weights.h5"))]
        done = subprocess.run(whole, capture_output=True, text=True)
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
    """Whether the mean reaches what was published."""
    if fmean(accuracies) >= experiment.least:
        return "reached" if fmean(accuracies) * 100 <= float(experiment.accuracy[-1]) + 0.5 else "surpassed"
    reason = experiment.doubt or f"it comes to {fmean(accuracies):.2%}"
    return f"not reproduced by a correct implementation: {reason}"


def row(result: Result, trial: bool) -> str:
    """A line of the table; a trial is not judged."""
    experiment, runs = result.published, result.runs
    theirs = f"{' to '.join(experiment.accuracy)} % | {experiment.time}"
    failures = Counter(result.failures).items()
    said = [f"{count} failed: {failure}" for failure, count in failures]
    if not runs:
        return f"| {experiment.name} | {_described(experiment)} | {theirs} | - | - | - | {'; '.join(said)} |"
    accuracies = [run["test_accuracy"] for run in runs]
    seeds = len({run["seed"] for run in runs})
    ours = f"{fmean(accuracies):.2%} | {min(accuracies):.2%} .. {max(accuracies):.2%} ({seeds})"
    seconds = sum(run["train_s"] for run in runs) / seeds
    if not trial:
        said.insert(0, verdict(experiment, accuracies))
    return f"| {experiment.name} | {_described(experiment)} | {theirs} | {ours} | {seconds:.2f} | {'; '.join(said)} |"


def table(results: list[Result], conditions: dict[str, Any]) -> str:
    """The whole comparison in Markdown."""
    scale = conditions["epochs_scale"]
    lines = [
        f"{conditions['machine']}, {conditions['threads'] or 'all'} cores; seconds of training alone, mean of the "
        "seeds (all folds together). Test images are read once, after training.",
        *([f"\nOnly a trial: epochs times {scale:g}, so that nothing here can be compared."] if scale != 1 else []),
        "",
        "| experiment | settings | published | their time | ours, mean | range (seeds) | our seconds | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(row(result, trial=scale != 1) for result in results), ""])


def _described(experiment: Experiment) -> str:
    return experiment.what + (f" (assumed: {experiment.assumed})" if experiment.assumed else "")


@click.command()
@click.option("--only", multiple=True, type=click.Choice([e.name for e in EXPERIMENTS]), help="May be given again.")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option(
    "--epochs-scale", type=click.FloatRange(0, 1, min_open=True), default=1.0, help="For trying: fewer epochs."
)
@click.option("--threads", type=click.IntRange(min=1), help="Processor cores to use; all if not given.")
@click.option("--output", default="published", show_default=True, metavar="NAME", help="Of NAME.md and NAME.json.")
def main(only: tuple[str, ...], seeds: int, epochs_scale: float, threads: int | None, output: str) -> None:
    """Train what others have published, with several seeds, and compare."""
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
        text, figures = table(results, conditions), {**conditions, "experiments": list(map(asdict, results))}
        Path(f"{output}.md").write_text(text, "utf8")
        Path(f"{output}.json").write_text(json.dumps(figures, indent=1), "utf8")
    click.echo(text)


if __name__ == "__main__":
    main()
