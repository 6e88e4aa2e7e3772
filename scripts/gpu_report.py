"""All that is to be shown on a GPU, in one command: python scripts/gpu_report.py.

Checks, timings beside PyTorch on the same GPU, seconds to 99 %, shares of what the GPU can do at most, memory. A short
table comes last, and all figures go to a JSON file, which is written anew after each part: --only does some of them
and keeps what the file has of the others.
"""

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import click

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]  # from a folder that is not installed

MODELS = ("mlp", "lenet", "record", "torch-example")
RIVALS = {"cuda": "torch-cuda", "cpu": "torch"}


@click.command()
@click.option("--device", type=click.Choice(["cuda", "cpu"]), default="cuda", show_default=True)
@click.option("--model", "models", multiple=True, default=MODELS, show_default=True)
@click.option("--batch-size", default=128, show_default=True, help="Of training.")
@click.option("--large", default=10_000, show_default=True, help="Images that are read at once.")
@click.option("--runs", default=11, show_default=True, help="Rounds of each race.")
@click.option("--seeds", default=10, show_default=True, help="Trainings to 99 %.")
@click.option("--data", default="mnist", show_default=True, help="mnist, or a folder with the four IDX files.")
@click.option("--only", help="Some of the parts, with commas between them.")
@click.option("--json", "file", default="gpu-report.json", show_default=True, help="Where all figures go.")
def main(device: str, only: str | None, file: str, **options: Any) -> None:
    """Check and measure a GPU; the exit code is 1 if anything fails."""
    from fastdigits import ops

    start = perf_counter()
    if reason := ops.why_unavailable(device):
        raise click.ClickException(f"The device '{device}' cannot be used: {reason}.")
    rival = _rival(device)
    from gpu_parts import PARTS, Setup
    from gpu_table import as_text, failures

    wanted = only.split(",") if only else list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        raise click.UsageError(f"There is no part {unknown.pop()!r}; choose of {', '.join(PARTS)}.")
    setup = Setup(ops.load(device), rival, say=_say, **options)
    found = _earlier(file) if only else {}
    for name in wanted:
        _say(f"{perf_counter() - start:6.0f} s  {name}")
        part_start = perf_counter()
        found[name] = _done(PARTS[name], setup)
        found[name]["seconds"] = perf_counter() - part_start
        Path(file).write_text(json.dumps(found, indent=1) + "\n")
    click.echo(as_text(found))
    if failures(found):
        sys.exit(1)


def _rival(device: str) -> Any:
    """PyTorch, which must be imported before our operations; None where it is missing."""
    from fastdigits.bench import rivals
    from fastdigits.errors import UserError

    try:
        return rivals.load(RIVALS[device])
    except UserError as error:
        _say(str(error))
        return None


def _done(part: Any, setup: Any) -> dict[str, Any]:
    """What a part found; an error of one must not lose the others."""
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
