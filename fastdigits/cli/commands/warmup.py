"""`fastdigits warmup`."""

import json
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import click

from fastdigits.cli.options.common import ModelName, device_option, exact_option, json_option, load_ops, threads_option
from fastdigits.config.recipes import RECIPES, model_settings
from fastdigits.config.training import MODEL, TrainConfig

USUAL = ("default", "fast")


@click.command("warmup", epilog="Example: fastdigits warmup --model lenet --model record")
@click.option(
    "--model",
    "models",
    type=ModelName(),
    multiple=True,
    help="Can be given several times; those of the recipes default and fast if neither is given.",
)
@click.option("--recipe", type=click.Choice(list(RECIPES)), help="How the networks will be trained.")
@click.option(
    "--batch-size", type=click.IntRange(1, 65536), help="As the training will have it; as usual if not given."
)
@device_option
@exact_option
@threads_option
@json_option
def command(
    models: tuple[str, ...],
    recipe: str | None,
    batch_size: int | None,
    device: str,
    exact: bool,
    threads: int | None,
    as_json: bool,
) -> None:
    """Compile everything ahead of the first training: training, evaluation and the reading of single images.

    What is compiled is kept, so that a training with the same model, recipe, batch size and --threads starts at once.
    """
    start = perf_counter()
    from fastdigits.cli.terminal.progress import run_steps
    from fastdigits.ops.runtime import kernel_cache
    from fastdigits.training.precompile import warmup_steps

    def say(line: str) -> None:
        click.echo(line, err=as_json)

    size = {"batch_size": batch_size} if batch_size else {}
    configs = [(model, TrainConfig(**settings | size, exact=exact)) for model, settings in _wanted(models, recipe)]
    ops = load_ops(device, threads, say, exact)
    before: Any = kernel_cache.current() if ops.device != "reference" else None
    done = []
    step_start = perf_counter()
    for name, _ in run_steps([step for model, config in configs for step in warmup_steps(model, config, ops)]):
        done.append({"step": name, "seconds": perf_counter() - step_start})
        step_start = perf_counter()
    after: Any = kernel_cache.current() if before else None
    summary = {
        "device": ops.device,
        "steps": done,
        "seconds": perf_counter() - start,
        "compiled": after.kernels - before.kernels if before else None,
        "folder": str(after.path) if after else None,
    }
    click.echo(json.dumps(summary) if as_json else _as_text(summary))


def _wanted(models: tuple[str, ...], recipe: str | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each network with the settings that it trains with."""
    for name in [recipe] if recipe else USUAL[: 1 if models else None]:
        for model in dict.fromkeys(models) or [str(RECIPES[name].get("model", MODEL))]:
            yield model, model_settings(model, name)


def _as_text(summary: dict[str, Any]) -> str:
    lines = [f"{step['step']:36}{step['seconds']:8.1f} s" for step in summary["steps"]]
    if summary["device"] == "reference":
        kept = "the definitions need no compiling"
    elif summary["folder"] is None:
        kept = "nothing can be kept for the next command; see 'fastdigits doctor'"
    else:
        kept = f"{summary['compiled'] or 'no'} kernels were new; they are kept in {summary['folder']}"
    return "\n".join([*lines, f"ready after {summary['seconds']:.1f} s: {kept}"])
