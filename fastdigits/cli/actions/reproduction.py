"""Find the command line that reproduces a trained network."""

import shlex
from dataclasses import dataclass
from typing import Any

import click

from fastdigits.cli.commands.train import command as train
from fastdigits.cli.options.data import reading_words
from fastdigits.cli.options.training import DECIDED_BY_NETWORK
from fastdigits.config.recipes import FINE_TUNING, MODEL_SETTINGS, REPLAY_EMA, REPLAY_WARMUP
from fastdigits.config.training import TrainConfig
from fastdigits.models import MODELS, description, network_of
from fastdigits.storage.weights import SavedNetwork

REPLAY_SETTINGS = {"warmup": REPLAY_WARMUP, "ema": REPLAY_EMA}  # by default
UNKNOWN_FILE = "WEIGHTS.h5"
DEFAULT_OUTPUT = "weights.h5"  # of train, which would replace a file of this name to start from

IN_PYTHON = "The training was in Python, on arrays; save them to a file, such as .npz, and give it to --data."


@dataclass(frozen=True)
class Reproduction:
    """A command line, a note about what it needs, and the name and content of the .toml file of layers, if any."""

    command: str
    note: str = ""
    file: str | None = None
    layers: str | None = None


def reproduction_of(saved: SavedNetwork) -> Reproduction:
    """Return how to train a network again with the same settings and data.

    In the same version, the result is bit-identical. A network that is not one of MODELS needs a file of its layers.
    One that started from a trained network needs the file of that one, whose name older versions did not store.
    """
    if saved.config["warm_start"]:
        return Reproduction(_fine_tuning(saved), _start_note(saved))
    file, shape = None, tuple(saved.network["input_shape"])
    names = saved.class_names
    if saved.model not in MODELS or network_of(saved.model, None, shape, names).config() != saved.network:
        file = f"{saved.model}{description.SUFFIX}"
    words = ["fastdigits", "train", "--model", file or saved.model]
    words += ["--data", saved.dataset] if saved.dataset != "mnist" else []
    words += reading_words(saved.reading)
    words += _settings(saved.config, {} if file else MODEL_SETTINGS.get(saved.model, {}))
    layers = description.write(saved.network["layers"]) if file else None
    note = IN_PYTHON if (saved.model, saved.dataset) == ("sequential", "arrays") else ""
    return Reproduction(shlex.join(words), note, file, layers)


def _fine_tuning(saved: SavedNetwork) -> str:
    file = saved.start.file if saved.start else UNKNOWN_FILE
    words = ["fastdigits", "train", "--from", file, "--data", saved.dataset, *reading_words(saved.reading)]
    config = {name: value for name, value in saved.config.items() if name not in DECIDED_BY_NETWORK}
    if config["replay"] and config["ema"] is None:  # as in older versions
        config["ema"] = 0.0
    defaults = FINE_TUNING | {"augment": None} | (REPLAY_SETTINGS if config["replay"] else {})
    words += _settings(config, defaults)  # that of --augment is in the file
    return shlex.join(words + (["--output", f"new-{file}"] if file == DEFAULT_OUTPUT else []))


def _start_note(saved: SavedNetwork) -> str:
    if saved.start is None:
        return f"{UNKNOWN_FILE} stands for the file that the training started from, whose name is not known."
    return f"The training started from a file {saved.start.file} with the SHA-256 {saved.start.sha256}."


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
