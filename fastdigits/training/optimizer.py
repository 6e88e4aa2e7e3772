"""Optimisers: which operation steps the parameters, and what it remembers between steps."""

from functools import partial

import numpy as np

from fastdigits.config.training import OPTIMIZERS, TrainConfig
from fastdigits.nn.parameter import ParameterBuffer
from fastdigits.ops.interface import Array, Ops

EPSILON = 1e-8
NORM_PARTS = 64  # sums that the norm of the gradients is made of, so that cores can share the work


class Optimizer:
    """Steps all parameters of a network at once, by gradients that `clip_norm` may shrink before."""

    def __init__(self, ops: Ops, config: TrainConfig, buffer: ParameterBuffer):
        usual = OPTIMIZERS[config.optimizer]
        self.lr = usual.lr if config.lr is None else config.lr
        decay = float(usual.weight_decay if config.weight_decay is None else config.weight_decay)
        momentum = float(config.momentum)
        self.ops, self.buffer = ops, buffer
        self.state_arrays = [ops.zeros(buffer.values.shape) for _ in range(usual.state_arrays)]
        self.steps = 0  # that have begun
        self.rate, self.count = ops.zeros((1,)), ops.zeros((1,), np.int64)
        self.clip = partial(ops.clip_norm, buffer.gradients, float(config.clip_norm)) if config.clip_norm else None
        self.sums, self.factor = ops.empty((NORM_PARTS,)), ops.empty((1,))
        self.operation = getattr(ops, f"{config.optimizer}_step")
        self.options = {
            "sgd": (self.rate, decay),
            "momentum": (self.rate, momentum, decay),
            "nesterov": (self.rate, momentum, decay),
        }.get(config.optimizer, (self.rate, self.count, float(config.beta1), float(config.beta2), EPSILON, decay))

    def step(self, lr_factor: float) -> None:
        """Change the parameters by their gradients, at a share of the learning rate."""
        self.ops.write(self.step_scalars(lr_factor))
        self.update()

    def step_scalars(self, lr_factor: float) -> tuple[tuple[Array, float], ...]:
        """What tells `update` of the next step, which begins here: for ops.write, before it."""
        self.steps += 1
        return (self.rate, self.lr * lr_factor), (self.count, self.steps)

    def update(self) -> None:
        """Change the parameters by their gradients; all else that this depends on is on the device."""
        if self.clip:
            self.clip(self.sums, self.factor)
        self.operation(self.buffer.values, self.buffer.gradients, *self.state_arrays, *self.options)
