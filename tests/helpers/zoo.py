"""One zoo of layers for all tests: a network of every layer there is, and chains that fusion must take care of.

A new layer is added here once; then tests compare it with the reference, with PyTorch and with other frameworks.
"""

from fastdigits.nn import (
    GELU,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool2D,
    ReLU,
    Residual,
    Sigmoid,
    SiLU,
    Tanh,
    registry,
)
from fastdigits.nn.layers import Layer

# For images of 28 x 28 pixels and ten classes
EVERY_LAYER = [
    Conv2D(3, 5, padding=2, initializer="glorot"),
    LeakyReLU(0.1),
    Conv2D(2, 3, padding=-2),  # crops the image
    MaxPool2D(3, stride=2),
    Conv2D(4, (2, 3), stride=2, padding="same"),  # asymmetric padding
    BatchNorm(),
    Tanh(),
    AvgPool2D((2, 1), stride=1),
    Conv2D(5, 2, padding="full"),
    SiLU(),
    Residual([Conv2D(3, 3, stride=2, padding=1), BatchNorm(), Sigmoid(), Conv2D(6, 1)], projection=True),
    ReLU(),
    Residual([Residual([Tanh(), Dropout(0.1)])]),
    LocalResponseNorm(3, alpha=0.2, beta=0.6, k=1.5),
    Dropout(0.3),
    Flatten(),
    Dense(20, "glorot"),
    BatchNorm(momentum=0.3, epsilon=1e-2),
    Sigmoid(),
    Dropout(0.2),
    Dense(12),
    GELU(),
    Dense(10),
]
# Layers next to each other that EVERY_LAYER does not have
CHAINS = {
    "single pixels": [Conv2D(4, 1), ReLU(), Conv2D(3, 1, stride=2), Flatten(), Dense(10)],
    "normalised and pooled": [Conv2D(4, 3), BatchNorm(), ReLU(), MaxPool2D(2), GlobalAvgPool2D(), Dense(10)],
    "normalised first": [BatchNorm(), Conv2D(4, 3), BatchNorm(), Conv2D(3, 3), ReLU(), Dropout(), Flatten(), Dense(10)],
    "smooth activations": [Conv2D(3, 3), SiLU(), MaxPool2D(3), Flatten(), Dense(20), GELU(), Dense(10)],
    "dropped first": [Dropout(0.1), Flatten(), Dense(20), ReLU(), Dropout(), Dense(10)],
    "residual first": [Residual([Conv2D(1, 3, padding=1), ReLU()]), ReLU(), Flatten(), Dense(10)],
    "blocks within blocks": [
        Conv2D(2, 5, stride=4),
        Residual([Residual([Conv2D(2, 3, padding=1), BatchNorm()]), ReLU(), Dropout(0.2)]),
        Residual([Tanh()]),
        GlobalAvgPool2D(),
        Dense(10),
    ],
}


def without(kinds: tuple[type[Layer], ...], layers: list[Layer]) -> list[Layer]:
    """Return the layers that are of none of these kinds, also within residual blocks."""
    kept = []
    for layer in layers:
        if isinstance(layer, Residual) and Residual not in kinds:
            inner = without(kinds, layer.layers)
            kept += [Residual(inner, layer.projection)] if inner else []
        elif not isinstance(layer, kinds):
            kept.append(layer)
    return kept


def kinds_in(layers: list[Layer]) -> set[str]:
    """Return the names of all layers, also of those within residual blocks."""
    inner = [name for layer in layers if isinstance(layer, Residual) for name in kinds_in(layer.layers)]
    return {type(layer).__name__ for layer in layers} | set(inner)


MISSING = set(registry.LAYERS) - kinds_in([layer for layers in (EVERY_LAYER, *CHAINS.values()) for layer in layers])
assert not MISSING, f"add {', '.join(sorted(MISSING))} to the zoo of layers"
