"""Parameters: what is learned, all of it side by side in one array."""

from dataclasses import dataclass, field
from math import prod
from typing import Any

from fastdigits.ops.interface import Array, Ops

# Every parameter starts at a multiple of so many numbers: whole cache lines and whole vectors on every device.
ALIGNMENT = 64


@dataclass(eq=False)
class Parameter:
    """One array that is learned, with the gradient of the loss by it.

    `fan_in` and `fan_out` are the numbers of inputs that one output sums and of outputs that one
    input reaches; without an initializer the parameter starts at zero.
    """

    name: str
    shape: tuple[int, ...]
    initializer: str | None = None
    fan_in: int = 0
    fan_out: int = 0
    value: Any = field(default=None, repr=False)
    gradient: Array = field(default=None, repr=False)

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


class ParameterBuffer:
    """All parameters of a network in one array (V, L) and their gradients in another.

    So an optimiser's step is one operation, whatever the network. The gaps between parameters
    are zeros, and their gradients too.
    """

    def __init__(self, ops: Ops, parameters: list[Parameter], training: bool):
        starts, end = [], 0
        for parameter in parameters:
            starts.append(end)
            end += -(-parameter.size // ALIGNMENT) * ALIGNMENT
        self.values = ops.zeros((end // ops.lanes, ops.lanes))
        self.gradients = ops.zeros((end // ops.lanes, ops.lanes)) if training else None
        for parameter, start in zip(parameters, starts, strict=True):
            place = slice(start, start + parameter.size)
            parameter.value = self.values.reshape(-1)[place].reshape(parameter.shape)
            if training:
                parameter.gradient = self.gradients.reshape(-1)[place].reshape(parameter.shape)
