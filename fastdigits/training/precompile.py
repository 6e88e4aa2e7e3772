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

from fastdigits.config.training import EVALUATION_BATCH, MAX_MICRO_BATCH, TrainConfig
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation
from fastdigits.inference.evaluate import evaluate, probabilities
from fastdigits.models import name_of, network_of
from fastdigits.nn import Network
from fastdigits.ops import inference_ops, load
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime import kernel_cache, numba_setup
from fastdigits.training.trainer import Trainer, build_for_training

SIDE = 28  # rows and columns of an image
FIRST = np.zeros(1, np.int32)
HELPER_DELAY_S = 0.5  # of compiling, after which a second process, which takes a second to start, is worth its while
# What the other process does first of all; it imports what this one would
PROGRAM = (
    "import json, sys; task = json.load(sys.stdin); sys.path[:] = task.pop('path'); "
    "from fastdigits.training.precompile import compile_in_reverse; compile_in_reverse(**task)"
)


def compile_kernels(network: Network, batches: Batches, config: TrainConfig) -> None:
    """Run every operation of the training once, with a learning rate of 0, which changes no parameter.

    It changes running statistics, so that it must come before `network.initialise`.
    """
    with helper_process(network, config):
        run_each_kernel_once(network, batches, config)


def run_each_kernel_once(network: Network, batches: Batches, config: TrainConfig) -> None:
    """A step of the training with one image, and the forward pass of evaluation."""
    trainer = Trainer(network, batches, config, np.zeros(1, np.int32))
    trainer.shuffle(0)
    trainer.step(0, 1, 0.0)
    [(x, _, _)] = batches.over(trainer.order)
    network.forward(x)


class DeferredOps:
    """Operations that are put down instead of done, but for those of arrays and of random numbers."""

    def __init__(self, ops: Ops):
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
def helper_process(network: Network, config: TrainConfig) -> Iterator[None]:
    """A block in which another process helps to compile, where the folder and a second core are to be had."""
    if network.ops.device != "cpu" or numba_setup.threads() < 2 or not kernel_cache.lasts() or not sys.executable:
        yield
        return
    helper = began = None

    def compiling() -> None:
        nonlocal helper, began
        began = began or perf_counter()
        if helper is None and perf_counter() - began > HELPER_DELAY_S:
            with suppress(OSError):  # one process will do
                helper = _start_helper(network, config)

    try:
        with numba_setup.on_compilation(compiling):
            yield
    finally:
        if helper:
            helper.kill()
            helper.wait()


def _start_helper(network: Network, config: TrainConfig) -> subprocess.Popen:
    """The other process; no signal of the terminal reaches it."""
    silent = dict.fromkeys(("stdout", "stderr"), subprocess.DEVNULL)
    helper = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, start_new_session=True, **silent)
    task = {"path": sys.path, "network": network.config(), "config": asdict(config), "threads": numba_setup.threads()}
    with suppress(OSError), helper.stdin:  # it may have ended
        helper.stdin.write(json.dumps(task).encode())
    return helper


def warmup_steps(model: str, config: TrainConfig, ops: Ops) -> list[tuple[str, Callable[[], None]]]:
    """Compile the kernels of a network, on a device, by doing what the commands do with a single black image."""
    name = name_of(model)
    return [
        (f"{name}: training", partial(_training, model, config, ops)),
        (f"{name}: evaluation", partial(_evaluation, model, config, ops, EVALUATION_BATCH)),
        (f"{name}: single images", partial(_evaluation, model, config, inference_ops(ops, 1), 1)),
    ]


def compile_in_reverse(network: dict, config: dict, threads: int) -> None:
    """Compile what a training on the CPU needs, what takes longest first, and then the last.

    The network and the settings are as in weights files.
    """
    settings, network = TrainConfig(**config), Network.from_config(network)
    ops = DeferredOps(load("cpu", threads, settings.exact))
    _, *sides = network.input_shape
    images, labels = _black(settings.batch_size or MAX_MICRO_BATCH, *(side - 2 * settings.pad for side in sides))
    run_each_kernel_once(
        network, build_for_training(network, images, labels, np.arange(len(images)), ops, settings), settings
    )
    ops.calls.reverse()
    for call in sorted(ops.calls, key=_is_quickly_compiled):
        call()


def _is_quickly_compiled(call: partial) -> bool:
    """All but the gradients of convolutions, each of which takes seconds."""
    return not call.func.__name__.startswith("conv2d") or "backward" not in call.func.__name__


def _training(model: str, config: TrainConfig, ops: Ops) -> None:
    images, labels = _black(config.batch_size or MAX_MICRO_BATCH)
    network = _network(model, config, images)
    batches = build_for_training(network, images, labels, np.arange(len(images)), ops, config)
    compile_kernels(network, batches, config)
    network.initialise(config.seed)
    evaluate(network, batches, FIRST, config.loss)


def _evaluation(model: str, config: TrainConfig, ops: Ops, batch_size: int) -> None:
    images, labels = _black(batch_size)
    network = _network(model, config, images)
    network.build(ops, batch_size, training=False)
    network.initialise(config.seed)
    batches = Batches(ops, images, labels, batch_size, Normalisation(0.0, 1.0, config.preparation))
    evaluate(network, batches, FIRST, config.loss)
    probabilities(network, batches, FIRST)


def _black(count: int, height: int = SIDE, width: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((count, height, width), np.uint8), np.zeros(count, np.uint8)


def _network(model: str, config: TrainConfig, images: np.ndarray) -> Network:
    return network_of(model, input_shape=config.preparation.input_shape(images))
