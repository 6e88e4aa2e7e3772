"""Everything that a network needs compiled, ahead of its first use."""

from functools import partial
from typing import Any

import numpy as np

from fastdigits.config import EVALUATION_BATCH, MOST_TOGETHER, TrainConfig
from fastdigits.dataset.batches import Batches, Normalisation
from fastdigits.evaluate import evaluate, probabilities
from fastdigits.kernels import Recording, compile_kernels, do_everything
from fastdigits.models import name_of, network_of
from fastdigits.nn import Network
from fastdigits.ops import load, to_infer
from fastdigits.steps import Step
from fastdigits.train import prepare

SIDE = 28  # rows and columns of an image
FIRST = np.zeros(1, np.int32)


def steps(model: str, config: TrainConfig, ops: Any) -> list[Step]:
    """Compile the kernels of a network, on a device, by doing what the commands do with a single black image."""
    name = name_of(model)
    return [
        Step(f"{name}: training", partial(_training, model, config, ops)),
        Step(f"{name}: evaluation", partial(_evaluation, model, config, ops, EVALUATION_BATCH)),
        Step(f"{name}: single images", partial(_evaluation, model, config, to_infer(ops, 1), 1)),
    ]


def compile_backwards(network: dict, config: dict, threads: int) -> None:
    """Compile what a training on the CPU needs, what takes longest first, and then the last.

    The network and the settings are as in weights files.
    """
    settings, network = TrainConfig(**config), Network.from_config(network)
    ops = Recording(load("cpu", threads, settings.exact))
    _, *sides = network.input_shape
    images, labels = _black(settings.batch_size or MOST_TOGETHER, *(side - 2 * settings.pad for side in sides))
    do_everything(network, prepare(network, images, labels, np.arange(len(images)), ops, settings), settings)
    ops.calls.reverse()
    for call in sorted(ops.calls, key=_is_quickly_compiled):
        call()


def _is_quickly_compiled(call: partial) -> bool:
    """All but the gradients of convolutions, each of which takes seconds."""
    return not call.func.__name__.startswith("conv2d") or "backward" not in call.func.__name__


def _training(model: str, config: TrainConfig, ops: Any) -> None:
    images, labels = _black(config.batch_size or MOST_TOGETHER)
    network = _network(model, config, images)
    batches = prepare(network, images, labels, np.arange(len(images)), ops, config)
    compile_kernels(network, batches, config)
    network.initialise(config.seed)
    evaluate(network, batches, FIRST, config.loss)


def _evaluation(model: str, config: TrainConfig, ops: Any, batch_size: int) -> None:
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
