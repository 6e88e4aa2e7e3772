"""Dropout."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from fastdigits.nn.layers import Layer, Shape, TrainingStep, check_fraction, vectors
from fastdigits.ops.interface import Array, Ops

STREAMS = 2**31  # number of the first random stream that dropout layers use
STREAMS_PER_PART = 2**12  # one for each layer of the network, by `Layer.number`


@dataclass(eq=False)
class Dropout(Layer):
    """Dropout: set a random fraction `rate` of the inputs to zero in training and divide the others by 1 - rate.

    The mask differs for each image and step. It is stored, one byte per element: reading it in the backward pass is
    faster than drawing it again.

    References
    ----------
    Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting.
    """

    rate: float = 0.5

    def shape_of_output(self, input_shape: Shape) -> Shape:
        check_fraction(self, "rate")
        return input_shape

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        super().allocate(ops, blocks, training)
        self.mask: Any = ops.empty((blocks, prod(self.input_shape), ops.lanes), np.uint8) if training else None

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.training = training is not None
        if training is None:
            return x
        self.ops.random_mask(
            seed=training.seed,
            stream=STREAMS + training.part * STREAMS_PER_PART + self.number,
            step=training.step,
            rate=float(self.rate),
            mask=self.mask,
        )
        self.ops.dropout(x=vectors(x), mask=vectors(self.mask), rate=float(self.rate), y=vectors(self.y))
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if not self.training:
            return dy
        if input_gradient:
            self.ops.dropout(x=vectors(dy), mask=vectors(self.mask), rate=float(self.rate), y=vectors(self.dx))
        return self.dx
