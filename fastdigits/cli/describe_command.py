"""`fastdigits describe`."""

import json
import os
from typing import Any

import click

from fastdigits.cli.options import json_option


@click.command("describe", epilog="Example: fastdigits describe lenet")
@click.argument("network", metavar="MODEL|WEIGHTS")
@json_option
def command(network: str, as_json: bool) -> None:
    """Show the layers of a MODEL or of a WEIGHTS file: shapes, kernels, parameters, multiply-adds per image."""
    name, chain, more = _find(network)
    rows = [
        {
            "layer": layer_name,
            "type": type(layer).__name__,
            "output_shape": list(layer.output_shape),
            "kernel": _kernel(layer),
            "parameters": sum(parameter.size for parameter in layer.parameters),
            "multiply_adds": layer.multiply_adds(),
        }
        for layer_name, layer in zip(chain.names, chain.layers, strict=True)
    ]
    summary = {
        "model": name,
        "input_shape": list(chain.input_shape),
        "layers": rows,
        "parameters": sum(row["parameters"] for row in rows),
        "multiply_adds": sum(row["multiply_adds"] for row in rows),
        **more,
    }
    click.echo(json.dumps(summary) if as_json else _as_text(summary))


def _find(network: str) -> tuple[str, Any, dict]:
    """(name of the model, its network, what a weights file adds)."""
    from fastdigits.models import MODELS, layers_of
    from fastdigits.nn import Network

    if network in MODELS:
        return network, Network(layers_of(network)), {}
    if not os.path.exists(network):
        models = ", ".join(MODELS)
        raise click.UsageError(f"'{network}' is neither a model ({models}) nor a file; see 'fastdigits models'.")
    from fastdigits.weights import read

    saved = read(network)
    trained = {"dataset": saved.dataset, "config": saved.config, "metrics": saved.metrics}
    return saved.model, Network.from_config(saved.network), trained


def _kernel(layer: Any) -> str:
    if hasattr(layer, "weight") and len(layer.weight.shape) == 4:
        kernel = "{} x {}".format(*layer.weight.shape[2:])
        return kernel + (f", stride {layer.stride}" if layer.stride > 1 else "")
    return "{} x {}, stride {}".format(*layer.size, layer.stride) if hasattr(layer, "size") else ""


def _as_text(summary: dict[str, Any]) -> str:
    def shape(sizes: list[int]) -> str:
        return " x ".join(map(str, sizes))

    line = "{:14}{:>16}   {:18}{:>12}{:>16}".format
    lines = [
        line(summary["model"], "output shape", "kernel", "parameters", "multiply-adds"),
        line("input", shape(summary["input_shape"]), "", "", ""),
    ]
    for row in summary["layers"]:
        numbers = [f"{row[key]:,}" if row[key] else "" for key in ("parameters", "multiply_adds")]
        lines.append(line(row["layer"], shape(row["output_shape"]), row["kernel"], *numbers))
    lines.append(line("total", "", "", f"{summary['parameters']:,}", f"{summary['multiply_adds']:,}"))
    if "metrics" in summary:
        accuracy = summary["metrics"].get("test_accuracy")
        reached = f", test accuracy {accuracy:.2%}" if isinstance(accuracy, float) else ""
        lines.append(f"trained on {summary['dataset']}{reached}")
    return "\n".join(line.rstrip() for line in lines)
