"""Run `fastdigits models`: print the table of models."""

import json
from typing import Any

import click

from fastdigits.data.model_results import load_model_results
from fastdigits.models import MODELS, network_of


def run(as_json: bool) -> None:
    """Print every model with its size and, if measured, its test accuracy."""
    results = load_model_results()
    rows = [_row(name) | results.get(name, {}) for name in MODELS]
    click.echo(json.dumps({"models": rows}) if as_json else _as_text(rows, bool(results)))


def _row(name: str) -> dict[str, Any]:
    network = network_of(name)
    return {
        "model": name,
        "parameters": network.parameter_count,
        "multiply_adds": sum(layer.multiply_adds() for layer in network.layers),
        "description": (MODELS[name].__doc__ or "").splitlines()[0],
    }


def _as_text(rows: list[dict[str, Any]], with_results: bool) -> str:
    width = max(len(row["model"]) for row in rows)
    heads = f"{'test accuracy':>15}{'training':>10}" if with_results else ""
    lines = [f"{'model':{width}}{'parameters':>12}{'multiply-adds':>15}{heads}"]
    machines: dict[str, list[str]] = {}
    for row in rows:
        result = " " * len(heads)
        if "machine" in row:
            result = f"{row['test_accuracy']:15.2%}{row['seconds']:8.1f} s"
            machines.setdefault(row["machine"], []).append(row["model"])
        size = f"{row['parameters']:12,}{row['multiply_adds']:15,}"
        lines.append(f"{row['model']:{width}}{size}{result}   {row['description']}")
    for machine, names in machines.items():
        which = f"; {', '.join(names)}" if len(machines) > 1 else ""
        lines.append(f"test accuracy and training time: means over several seeds, {machine}{which}")
    return "\n".join(lines)
