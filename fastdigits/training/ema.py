"""The moving average of a network's weights, which often reads better than any of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastdigits.nn.parameter import ParameterBuffer
from fastdigits.ops.interface import Array, Ops


class EMA:
    """The exponential moving average of all parameters; what lies outside their buffer stays as it is."""

    def __init__(self, ops: Ops, decay: float, buffer: ParameterBuffer):
        self.buffer, self.decay, self.average_step = buffer, float(decay), ops.average_step
        self.values, self.spare = ops.zeros(buffer.values.shape), ops.empty(buffer.values.shape)

    def step(self, count: Array) -> None:
        """Take the parameters in after step number count[0], from 1 on."""
        self.average_step(self.buffer.values, count, self.decay, self.values)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within, the network computes with the averages."""
        self.spare[...] = self.buffer.values
        self.buffer.values[...] = self.values
        try:
            yield
        finally:
            self.buffer.values[...] = self.spare
