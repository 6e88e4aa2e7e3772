"""Exponential moving average of the weights, which often evaluates better than the weights themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastdigits.nn.parameter import ParameterBuffer
from fastdigits.ops.interface import Array, Ops


class EMA:
    """Moving average of all parameters, but not of running statistics, which are outside the buffer.

    Parameters
    ----------
    ops : Ops
    decay : float
        Weight of the old average, in [0, 1).
    buffer : ParameterBuffer
    """

    def __init__(self, ops: Ops, decay: float, buffer: ParameterBuffer):
        self.ops, self.buffer, self.decay = ops, buffer, float(decay)
        self.values, self.spare = ops.zeros(buffer.values.shape), ops.empty(buffer.values.shape)

    def step(self, count: Array) -> None:
        """Update the average with the current parameters; count[0] is the number of the step, from 1 on."""
        self.ops.average_step(self.buffer.values, count, self.decay, self.values)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Use the averages as the network's parameters within the block."""
        self.ops.copy(self.buffer.values, self.spare)
        self.keep()
        try:
            yield
        finally:
            self.ops.copy(self.spare, self.buffer.values)

    def keep(self) -> None:
        """Set the network's parameters to the averages."""
        self.ops.copy(self.values, self.buffer.values)
