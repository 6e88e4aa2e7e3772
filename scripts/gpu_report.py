"""Check and measure fastdigits on a GPU in one command, within a number of minutes.

    python scripts/gpu_report.py --minutes 7
    python scripts/gpu_report.py --only checks,timings --model lenet

The parts of scripts/gpu_parts.py run in the order of PARTS, the most valuable first, each in a process of its own. So a
part that fails, crashes or hangs costs no other part its results, and a GPU's memory is free again after each part. The
JSON file is written after each part; with --only, the results of the other parts in the file are kept. A short table is
printed at the end. The exit code is 1 if anything has failed.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import click

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
sys.path.insert(0, str(ROOT))  # so that it runs without installation

MODELS = ("mlp", "lenet", "record", "torch-example")
MINUTES = 7.0  # for which the limits are made
PARTS = {  # with their limits in seconds
    "facts": 45,  # whether CUDA works at all; without it, nothing else runs
    "compilation": 75,
    "checks": 120,
    "parity": 60,
    "graph": 45,
    "replay": 60,
    "timings": 120,
    "accuracy": 60,
    "ceilings": 30,
    "profile": 45,
    "memory": 40,
    "steps": 45,
    "sanitizer": 90,
    "tests": 180,
}
LEAST_S = 5.0  # with less time left, no part starts
RESERVE_S = 5.0  # for the end of the last part and the table


@click.command()
@click.option("--device", type=click.Choice(["cuda", "cpu"]), default="cuda", show_default=True)
@click.option("--minutes", default=MINUTES, show_default=True, help="Time for everything.")
@click.option("--model", "models", multiple=True, default=MODELS, show_default=True)
@click.option("--batch-size", default=128, show_default=True, help="Batch size of training.")
@click.option("--large", default=2_000, show_default=True, help="Batch size of inference and of the single steps.")
@click.option("--runs", default=5, show_default=True, help="Rounds of each comparison.")
@click.option("--seeds", default=10, show_default=True, help="Training runs to 99 %.")
@click.option("--data", default="mnist", show_default=True, help="mnist, or a folder with the four IDX files.")
@click.option("--only", help="Run only these parts, separated by commas.")
@click.option("--json", "file", default="gpu-report.json", show_default=True, help="File for all results.")
def main(minutes: float, only: str | None, file: str, **settings: Any) -> None:
    """Check and measure fastdigits on a GPU; the exit code is 1 if anything fails."""
    start = monotonic()
    from gpu_table import as_text, failures

    from fastdigits.files import write_atomically

    wanted = only.split(",") if only else list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        raise click.UsageError(f"There is no part {unknown.pop()!r}; choose from {', '.join(PARTS)}.")
    results = _earlier(file) if only else {}
    for name in wanted:
        part_start = monotonic()
        left_s = start + 60 * minutes - RESERVE_S - part_start
        if left_s < LEAST_S:
            results[name] = {"left_out": f"the {minutes:g} minutes are over"}
        else:
            click.echo(f"{part_start - start:6.0f} s  {name}", err=True)
            limit_s = PARTS[name] * max(1.0, minutes / MINUTES)
            results[name] = run_part(name, settings, min(limit_s, left_s))
            results[name]["seconds"] = monotonic() - part_start
        write_atomically(file, (json.dumps(results, indent=1) + "\n").encode())
        if name == "facts" and "error" in results[name]:
            break
    click.echo(as_text(results))
    if failures(results):
        sys.exit(1)


def run_part(name: str, settings: dict[str, Any], limit_s: float) -> dict[str, Any]:
    """Run a part in a process of its own. Return the results that it has written, and its error if there is one."""
    with tempfile.TemporaryDirectory(prefix="fastdigits-report-") as folder:
        written = Path(folder) / "results.json"
        command = [sys.executable, str(FOLDER / "gpu_parts.py"), name, str(written), json.dumps(settings)]
        error = _run(command, limit_s)
        results: dict[str, Any] = json.loads(written.read_text()) if written.exists() else {}
    if error and "error" not in results:
        results["error"] = error
    return results


def _run(command: list[str], limit_s: float) -> str | None:
    """Run a command, and end it with all processes that it has started after `limit_s`. Return what has gone wrong."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": path}, start_new_session=True
    )
    try:
        code = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        _end(process)
        return f"not finished after {limit_s:.0f} s"
    except BaseException:  # also Ctrl-C
        _end(process)
        raise
    return f"its process ended with exit code {code}" if code else None


def _end(process: subprocess.Popen) -> None:
    """End a process, and those that it has started where the system has groups of processes."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
    process.wait()


def _earlier(file: str) -> dict[str, Any]:
    path = Path(file)
    return json.loads(path.read_text() or "{}") if path.is_file() else {}


if __name__ == "__main__":
    main()
