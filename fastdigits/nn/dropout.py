"""Dropout: noise for learning."""

from dataclasses import dataclass
from math import prod

import numpy as np

from fastdigits.nn.layers import Layer, Shape, TrainingStep, check_share, vectors
from fastdigits.ops.interface import Array, Ops

STREAMS = 2**31  # of random numbers: those from here on are the dropout layers'
PART = 2**12  # streams of each part of a step, by the numbers of its layers


@dataclass(eq=False)
class Dropout(Layer):
    """While the network learns, a share `rate` of its inputs, drawn anew for every image and step, is 0.

    The others are divided by 1 - rate, so that nothing is left to do afterwards. The mask is kept for the way back,
    a byte for each element, since drawing it takes longer than reading it.

    Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting.
    """

    rate: float = 0.5

    def shape_of_output(self, input_shape: Shape) -> Shape:
        check_share(self, "rate")
        return input_shape

    def allocate(self, ops: Ops, blocks: int, training: bool) -> None:
        super().allocate(ops, blocks, training)
        self.mask = ops.empty((blocks, prod(self.input_shape), ops.lanes), np.uint8) if training else None

    def forward(self, x: Array, training: TrainingStep | None = None) -> Array:
        self.in_use = not training
        if self.in_use:
            return x
        stream = STREAMS + training.part * PART + self.number
        self.ops.random_mask(training.seed, stream, training.step, float(self.rate), self.mask)
        self.ops.dropout(vectors(x), vectors(self.mask), float(self.rate), vectors(self.y))
        return self.y

    def backward(self, dy: Array, input_gradient: bool) -> Array:
        if self.in_use:
            return dy
        if input_gradient:
            self.ops.dropout(vectors(dy), vectors(self.mask), float(self.rate), vectors(self.dx))
        return self.dx
