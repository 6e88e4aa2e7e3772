"""Networks: layers, their parameters, and the chain that joins them. Nothing here depends on a device.

Each layer of `registry.LAYERS`, and `Network`, is imported when it is first used.
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
