"""Neural networks for handwritten digits, written from scratch.

>>> from fastdigits import Conv2D, Dense, Flatten, MaxPool2D, ReLU, Sequential, load_digits
>>> digits = load_digits("mnist")
>>> model = Sequential([Conv2D(16, 3, padding="same"), ReLU(), MaxPool2D(2), Flatten(), Dense(10)])
>>> history = model.fit(digits.train_images, digits.train_labels, epochs=3)
>>> model.evaluate(digits.test_images, digits.test_labels).accuracy
"""

import importlib
from typing import Any

from fastdigits.nn.registry import LAYERS

__version__ = "0.1.0"

# The module of each public name; modules are imported on first use, so that importing the package is fast
_NAMES = {
    "Callback": "fastdigits.training.callbacks",
    "Sequential": "fastdigits.sequential",
    "Tracker": "fastdigits.tracking.tracker",
    "TrainingWarning": "fastdigits.errors",
    "UserError": "fastdigits.errors",
    "load": "fastdigits.sequential",
    "load_digits": "fastdigits.data",
    "sweep": "fastdigits.cli.actions.sweep",
    **dict.fromkeys(LAYERS, "fastdigits.nn"),
}

__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'fastdigits' has no attribute '{name}'")
    value = getattr(importlib.import_module(_NAMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
