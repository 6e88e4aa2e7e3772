"""The networks that a server offers, each under a name of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastdigits import ops, weights
from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.imaging.prepared import SIDE
from fastdigits.nn import Network
from fastdigits.reader import Reader
from fastdigits.serve.maps import Explainer


@dataclass(frozen=True)
class ModelFacts:
    """What clients are told of a network; `index` is what they may choose it by, as well as by its name."""

    index: int
    name: str
    architecture: str
    parameters: int
    test_accuracy: float | None


@dataclass(frozen=True, eq=False)
class Model:
    """A network that reads, the same one layer by layer, and what is known of it."""

    facts: ModelFacts
    reader: Reader
    explainer: Explainer


def load_models(files: Sequence[StrPath | None], device: str, threads: int | None) -> list[Model]:
    """Load networks in the thread that will use them; None stands for the model that ships.

    Raises
    ------
    UserError
        If a file holds no network that reads digits of 28 x 28 pixels.
    """
    device = ops.choose_device()[0] if device == "auto" else device
    readers = [Reader(file, device) for file in files]
    names = unique([Path(reader.weights).stem for reader in readers])
    loaded = ops.load(device, threads)  # after the readers: numba keeps the number of threads for each thread anew
    return [
        _model(index, name, reader, loaded) for index, (name, reader) in enumerate(zip(names, readers, strict=True))
    ]


def unique(names: Sequence[str]) -> list[str]:
    """The same names, with a number at those that came before."""
    taken: list[str] = []
    for name in names:
        number, candidate = 1, name
        while candidate in taken:
            number += 1
            candidate = f"{name}-{number}"
        taken.append(candidate)
    return taken


def _model(index: int, name: str, reader: Reader, loaded: Any) -> Model:
    saved = weights.read(reader.weights)
    network, side = Network.from_config(saved.network), SIDE + 2 * saved.normalisation.preparation.pad
    if network.input_shape != (1, side, side):
        raise UserError(f"{reader.weights}: the network does not read images of {SIDE} x {SIDE} pixels; serve others.")
    accuracy = saved.metrics.get("test_accuracy")
    accuracy = accuracy if isinstance(accuracy, float) else None
    facts = ModelFacts(index, name, saved.model, network.parameter_count, accuracy)
    return Model(facts, reader, Explainer(saved, loaded))
