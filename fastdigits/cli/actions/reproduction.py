"""How a network can be trained again: the command line, and a file of its layers where it has no name."""

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from fastdigits.config.recipes import MODEL_SETTINGS
from fastdigits.config.training import TrainConfig

if TYPE_CHECKING:
    from fastdigits.storage.weights import SavedNetwork


@dataclass(frozen=True)
class Reproduction:
    """A command line, and the name and the content of the file of layers that it needs, if any."""

    command: str
    file: str | None = None
    layers: str | None = None


def reproduction_of(saved: "SavedNetwork") -> Reproduction:
    """What trains a network anew, with the same settings on the same data: to the same bits with this version."""
    from fastdigits.models import MODELS, description, network_of

    file, shape = None, tuple(saved.network["input_shape"])
    if saved.model not in MODELS or network_of(saved.model, input_shape=shape).config() != saved.network:
        file = f"{saved.model}{description.SUFFIX}"
    words = ["fastdigits", "train", "--model", file or saved.model]
    words += ["--data", saved.dataset] if saved.dataset != "mnist" else []
    words += _settings(saved.config, {} if file else MODEL_SETTINGS.get(saved.model, {}))
    layers = description.write(saved.network["layers"]) if file else None
    return Reproduction(shlex.join(words), file, layers)


def _settings(config: dict[str, Any], usual: dict[str, object]) -> list[str]:
    """The options whose values are not those that hold anyway."""
    from fastdigits.cli.commands.train import command as train

    usual, words = vars(TrainConfig()) | usual, []
    for param in train.params:
        if param.name in config and config[param.name] != usual[param.name]:
            words += _words(param, config[param.name])
    return words


def _words(param: click.Parameter, value: Any) -> list[str]:
    if isinstance(value, bool):
        return (param.opts if value else param.secondary_opts)[:1]
    return [param.opts[0], "all" if value is None else str(value)]  # as --batch-size: others are None unless given
