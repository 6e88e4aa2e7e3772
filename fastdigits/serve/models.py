"""The networks that a server offers, each under a name of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastdigits.files import StrPath
from fastdigits.inference.explain import Explainer
from fastdigits.inference.recognizer import Recognizer
from fastdigits.ops import inference_ops


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
    recognizer: Recognizer
    explainer: Explainer


def load_models(files: Sequence[StrPath | None], device: str, threads: int | None) -> list[Model]:
    """Load networks in the thread that will use them; None stands for the model that ships.

    Raises
    ------
    UserError
        If a file holds no network that reads digits of 28 x 28 pixels.
    """
    readers = [Recognizer(file, device, threads) for file in files]
    names = unique([Path(recognizer.weights).stem for recognizer in readers])
    return [
        _model(index, name, recognizer) for index, (name, recognizer) in enumerate(zip(names, readers, strict=True))
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


def _model(index: int, name: str, recognizer: Recognizer) -> Model:
    saved, explainer = recognizer.saved, Explainer(recognizer.saved, inference_ops(recognizer.ops, 1))
    accuracy = saved.metrics.get("test_accuracy")
    accuracy = accuracy if isinstance(accuracy, float) else None
    facts = ModelFacts(index, name, saved.model, explainer.network.parameter_count, accuracy)
    return Model(facts, recognizer, explainer)
