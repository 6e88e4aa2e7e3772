"""Other frameworks, one module each.

Every module has NAME and version(). It has training(workload, compiled, say) and inference(workload, compiled, say) if
the framework supports these modes: each returns a list of contenders, one for each variant, of which the fastest is
compared with ours. A module that needs a GPU has why_unavailable(), and one that can time a matrix product has
product_seconds(). The table LAYERS maps the names of our layers to their counterparts in the framework.
"""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from fastdigits.config.choices import RIVALS
from fastdigits.errors import UserError, import_with_packages
from fastdigits.nn import Conv2D, Network, ReLU
from fastdigits.nn.layers import Layer


def load(name: str) -> ModuleType:
    """Import the module of a rival and its framework.

    Call this before `ops.load`, which sets OpenMP's environment variables to suit our kernels: a framework that
    starts its threads later would inherit these settings, to its disadvantage.

    Raises
    ------
    UserError
        If there is no such rival, its framework is not installed, or the device that it needs cannot be used.
    """
    if name not in RIVALS:
        raise UserError(f"There is no rival '{name}'; choose one of {', '.join(RIVALS)}.")
    module = import_with_packages(
        f"fastdigits.bench.rivals.{name.replace('-', '_')}",
        lambda error: (
            f"Comparing with {name} needs packages that are not installed ({error}); run 'pip install {RIVALS[name]}'."
        ),
    )
    reason = module.why_unavailable() if hasattr(module, "why_unavailable") else None
    if reason:
        raise UserError(f"Comparing with {name} is not possible: {reason}.")
    return module


def translation(table: dict[str, Callable[..., Any]], layer: Layer, framework: str) -> Callable[..., Any]:
    """Return the entry of a rival's table for a layer.

    Raises
    ------
    UserError
        If the table has no such layer.
    """
    kind = type(layer).__name__
    if kind not in table:
        raise UserError(f"There is no layer {kind} in the comparison with {framework}.")
    return table[kind]


def with_relu(network: Network, fusing: tuple[type[Layer], ...]) -> Iterator[tuple[str, Layer, bool]]:
    """Yield (name, layer, whether the ReLU after it is part of it), without these ReLUs.

    Parameters
    ----------
    network : Network
    fusing : tuple of types
        Layers that the framework can compute together with a ReLU.
    """
    names, layers = network.names, network.layers
    for name, before, layer, after in zip(names, [None, *layers], layers, [*layers[1:], None], strict=False):
        if not (isinstance(layer, ReLU) and isinstance(before, fusing)):
            yield name, layer, isinstance(layer, fusing) and isinstance(after, ReLU)


def bottom_right_padding(layer: Conv2D) -> tuple[int, int]:
    """Return the (bottom, right) padding of a convolution; `layer.top` and `layer.left` are the others.

    Negative values crop the image.
    """
    return layer.pads()[2:]
