"""Check and measure fastdigits on a GPU in one command.

    python scripts/gpu_report.py
    python scripts/gpu_report.py --only checks,timings --model lenet

It runs the checks, times networks next to PyTorch on the same GPU, trains to 99 % test accuracy, compares every step
with the peak rates of the GPU, and looks for memory leaks. A short table is printed at the end. All results go to a
JSON file, which is written after each part; with --only, the results of the other parts in the file are kept.
"""

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import click

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]  # so that it runs without installation

MODELS = ("mlp", "lenet", "record", "torch-example")
RIVALS = {"cuda": "torch-cuda", "cpu": "torch"}


@click.command()
@click.option("--device", type=click.Choice(["cuda", "cpu"]), default="cuda", show_default=True)
@click.option("--model", "models", multiple=True, default=MODELS, show_default=True)
@click.option("--batch-size", default=128, show_default=True, help="Batch size of training.")
@click.option("--large", default=2_000, show_default=True, help="Batch size of inference and of the single steps.")
@click.option("--runs", default=11, show_default=True, help="Rounds of each comparison.")
@click.option("--seeds", default=10, show_default=True, help="Training runs to 99 %.")
@click.option("--data", default="mnist", show_default=True, help="mnist, or a folder with the four IDX files.")
@click.option("--only", help="Run only these parts, separated by commas.")
@click.option("--json", "file", default="gpu-report.json", show_default=True, help="File for all results.")
def main(device: str, only: str | None, file: str, **options: Any) -> None:
    """Check and measure fastdigits on a GPU; the exit code is 1 if anything fails."""
    from fastdigits import ops
    from fastdigits.files import write_atomically

    start = perf_counter()
    if reason := ops.why_unavailable(device):
        raise click.ClickException(f"The device '{device}' cannot be used: {reason}.")
    rival = _rival(device)
    from gpu_parts import PARTS, Setup
    from gpu_table import as_text, failures

    wanted = only.split(",") if only else list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        raise click.UsageError(f"There is no part {unknown.pop()!r}; choose from {', '.join(PARTS)}.")
    setup = Setup(ops.load(device), rival, say=_say, **options)
    results = _earlier(file) if only else {}
    for name in wanted:
        _say(f"{perf_counter() - start:6.0f} s  {name}")
        part_start = perf_counter()
        results[name] = _run(PARTS[name], setup)
        results[name]["seconds"] = perf_counter() - part_start
        write_atomically(file, (json.dumps(results, indent=1) + "\n").encode())
    click.echo(as_text(results))
    if failures(results):
        sys.exit(1)


def _rival(device: str) -> Any:
    """Return PyTorch's module of `bench.rivals`, which must be loaded before our ops; None if it is not available."""
    from fastdigits.bench import rivals
    from fastdigits.errors import UserError

    try:
        return rivals.load(RIVALS[device])
    except UserError as error:
        _say(str(error))
        return None


def _run(part: Any, setup: Any) -> dict[str, Any]:
    """Run a part and return its results, or its error, so that the other parts still run."""
    try:
        return part(setup)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _earlier(file: str) -> dict[str, Any]:
    path = Path(file)
    return json.loads(path.read_text() or "{}") if path.is_file() else {}


def _say(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
