"""Trainable parameters, stored together in one array."""

from dataclasses import dataclass, field
from math import prod
from typing import Any

from fastdigits.ops.interface import Array, Ops

# Parameters start at multiples of this number of elements, which are whole cache lines and vectors on every device.
ALIGNMENT = 64


@dataclass(eq=False)
class Parameter:
    """One array of a layer, and the gradient of the loss with respect to it.

    Parameters
    ----------
    name : str
        Within its layer, such as "weight".
    shape : tuple of int
    initializer : str, optional
        See initializers.initial_value; without one the parameter starts at zero.
    fan_in, fan_out : int
        Number of inputs that one output depends on, and of outputs that depend on one input.
    frozen : bool
        Whether training leaves the value as it is.
    value, gradient : array, optional
        Set when the network is built.
    """

    name: str
    shape: tuple[int, ...]
    initializer: str | None = None
    fan_in: int = 0
    fan_out: int = 0
    frozen: bool = False
    value: Any = field(default=None, repr=False)
    gradient: Any = field(default=None, repr=False)

    @property
    def size(self) -> int:
        """Number of entries."""
        return prod(self.shape)


class ParameterBuffer:
    """Parameters of a network in one array (V, L), and their gradients in another.

    An optimizer step is therefore one operation for any network. The gaps between parameters stay zero.
    """

    def __init__(self, ops: Ops, parameters: list[Parameter], training: bool):
        starts, end = [], 0
        for parameter in parameters:
            starts.append(end)
            end += -(-parameter.size // ALIGNMENT) * ALIGNMENT
        self.values = ops.zeros((end // ops.lanes, ops.lanes))
        self.gradients: Array | Any = ops.zeros((end // ops.lanes, ops.lanes)) if training else None
        for parameter, start in zip(parameters, starts, strict=True):
            place = slice(start, start + parameter.size)
            parameter.value = self.values.reshape(-1)[place].reshape(parameter.shape)
            if self.gradients is not None:
                parameter.gradient = self.gradients.reshape(-1)[place].reshape(parameter.shape)
