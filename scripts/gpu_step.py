"""Run training steps of a network as `train` does. As a program, run a few of them for a tool that watches kernels.

compute-sanitizer --tool memcheck python scripts/gpu_step.py lenet
ncu --csv python scripts/gpu_step.py record
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import numpy as np

from fastdigits import ops as devices
from fastdigits.config.training import TrainConfig
from fastdigits.models import network_of
from fastdigits.ops.array import reference
from fastdigits.training.trainer import Trainer, build_for_training

STEPS = 2  # of the program
EPOCH_STEPS = 469  # as on MNIST with batches of 128
SETTINGS: dict[str, Any] = {"optimizer": "adamw", "weight_decay": 0.1, "validation": 0}


class TrainingStep:
    """A training step on a batch of random images, from their bytes to the weights.

    The learning rate is 0, so that all steps compute with the same weights. Calling it starts a step and does not wait
    for the device. An epoch has many steps on the same batch, so that the numbers of most steps are on the device.
    """

    def __init__(self, model: str, ops: Any, batch_size: int, graph: bool = True):
        random, network = np.random.default_rng(0), network_of(model)
        images = random.integers(0, 256, (batch_size, *network.input_shape[1:]), np.uint8)
        labels = random.integers(0, network.classes, batch_size).astype(np.uint8)
        rows = np.arange(batch_size, dtype=np.int32)
        config = TrainConfig(batch_size=batch_size, graph=graph, **SETTINGS)
        batches = build_for_training(network, images, labels, rows, ops, config)
        network.initialise(0)
        self.batch_size, self.trainer = batch_size, Trainer(network, batches, config, np.tile(rows, EPOCH_STEPS))
        self.trainer.lr_factors, order = [0.0] * EPOCH_STEPS, ops.upload(rows)
        ops.random_permutation(config.seed, 1, order)
        self.trainer.order.reshape(EPOCH_STEPS, batch_size)[...] = order
        self._positions = cycle(range(0, EPOCH_STEPS * batch_size, batch_size))

    def __call__(self) -> None:
        self.trainer.step(next(self._positions), self.batch_size)

    def wait(self) -> None:
        """Wait for the device."""
        self.trainer.metrics(1)

    def is_recorded(self) -> bool:
        """Return whether a step is a CUDA graph already."""
        return bool(self.trainer.run_step.graphs)

    def launches(self) -> list[tuple]:
        """Return (kernel, grid, arguments) of each kernel of a step, which runs one by one."""
        recorded, self.trainer.run_step = self.trainer.run_step, reference.captured(self.trainer._run_step)
        with _noted_launches() as launches:
            self()
        self.trainer.run_step = recorded
        self.wait()
        return launches


@contextmanager
def _noted_launches() -> Iterator[list[tuple]]:
    from fastdigits.ops.cuda import launch

    start, launches = launch.start, []

    def start_noted(*launched: Any) -> None:
        launches.append(launched)
        start(*launched)

    launch.start = start_noted
    try:
        yield launches
    finally:
        launch.start = start


def main(model: str, device: str = "cuda") -> None:
    """Run STEPS training steps, whose kernels are launched one by one."""
    step = TrainingStep(model, devices.load(device), 128, graph=False)
    for _ in range(STEPS):
        step()
    step.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
