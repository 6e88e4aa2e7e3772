"""Find the command line that reproduces a trained network."""

import shlex
from dataclasses import dataclass
from typing import Any

import click

from fastdigits.cli.commands.train import command as train
from fastdigits.cli.options.training import DECIDED_BY_NETWORK
from fastdigits.config.recipes import FINE_TUNING, MODEL_SETTINGS
from fastdigits.config.training import TrainConfig
from fastdigits.models import MODELS, description, network_of
from fastdigits.storage.weights import SavedNetwork


@dataclass(frozen=True)
class Reproduction:
    """A command line, and the name and content of the .toml file of layers that it needs, if any."""

    command: str
    file: str | None = None
    layers: str | None = None


def reproduction_of(saved: SavedNetwork) -> Reproduction:
    """Return how to train a network again with the same settings and data.

    In the same version, the result is bit-identical. A network that is not one of MODELS needs a file of its layers.
    One that started from a trained network needs the file of that one, whose name is not known.
    """
    if saved.config["warm_start"]:
        return Reproduction(_fine_tuning(saved))
    file, shape = None, tuple(saved.network["input_shape"])
    names = saved.class_names
    if saved.model not in MODELS or network_of(saved.model, None, shape, names).config() != saved.network:
        file = f"{saved.model}{description.SUFFIX}"
    words = ["fastdigits", "train", "--model", file or saved.model]
    words += ["--data", saved.dataset] if saved.dataset != "mnist" else []
    words += _settings(saved.config, {} if file else MODEL_SETTINGS.get(saved.model, {}))
    layers = description.write(saved.network["layers"]) if file else None
    return Reproduction(shlex.join(words), file, layers)


def _fine_tuning(saved: SavedNetwork) -> str:
    words = ["fastdigits", "train", "--from", "WEIGHTS.h5", "--data", saved.dataset]
    config = {name: value for name, value in saved.config.items() if name not in DECIDED_BY_NETWORK}
    return shlex.join(words + _settings(config, FINE_TUNING))


def _settings(config: dict[str, Any], defaults: dict[str, object]) -> list[str]:
    """Return the words of the options whose values differ from the defaults."""
    defaults, words = vars(TrainConfig()) | defaults, []
    for param in train.params:
        if param.name in config and config[param.name] != defaults[param.name]:
            words += _words(param, config[param.name])
    return words


def _words(param: click.Parameter, value: Any) -> list[str]:
    if isinstance(value, bool):
        return (param.opts if value else param.secondary_opts)[:1]
    return [param.opts[0], "all" if value is None else str(value)]  # only --batch-size can be given as None
