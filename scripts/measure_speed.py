"""Measure the speed of this machine with `fastdigits bench`, and print the tables of docs/results.md.

    python scripts/measure_speed.py --machine "two cores of an AMD EPYC (Zen 3, AVX2)" --save

It takes about 15 minutes and needs torch, onnxruntime and onnx. Nothing else should run meanwhile: measurements that
other programs disturbed are named at the end. Each measurement is a file in a folder, and is not repeated if its file
exists, so that an interrupted run can continue; remove a file to repeat its measurement.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs without installation

TRAINED = "linear", "mlp", "lenet", "record", "cnn", "torch-example", "fast"
PREDICTED = "lenet", "record", "torch-example"
SINGLE = "lenet", "cnn"
ONE_THREAD = "--threads", "1"
TRAINING = "--no-inference", "--no-compile", "--against", "torch"
INFERENCE = "--no-train", "--no-compile", "--against", "torch,onnxruntime", "--batch-size"

# Arguments of `bench`, by measurement; those with "busy" in their names run next to a busy process
MEASUREMENTS = {
    "training": (*TRAINED, *TRAINING),
    "training-one-thread": (*TRAINED, *TRAINING, *ONE_THREAD),
    "training-busy": (*TRAINED, "--no-inference"),
    "training-busy-one-thread": (*TRAINED, "--no-inference", *ONE_THREAD),
    "inference": (*PREDICTED, *INFERENCE, "256"),
    "inference-one-thread": (*PREDICTED, *INFERENCE, "256", *ONE_THREAD),
    "single": (*SINGLE, *INFERENCE, "1"),
}
KEYS = "mode", "model", "batch_size"

Rows = dict[tuple[str, str], dict[str, Any]]  # by model and contender
OURS = "fastdigits cpu"


def measure(name: str, file: Path) -> None:
    """Run one measurement, which writes the file."""
    command = [sys.executable, "-m", "fastdigits", "bench", *MEASUREMENTS[name], "--devices", "cpu"]
    with busy_process() if "busy" in name else no_process():
        subprocess.run([*command, "--json", str(file)], cwd=Path(__file__).parents[1], check=True)


@contextmanager
def busy_process() -> Iterator[None]:
    """Keep one core busy during the block."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def no_process() -> Iterator[None]:
    """Leave the machine alone during the block."""
    yield


def read(file: Path) -> tuple[dict[str, Any], Rows]:
    """Return (the results in a file, their rows by model and contender)."""
    results = json.loads(file.read_text())
    return results, {(row["model"], row["contender"]): row for row in results["rows"]}


def training_table(rows: dict[str, Rows]) -> list[str]:
    """Return the table of training speed; the last two columns are the gain of all threads over one."""
    head = "training | fastdigits, images/s | PyTorch, images/s | ratio | share of the measured peak"
    more = "ratio on one thread | all threads over one | next to a busy process"
    lines = [f"| {head} | {more} |", "|---|---|---|---|---|---|---|---|"]
    for model in TRAINED:
        ours, torch = rows["training"][model, OURS], rows["training"][model, "torch"]
        alone = rows["training-one-thread"][model, "torch"]["ratio"]
        gains = [
            rows[f"{name}-one-thread"][model, OURS]["median_s"] / rows[name][model, OURS]["median_s"]
            for name in ("training", "training-busy")
        ]
        speeds = [f"{rounded(row['images_per_second']):,}" for row in (ours, torch)]
        cells = [*speeds, f"{torch['ratio']:.1f}", f"{ours['share_of_peak']:.0%}".replace("%", " %"), f"{alone:.1f}"]
        lines.append(f"| `{model}` | {' | '.join([*cells, *(f'{gain:.2f}' for gain in gains)])} |")
    return lines


def inference_table(rows: dict[str, Rows]) -> list[str]:
    """Return the table of inference speed."""
    head = "inference | fastdigits, images/s | ratio to PyTorch's best | ratio to onnxruntime"
    lines = [f"| {head} | the same on one thread |", "|---|---|---|---|---|"]
    for name, models in (("inference", PREDICTED), ("single", SINGLE)):
        for model in models:
            ours = rows[name][model, OURS]
            cells = [f"{rounded(ours['images_per_second']):,}", *_ratios(rows[name], model)]
            alone = _ratios(rows["inference-one-thread"], model) if name == "inference" else ["not measured"]
            lines.append(f"| `{model}`, batch {ours['batch_size']} | {' | '.join([*cells, ', '.join(alone)])} |")
    return lines


def _ratios(rows: Rows, model: str) -> list[str]:
    return [f"{rows[model, rival]['ratio']:.1f}" for rival in ("torch", "onnxruntime")]


def rounded(speed: float) -> int:
    """Return a number with three digits."""
    return int(float(f"{speed:.3g}"))


def ratios(results: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the ratios for data/models/speed.json."""
    rows = [row for name in ("training", "inference", "single") for row in results[name]["rows"]]
    return [
        {key: row[key] for key in KEYS} | {"rival": row["contender"], "ratio": round(row["ratio"], 1)}
        for row in rows
        if row["contender"] != OURS
    ]


def save(lanes: int, machine: str, found: list[dict[str, Any]]) -> None:
    """Write the ratios to the file that `fastdigits bench` compares with, and keep those of other machines there."""
    from fastdigits.data.model_results import load_speed_results
    from fastdigits.data.sources import shipped_folder
    from fastdigits.files import write_atomically

    known = load_speed_results() | {str(lanes): {"machine": machine, "ratios": found}}
    text = json.dumps(dict(sorted(known.items(), key=lambda pair: int(pair[0]))), indent=1)
    write_atomically(shipped_folder() / "models" / "speed.json", (text + "\n").encode())


@click.command()
@click.option("--machine", required=True, help="Description of the machine, such as 'two cores of an AMD EPYC'.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("speed-results"), show_default=True)
@click.option("--save", "keep", is_flag=True, help="Save the ratios for 'fastdigits bench', in data/models.")
def main(machine: str, folder: Path, keep: bool) -> None:
    """Measure the speed of this machine and print the tables of docs/results.md."""
    folder.mkdir(exist_ok=True)
    results, rows = {}, {}
    for name in MEASUREMENTS:
        file = (folder / f"{name}.json").absolute()
        if not file.exists():
            measure(name, file)
        results[name], rows[name] = read(file)
    facts = results["training"]["machine"]
    versions = results["training"]["settings"]["versions"] | results["inference"]["settings"]["versions"]
    click.echo(f"\n{machine}; {facts['cores']} cores, {facts['lanes']} lanes, {versions}\n")
    click.echo("\n".join([*training_table(rows), "", *inference_table(rows)]))
    for name, found in results.items():
        disturbed = dict.fromkeys(row["model"] for row in found["rows"] if row["disturbed"])
        if disturbed and "busy" not in name:
            click.echo(f"disturbed: {name} of {', '.join(disturbed)}")
    if keep:
        save(facts["lanes"], machine, ratios(results))


if __name__ == "__main__":
    main()
