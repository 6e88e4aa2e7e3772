"""Run `fastdigits warmup`: compile the kernels of models ahead of time."""

import json
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any

import click

from fastdigits.cli.actions.common import load_ops
from fastdigits.cli.terminal.progress import run_steps
from fastdigits.config.recipes import RECIPES, model_settings
from fastdigits.config.training import MODEL, TrainConfig
from fastdigits.ops.runtime import compilation, kernel_cache
from fastdigits.training import precompile

DEFAULT_RECIPES = ("default", "fast")


def run(
    models: Sequence[str],
    recipe: str | None,
    batch_size: int | None,
    device: str,
    exact: bool,
    threads: int | None,
    as_json: bool,
    start: float,
) -> None:
    """Compile the kernels of all models and print the seconds of each step; `start` is when the command began."""

    def say(line: str) -> None:
        click.echo(line, err=as_json)

    size = {"batch_size": batch_size} if batch_size else {}
    configs = [(model, TrainConfig(**settings | size, exact=exact)) for model, settings in _settings(models, recipe)]
    ops = load_ops(device, threads, say, exact)
    before = kernel_cache.current() if ops.device != "reference" else None
    done = []
    step_start = perf_counter()
    steps = [step for model, config in configs for step in precompile.warmup_steps(model, config, ops)]
    compiled: list[bool] = []
    with compilation.on_first_compilation(lambda: compiled.append(True)):
        for name, _ in run_steps(steps):
            done.append({"step": name, "seconds": perf_counter() - step_start})
            step_start = perf_counter()
    after = kernel_cache.current() if before and (kernel_cache.is_writable() or not compiled) else None
    summary = {
        "device": ops.device,
        "steps": done,
        "seconds": perf_counter() - start,
        "compiled": after.kernels - before.kernels if before and after else None,
        "folder": str(after.path) if after else None,
        "missing": kernel_cache.missing(),
    }
    click.echo(json.dumps(summary) if as_json else _as_text(summary))


def _settings(models: Sequence[str], recipe: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each model with its training settings."""
    for name in [recipe] if recipe else DEFAULT_RECIPES[: 1 if models else None]:
        for model in dict.fromkeys(models) or [str(RECIPES[name].get("model", MODEL))]:
            yield model, model_settings(model, name)


def _as_text(summary: dict[str, Any]) -> str:
    lines = [f"{step['step']:36}{step['seconds']:8.1f} s" for step in summary["steps"]]
    if summary["device"] == "reference":
        result = "the reference device compiles nothing"
    elif summary["folder"] is None:
        result = "the kernels cannot be cached for later commands; see 'fastdigits doctor'"
    elif summary["missing"]:
        result = (
            f"{summary['missing']} kernels cannot be written to {summary['folder']}; free space there, and run this "
            "command again"
        )
    else:
        result = f"{summary['compiled'] or 'no'} new kernels, cached in {summary['folder']}"
    return "\n".join([*lines, f"ready after {summary['seconds']:.1f} s: {result}"])
