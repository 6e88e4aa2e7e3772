"""Handwritten digits, learned and recognised by neural networks written from scratch.

from fastdigits import Conv2D, Dense, Flatten, MaxPool2D, ReLU, Sequential, load_digits

digits = load_digits("mnist")
model = Sequential([Conv2D(16, 3, padding="same"), ReLU(), MaxPool2D(2), Flatten(), Dense(10)])
model.fit(digits.train_images, digits.train_labels, epochs=3)
print(model.evaluate(digits.test_images, digits.test_labels).accuracy)
"""

import importlib

__version__ = "0.1.0"

# Each public name with the module that has it: imported when it is first used, so that importing the package is free.
_HOMES = {
    "fastdigits.data": {"load_digits": "load_digits"},
    "fastdigits.errors": {"UserError": "UserError"},
    "fastdigits.nn": {
        layer: layer
        for layer in (
            "AvgPool2D",
            "BatchNorm",
            "Conv2D",
            "Dense",
            "Dropout",
            "Flatten",
            "GlobalAvgPool2D",
            "LeakyReLU",
            "LocalResponseNorm",
            "MaxPool2D",
            "ReLU",
            "Residual",
            "Sigmoid",
            "Tanh",
        )
    },
    "fastdigits.sequential": {"Sequential": "Sequential", "load": "load"},
}
_NAMES = {public: (home, name) for home, names in _HOMES.items() for public, name in names.items()}

__all__ = sorted(_NAMES)


def __getattr__(name: str) -> object:
    if name not in _NAMES:
        raise AttributeError(f"module 'fastdigits' has no attribute '{name}'")
    home, inner = _NAMES[name]
    value = getattr(importlib.import_module(home), inner)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
