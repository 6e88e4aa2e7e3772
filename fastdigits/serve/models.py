"""Load the networks of a server and give each a unique name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastdigits.files import StrPath
from fastdigits.inference.explain import Explainer
from fastdigits.inference.recognizer import Recognizer
from fastdigits.nn.calibration import Calibration
from fastdigits.ops.runtime.rehearsal import Rehearsal


@dataclass(frozen=True)
class ModelInfo:
    """A description of a network; clients choose it by `index` or `name`."""

    index: int
    name: str
    architecture: str
    parameters: int
    test_accuracy: float | None
    classes: tuple[str, ...]
    calibration: Calibration

    @property
    def title(self) -> str:
        """The name, which is that of the file, followed by the name of the network if it is another one."""
        return self.name if self.name == self.architecture else f"{self.name} ({self.architecture})"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that clients see, as JSON types."""
        return {name: value for name, value in vars(self).items() if name != "calibration"}


@dataclass(frozen=True, eq=False)
class Model:
    """A loaded network, with what recognizes digits and what computes feature maps."""

    info: ModelInfo
    recognizer: Recognizer
    explainer: Explainer

    def deferred(self, rehearsal: Rehearsal) -> "Model":
        """Return the model with operations that do not run; see `Rehearsal.defer`."""
        recognizer = self.recognizer.deferred(rehearsal)
        return Model(self.info, recognizer, _explainer(recognizer))

    def with_weights(self, weights: dict[str, np.ndarray]) -> "Model":
        """Return the model with other weights, of the same names and shapes."""
        recognizer = self.recognizer.with_weights(weights)
        return Model(self.info, recognizer, _explainer(recognizer))


def load_models(files: Sequence[StrPath | None], device: str = "auto", threads: int | None = None) -> list[Model]:
    """Load weights files; None stands for the model shipped with fastdigits.

    Call this in the thread that will use the networks.

    Raises
    ------
    UserError
        If a file holds no network that takes images of 28 x 28 pixels.
    """
    recognizers = [Recognizer(file, device, threads) for file in files]
    names = unique([Path(recognizer.weights).stem for recognizer in recognizers])
    return [_model(index, *pair) for index, pair in enumerate(zip(names, recognizers, strict=True))]


def unique(names: Sequence[str]) -> list[str]:
    """Make names unique by appending a number to each that occurred before."""
    taken: list[str] = []
    for name in names:
        number, candidate = 1, name
        while candidate in taken:
            number += 1
            candidate = f"{name}-{number}"
        taken.append(candidate)
    return taken


def _model(index: int, name: str, recognizer: Recognizer) -> Model:
    saved, explainer = recognizer.saved, _explainer(recognizer)
    accuracy = saved.metrics.get("test_accuracy")
    accuracy = accuracy if isinstance(accuracy, float) else None
    parameters = explainer.network.parameter_count
    info = ModelInfo(index, name, saved.model, parameters, accuracy, recognizer.classes, recognizer.calibration)
    return Model(info, recognizer, explainer)


def _explainer(recognizer: Recognizer) -> Explainer:
    return Explainer(recognizer.saved, recognizer.single_ops)
