"""Measure the inference speed of a network on this machine."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastdigits.bench.machine import cpu_name
from fastdigits.bench.timing import time_in_turns
from fastdigits.data.batches import Batches
from fastdigits.inference.evaluate import Evaluation
from fastdigits.ops import inference_ops
from fastdigits.ops.interface import Ops
from fastdigits.storage.weights import SavedNetwork

ROUNDS, BUDGET_S = 11, 2.0


@dataclass(frozen=True)
class Speed:
    """The throughput of large batches in images per second, and the latency of a single image in seconds."""

    machine: str
    device: str
    images_per_second: float
    single_s: float


def measure(saved: SavedNetwork, result: Evaluation, image: np.ndarray, ops: Ops) -> Speed:
    """Compute the throughput from an evaluation, and measure the latency of a single image over many runs.

    Parameters
    ----------
    saved : SavedNetwork
    result : Evaluation
    image : uint8 (H, W)
    ops : Ops
    """
    [times] = time_in_turns([single_image(saved, image, inference_ops(ops, 1))], ROUNDS, BUDGET_S)
    return Speed(cpu_name(), ops.device, result.images / result.seconds, times.median)


def single_image(saved: SavedNetwork, image: np.ndarray, ops: Ops) -> Callable[[int], None]:
    """Return a function that computes the scores of an image uint8 (H, W) a number of times."""
    network = saved.built(ops, 1)
    batches = Batches(ops, image[np.newaxis], None, 1, saved.normalisation)
    [(x, _, _)] = batches.over(ops.upload(np.zeros(1, np.int32)))

    def run(steps: int) -> None:
        for _ in range(steps):
            scores = network.forward(x)
        ops.download(scores)  # waits for an asynchronous device

    return run
