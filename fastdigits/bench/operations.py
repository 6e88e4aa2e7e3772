"""What share of the machine each step of a network reaches, forwards and backwards."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from statistics import median
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np

from fastdigits.bench.networks import built, packed, packed_labels
from fastdigits.bench.timing import quartiles, timed, wait_until_idle
from fastdigits.bench.workload import Workload
from fastdigits.config.training import LOSSES
from fastdigits.nn import Network
from fastdigits.nn.layers import Flatten, Layer, TrainingStep
from fastdigits.nn.sequence import first_learning
from fastdigits.ops.interface import Ops
from fastdigits.training.optimizer import Optimizer

RUNS = 50


@dataclass(frozen=True)
class Operation:
    """One step of a network; `flops` and `moved_bytes` are what it must compute and carry to and from memory.

    `rival_gflops` is the rate of another library's matrix product of the same size, where one was asked for.
    """

    model: str
    batch_size: int
    device: str
    step: str
    direction: str
    median_s: float
    quartiles_s: tuple[float, float]
    flops: int
    moved_bytes: int
    rival_gflops: float | None = None

    @property
    def gflops(self) -> float:
        """Floating-point operations in nanoseconds."""
        return self.flops / self.median_s / 1e9

    @property
    def gigabytes_per_second(self) -> float:
        """Of the arrays read and written, wherever they lie."""
        return self.moved_bytes / self.median_s / 1e9

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON types."""
        return asdict(self) | {"gflops": self.gflops, "gigabytes_per_second": self.gigabytes_per_second}


def measure(workload: Workload, ops: Ops, rival: ModuleType | None, runs: int = RUNS) -> list[Operation]:
    """Time every step of a network on a device, its loss and its optimiser.

    Parameters
    ----------
    workload : Workload
    ops : Ops
    rival : module, optional
        Of bench.rivals, with `product_seconds`, for the rate of its matrix product of each layer's size.
    runs : int
        Of which the median counts.
    """
    network, found = built(workload, ops, training=True), []
    for work in chain(_layers(workload, network, ops), _others(workload, network, ops)):
        product = work.flops / rival.product_seconds(*work.product, runs) / 1e9 if rival and work.product else None
        seconds = _seconds(work.call, runs, ops, network)
        found.append(
            Operation(
                model=workload.model,
                batch_size=len(workload.images),
                device=ops.device,
                step=work.step,
                direction=work.direction,
                median_s=median(seconds),
                quartiles_s=quartiles(seconds),
                flops=work.flops,
                moved_bytes=work.moved_bytes,
                rival_gflops=product,
            )
        )
    return found


@dataclass(frozen=True)
class _Work:
    """What is to be timed; `product` is (rows, inner size, columns) of the matrix product that it amounts to."""

    step: str
    direction: str
    call: Callable[[], Any]
    flops: int
    moved_bytes: int
    product: tuple[int, int, int] | None = None


def _layers(workload: Workload, network: Network, ops: Ops) -> Iterator[_Work]:
    """The layers, forwards and backwards, each with the output of the one before."""
    x, batch = packed(ops, workload.images), len(workload.images)
    training = TrainingStep(batch, ops.zeros((1,), np.int64), seed=0)
    for number, layer in enumerate(network.steps):
        y = layer.forward(x, training)
        if not isinstance(layer, Flatten):  # which computes nothing
            name, deeper = _name(layer, network), number > first_learning(network.steps)
            flops, product = 2 * batch * layer.multiply_adds(), _product(layer, batch)
            yield _Work(name, "forward", partial(layer.forward, x, training), flops, x.nbytes + y.nbytes, product)
            if layer.parameters or deeper:
                backward = partial(layer.backward, ops.upload(y), deeper)
                yield _Work(name, "backward", backward, flops * (1 + deeper), y.nbytes + x.nbytes * (1 + deeper))
        x = ops.upload(y)


def _others(workload: Workload, network: Network, ops: Ops) -> Iterator[_Work]:
    """What a training step does besides the layers: loss and optimiser."""
    config, images = workload.recipe, len(workload.images)
    scores = ops.upload(network.forward(packed(ops, workload.images)))
    targets, dscores = packed_labels(ops, workload.labels), ops.empty(scores.shape)
    losses = ops.empty(targets.shape)
    given = scores, targets, images, float(config.label_smoothing)
    loss = partial(getattr(ops, LOSSES[config.loss]), *given, losses, dscores)
    yield _Work(config.loss, "", loss, 0, 2 * (scores.nbytes + targets.nbytes))
    optimizer, buffer = Optimizer(ops, config, network.buffer), network.buffer
    read_and_written = sum(array.nbytes for array in (buffer.values, *optimizer.state_arrays))
    step = partial(optimizer.step, 0.0)
    yield _Work(config.optimizer, "", step, 0, buffer.gradients.nbytes + 2 * read_and_written)


def _seconds(call: Callable[[], Any], runs: int, ops: Ops, network: Network) -> list[float]:
    """The times of several calls; those before, which may compile and wake threads, do not count."""

    def step(_: int) -> None:
        call()
        ops.download(network.buffer.values[:1])  # waits for a device that works by itself

    step(1)
    wait_until_idle()
    step(1)
    return [timed(step, 1, perf_counter) for _ in range(runs)]


def _name(layer: Layer, network: Network) -> str:
    """That of the step's first layer in the network, and the kinds of those that it does along with it."""
    first, *others = getattr(layer, "parts", [layer])
    name = next(name for name, part in zip(network.names, network.layers, strict=True) if part is first)
    return "+".join(
        [name, *(type(part).__name__.lower() for part in others), *(["relu"] if layer.applies_relu else [])]
    )


def _product(layer: Layer, batch: int) -> tuple[int, int, int] | None:
    """(rows, inner size, columns) of the matrix product that this layer's forward pass amounts to, if it is one."""
    if not layer.parameters or not layer.multiply_adds() or layer.children()[1]:
        return None
    weight = layer.parameters[0]
    rows, inner = weight.shape[0], weight.size // weight.shape[0]
    return rows, inner, batch * layer.multiply_adds() // (rows * inner)
