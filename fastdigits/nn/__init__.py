"""Neural networks: layers, parameters, and the network that chains layers. This package is independent of devices.

`Network` and the layers in `registry.LAYERS` are imported on first use.
"""

from typing import Any

from fastdigits.nn.registry import LAYERS, layer_class

__all__ = ["Network", *LAYERS]


def __getattr__(name: str) -> Any:
    if name in LAYERS:
        return layer_class(name)
    if name == "Network":
        from fastdigits.nn.network import Network

        return Network
    raise AttributeError(f"module 'fastdigits.nn' has no attribute '{name}'")
