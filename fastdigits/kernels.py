"""Compile all that a training needs before it begins, in two processes where that takes long.

numba compiles one function at a time, but keeps what it has compiled in a folder. So another process takes what
comes late in a step of the training, while this one takes what comes early; where it needs what the other has
compiled, it reads it from the folder.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from fastdigits.config import TrainConfig
from fastdigits.dataset.batches import Batches
from fastdigits.nn.network import Network
from fastdigits.ops import cache, environment
from fastdigits.trainer import Trainer

SOON_S = 0.5  # of compiling, after which a second process, which takes a second to start, is worth its while
# What the other process does first of all; it imports what this one would
PROGRAM = (
    "import json, sys; task = json.load(sys.stdin); sys.path[:] = task.pop('path'); "
    "from fastdigits.warmup import compile_backwards; compile_backwards(**task)"
)


def compile_kernels(network: Network, batches: Batches, config: TrainConfig) -> None:
    """Run every operation of the training once, with a learning rate of 0, which changes no parameter.

    It changes running statistics, so that it must come before `network.initialise`.
    """
    with _help(network, config):
        do_everything(network, batches, config)


def do_everything(network: Network, batches: Batches, config: TrainConfig) -> None:
    """A step of the training with one image, and the forward pass of evaluation."""
    trainer = Trainer(network, batches, config, np.zeros(1, np.int32))
    trainer.shuffle(0)
    trainer.step(0, 1, 0.0)
    [(x, _, _)] = batches.over(trainer.order)
    network.forward(x)


class Recording:
    """Operations that are put down instead of done, but for those of arrays and of random numbers."""

    def __init__(self, ops: Any):
        from fastdigits.ops import array, random

        self.calls: list[Callable[[], Any]] = []
        self._ops, self._done = ops, {*array.OPS, *random.OPS}
        self.empty = ops.zeros  # whatever is read before it is written must be in order

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._ops, name)
        if name in self._done or not callable(value):
            return value
        return lambda *arguments: self.calls.append(partial(value, *arguments))


@contextmanager
def _help(network: Network, config: TrainConfig) -> Iterator[None]:
    """A block in which another process helps to compile, where the folder and a second core are to be had."""
    if network.ops.device != "cpu" or environment.threads() < 2 or not cache.lasts() or not sys.executable:
        yield
        return
    helper = began = None

    def compiling() -> None:
        nonlocal helper, began
        began = began or perf_counter()
        if helper is None and perf_counter() - began > SOON_S:
            with suppress(OSError):  # one process will do
                helper = _start(network, config)

    try:
        with environment.on_compilation(compiling):
            yield
    finally:
        if helper:
            helper.kill()
            helper.wait()


def _start(network: Network, config: TrainConfig) -> subprocess.Popen:
    """The other process; no signal of the terminal reaches it."""
    silent = dict.fromkeys(("stdout", "stderr"), subprocess.DEVNULL)
    helper = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, start_new_session=True, **silent)
    task = {"path": sys.path, "network": network.config(), "config": asdict(config), "threads": environment.threads()}
    with suppress(OSError), helper.stdin:  # it may have ended
        helper.stdin.write(json.dumps(task).encode())
    return helper
