"""Networks in TOML files.

A file is a list of layers. Each `[[layer]]` has a `type`, the name of a layer, and the fields of its Python class:

    [[layer]]
    type = "Conv2D"
    filters = 16
    kernel = [3, 3]      # rows and columns, or one number for both
    padding = "same"

    [[layer]]
    type = "Residual"
    projection = true
    [[layer.layers]]     # the layers of the block
    type = "Conv2D"
    filters = 32
    kernel = 3
    stride = 2
    padding = 1

    [[layer]]
    type = "GlobalAvgPool2D"

    [[layer]]
    type = "Dense"
    units = 10

`data/models` has examples.
"""

import json
import tomllib
from dataclasses import MISSING, fields, is_dataclass
from reprlib import repr as shown
from typing import Any

from fastdigits.errors import UserError
from fastdigits.nn.layers import Layer
from fastdigits.nn.registry import CUSTOM_LAYERS, LAYERS, layer_class, layer_from_config
from fastdigits.nn.sequence import check_count

SUFFIX = ".toml"
MAX_BYTES = 2**18  # ample for the largest number of layers; a network for digits takes a few hundred


def is_file(model: str) -> bool:
    """Return whether a model is given as a file."""
    return model.endswith(SUFFIX)


def read(path: str) -> list[Layer]:
    """Read the layers of a file.

    Raises
    ------
    UserError
        If the file cannot be read, is not TOML or does not describe layers. The message names the wrong layer.
    """
    try:
        content = tomllib.loads(_text(path))
        str(content)  # fails where a hexadecimal number is too long for any message
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check the path.") from None
    except RecursionError:
        raise UserError(f"{path}: its layers are nested too deeply; make the network smaller.") from None
    except ValueError as error:  # such as tomllib.TOMLDecodeError
        raise UserError(f"{path} is not TOML ({error}); fix the file.") from None
    if set(content) != {"layer"} or not isinstance(content["layer"], list):
        raise UserError(f"{path} must contain a list of [[layer]] and nothing else; see data/models for examples.")
    try:
        check_count(content["layer"])
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    for number, layer in enumerate(content["layer"], start=1):
        _check(layer, f"{path}: layer {number}")
    return [layer_from_config(layer) for layer in content["layer"]]


def write(layers: list[dict[str, Any]], table: str = "layer") -> str:
    """Return layers, given as configurations of `Layer.config()`, as the text of a TOML file."""
    parts = []
    for layer in layers:
        plain = [(name, value) for name, value in layer.items() if name != "layers" and value is not None]
        parts.append("\n".join([f"[[{table}]]", *(f"{name} = {json.dumps(value)}" for name, value in plain)]))
        if layer.get("layers"):
            parts.append(write(layer["layers"], f"{table}.layers"))
        elif "layers" in layer:
            parts[-1] += "\nlayers = []"
    return "\n\n".join(parts)


def _text(path: str) -> str:
    with open(path, "rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UserError(f"{path} is larger than {MAX_BYTES // 1024} KiB; describe a smaller network.")
    return content.decode("utf8")


def _check(layer: Any, where: str) -> None:
    """Raise UserError unless a table has the fields of a layer."""
    if not isinstance(layer, dict) or not isinstance(layer.get("type"), str):
        raise UserError(f'{where} has no type; give it one such as type = "Dense".')
    kind, given = layer["type"], layer.keys() - {"type"}
    names = (*LAYERS, *CUSTOM_LAYERS)
    if kind not in names:
        raise UserError(f"{where} has the unknown type {shown(kind)}; choose one of {', '.join(names)}.")
    layer_type = layer_class(kind)
    known = [field for field in fields(layer_type) if field.init] if is_dataclass(layer_type) else []
    known_fields = f"the fields {', '.join(field.name for field in known)}" if known else "no fields"
    for name in sorted(given - {field.name for field in known}):
        raise UserError(f"{where} ({kind}) has the unknown field {shown(name)}; remove it. {kind} has {known_fields}.")
    for name in (field.name for field in known if field.default is MISSING and field.name not in given):
        raise UserError(f"{where} ({kind}) lacks the field '{name}'; add it.")
    if "layers" in given:
        if not isinstance(layer["layers"], list):
            raise UserError(f"{where} ({kind}) has layers that are not a list; write each one as [[layer.layers]].")
        for number, nested in enumerate(layer["layers"], start=1):
            _check(nested, f"{where} ({kind}), nested layer {number}")
