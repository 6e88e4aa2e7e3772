"""Compile all kernels that training needs before it starts.

Numba compiles one function at a time but keeps the result in a cache folder. If compiling takes long, a helper process
compiles the kernels of the training step from the last to the first, while this process compiles them from the first
to the last. Each loads from the folder what the other has compiled.
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

from fastdigits.config.training import EVALUATION_BATCH, MAX_MICRO_BATCH, OPTIMIZERS, TrainConfig, is_custom_loss
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation
from fastdigits.inference.evaluate import evaluate, probabilities
from fastdigits.models import name_of, network_of
from fastdigits.nn import Network
from fastdigits.ops import inference_ops, load
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime import compilation, kernel_cache
from fastdigits.ops.runtime.rehearsal import Rehearsal, planned
from fastdigits.training.trainer import Trainer, build_for_training

SIDE = 28  # rows and columns of an image
FIRST_ROW = np.zeros(1, np.int32)
HELPER_DELAY_S = 0.5  # of compiling before the helper starts, which itself takes a second
# It gets this process's sys.path, so that it imports the same modules.
HELPER_PROGRAM = (
    "import json, sys; task = json.load(sys.stdin); sys.path[:] = task.pop('path'); "
    "from fastdigits.training.precompile import compile_in_reverse; compile_in_reverse(**task)"
)


def compile_kernels(network: Network, batches: Batches, config: TrainConfig, weighted: bool = False) -> None:
    """Compile the kernels that training needs, with a helper process if that takes long.

    Parameters do not change, but running statistics do: call this before `network.initialise`.

    Parameters
    ----------
    network : Network
    batches : Batches
    config : TrainConfig
    weighted : bool
        Whether the images have weights.
    """
    with helper_process(network, config), planned(partial(_rehearse, network, config, weighted)):
        run_each_kernel_once(network, batches, config, weighted)


def warmup_steps(model: str, config: TrainConfig, ops: Ops) -> list[tuple[str, Callable[[], None]]]:
    """Return (name, function) steps that compile the kernels that `train`, `eval` and `predict` need for a network.

    Parameters
    ----------
    model : str
        A network's name or a description file, as in `fastdigits train --model`.
    config : TrainConfig
    ops : Ops
    """
    name = name_of(model)
    return [
        (f"{name}: training", partial(_warm_up_training, model, config, ops)),
        (f"{name}: evaluation", partial(_warm_up_evaluation, model, config, ops, EVALUATION_BATCH)),
        (f"{name}: single images", partial(_warm_up_evaluation, model, config, inference_ops(ops, 1), 1)),
    ]


def run_each_kernel_once(network: Network, batches: Batches, config: TrainConfig, weighted: bool = False) -> None:
    """Run a training step on few images with a learning rate of 0, and the forward pass of an evaluation."""
    in_one_part = config.batch_size and config.batch_size <= batches.batch_size
    images = 1 if in_one_part else batches.batch_size + 1
    weights = np.ones(len(batches.images)) if weighted else None
    trainer = Trainer(network, batches, config, np.zeros(images, np.int32), weights)
    trainer.start_epoch(0, [0.0])
    trainer.reset_metrics()  # on a GPU, CuPy compiles a kernel for it
    trainer.step(0, images)
    with trainer.using_evaluation_weights():
        x, _, _ = next(batches.over(trainer.order))
        network.forward(x)


@contextmanager
def helper_process(network: Network, config: TrainConfig) -> Iterator[None]:
    """Start a helper process once the block has compiled for HELPER_DELAY_S; kill it at the end of the block.

    No helper starts on a GPU, or if there is only one core or no persistent cache folder.
    """
    is_custom = network.ops.device != "cpu" or _is_custom(network, config)
    if is_custom or network.ops.threads < 2 or not kernel_cache.is_writable() or not sys.executable:
        yield
        return
    helper = compiling_since = None

    def on_compilation() -> None:
        nonlocal helper, compiling_since
        compiling_since = compiling_since or perf_counter()
        if helper is None and perf_counter() - compiling_since > HELPER_DELAY_S:
            with suppress(OSError):  # if no process can be started, this one compiles everything
                helper = _start_helper(network, config)

    try:
        with compilation.on_compilation(on_compilation):
            yield
    finally:
        if helper:
            helper.kill()
            helper.wait()


def _is_custom(network: Network, config: TrainConfig) -> bool:
    """Return whether training runs code from outside of the package."""
    return network.has_custom_layers or bool(OPTIMIZERS[config.optimizer].step) or is_custom_loss(config.loss)


def _start_helper(network: Network, config: TrainConfig) -> subprocess.Popen:
    """Start HELPER_PROGRAM in a new session, so that Ctrl-C in the terminal does not reach it."""
    silent: dict[str, Any] = dict.fromkeys(("stdout", "stderr"), subprocess.DEVNULL)
    command = [sys.executable, "-c", HELPER_PROGRAM]
    helper = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, **silent)
    task = {"path": sys.path, "network": network.config(), "config": asdict(config), "threads": network.ops.threads}
    assert helper.stdin  # a pipe
    with suppress(OSError), helper.stdin:  # the helper may have ended already
        helper.stdin.write(json.dumps(task).encode())
    return helper


def compile_in_reverse(network: dict[str, Any], config: dict[str, Any], threads: int) -> None:
    """Compile the kernels that training needs on the CPU: the slowest first, the others from the last to the first.

    Parameters
    ----------
    network : dict
        Network.config().
    config : dict
        The fields of TrainConfig.
    threads : int
    """
    rehearsal, settings = Rehearsal(), TrainConfig(**config)
    _run_on_black_images(network, settings, rehearsal.defer(load("cpu", threads, settings.exact)))
    rehearsal.calls.reverse()
    for call in sorted(rehearsal.calls, key=_compiles_quickly):
        call()


def _rehearse(network: Network, config: TrainConfig, weighted: bool, rehearsal: Rehearsal) -> None:
    ops = rehearsal.defer(network.ops, custom=_is_custom(network, config))
    _run_on_black_images(network.config(), config, ops, weighted)


def _run_on_black_images(network: dict[str, Any], settings: TrainConfig, ops: Ops, weighted: bool = False) -> None:
    """Run each kernel that training needs once, in buffers of its own."""
    built = Network.from_config(network)
    _, *sides = built.input_shape
    images, labels = _black_images(settings.batch_size or MAX_MICRO_BATCH, *(side - 2 * settings.pad for side in sides))
    batches = build_for_training(built, images, labels, np.arange(len(images)), ops, settings)
    run_each_kernel_once(built, batches, settings, weighted)


def _compiles_quickly(call: partial) -> bool:
    """Return False for the gradients of convolutions, each of which takes seconds to compile, else True."""
    return not call.func.__name__.startswith("conv2d") or "backward" not in call.func.__name__


def _warm_up_training(model: str, config: TrainConfig, ops: Ops) -> None:
    images, labels = _black_images(config.batch_size or MAX_MICRO_BATCH)
    network = _network(model, config, images)
    batches = build_for_training(network, images, labels, np.arange(len(images)), ops, config)
    compile_kernels(network, batches, config)
    network.initialise(config.seed)
    evaluate(network, batches, FIRST_ROW, config.loss)


def _warm_up_evaluation(model: str, config: TrainConfig, ops: Ops, batch_size: int) -> None:
    images, labels = _black_images(batch_size)
    network = _network(model, config, images)

    def rehearse(rehearsal: Rehearsal) -> None:
        custom = is_custom_loss(config.loss) or network.has_custom_layers
        _evaluate(_network(model, config, images), images, labels, config, rehearsal.defer(ops, custom))

    with planned(rehearse):
        _evaluate(network, images, labels, config, ops)


def _evaluate(network: Network, images: np.ndarray, labels: np.ndarray, config: TrainConfig, ops: Ops) -> None:
    batch_size = len(images)
    network.build(ops, batch_size, training=False)
    network.initialise(config.seed)
    batches = Batches(ops, images, labels, batch_size, Normalisation(0.0, 1.0, config.preparation))
    evaluate(network, batches, FIRST_ROW, config.loss)
    probabilities(network, batches, FIRST_ROW)


def _black_images(count: int, height: int = SIDE, width: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((count, height, width), np.uint8), np.zeros(count, np.uint8)


def _network(model: str, config: TrainConfig, images: np.ndarray) -> Network:
    return network_of(model, input_shape=config.preparation.input_shape(images))
