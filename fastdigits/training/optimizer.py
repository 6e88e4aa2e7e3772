"""The optimizer: one operation that updates all parameters at once."""

from functools import partial

import numpy as np

from fastdigits.config.training import OPTIMIZERS, TrainConfig
from fastdigits.nn.parameter import ParameterBuffer
from fastdigits.ops.interface import Ops

EPSILON = 1e-8
NORM_PARTS = 64  # partial sums of the gradient norm, so that cores can share the work


class Optimizer:
    """Optimizer of all parameters of a network. It clips their gradients first if `clip_norm` is set.

    Parameters
    ----------
    ops : Ops
    config : TrainConfig
    buffer : ParameterBuffer
    """

    def __init__(self, ops: Ops, config: TrainConfig, buffer: ParameterBuffer):
        defaults = OPTIMIZERS[config.optimizer]
        self.lr = lr_of(config)
        self.ops, self.buffer = ops, buffer
        self.state_arrays = [ops.zeros(buffer.values.shape) for _ in defaults.state_arrays]
        self.steps = 0  # started
        self.rate, self.count = ops.zeros((1,)), ops.zeros((1,), np.int64)
        self.clip = partial(ops.clip_norm, buffer.gradients, float(config.clip_norm)) if config.clip_norm else None
        self.sums, self.factor = ops.empty((NORM_PARTS,)), ops.empty((1,))
        settings = {
            "rate": self.rate,
            "step": self.count,
            "momentum": float(config.momentum),
            "beta1": float(config.beta1),
            "beta2": float(config.beta2),
            "epsilon": EPSILON,
            "weight_decay": weight_decay_of(config),
        }
        self.apply_step = partial(
            defaults.step.on(ops) if defaults.step else getattr(ops, f"{config.optimizer}_step"),
            parameter=buffer.values,
            gradient=buffer.gradients,
            **dict(zip(defaults.state_arrays, self.state_arrays, strict=True)),
            **{name: settings[name] for name in defaults.settings},
        )

    def step(self, lr_factor: float) -> None:
        """Update the parameters at a learning rate of lr * lr_factor."""
        self.start_step(lr_factor)
        self.update()

    def start_step(self, lr_factor: float) -> None:
        """Count a step and write its number and its learning rate, lr * lr_factor, to the device."""
        self.steps += 1
        self.count[...], self.rate[...] = self.steps, self.lr * lr_factor

    def update(self) -> None:
        """Update the parameters; all inputs are read from the device, so that a GPU can replay the operations."""
        if self.clip:
            self.clip(self.sums, self.factor)
        self.apply_step()


def lr_of(config: TrainConfig) -> float:
    """Return the learning rate that the schedule multiplies by its factors."""
    return OPTIMIZERS[config.optimizer].lr if config.lr is None else config.lr


def weight_decay_of(config: TrainConfig) -> float:
    """Return the weight decay: the setting, or the optimizer's default."""
    default = OPTIMIZERS[config.optimizer].weight_decay
    return float(default if config.weight_decay is None else config.weight_decay)
