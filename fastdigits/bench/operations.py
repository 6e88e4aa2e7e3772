"""Time the forward and the backward pass of each step of a network, to compare them with the hardware's peak rates."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from statistics import median
from types import ModuleType
from typing import Any

import numpy as np

from fastdigits.bench.networks import build_network, pack_images, pack_labels
from fastdigits.bench.timing import quartiles, time_in_turns
from fastdigits.bench.workload import Workload
from fastdigits.config.training import loss_on
from fastdigits.nn import Network
from fastdigits.nn.layers import Flatten, TrainingStep
from fastdigits.nn.sequence import Step, first_trainable
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime.rehearsal import Rehearsal, planned
from fastdigits.training.optimizer import Optimizer

RUNS = 15
BUDGET_S = 1.0  # for each step


@dataclass(frozen=True)
class Operation:
    """The times of one step of a network.

    `flops` is the number of floating-point operations in the step's formula, `moved_bytes` the total size of the arrays
    that it must read and write. `rival_gflops` is the rate of another library's matrix product of the same size, or
    None.
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
        """10^9 floating-point operations per second."""
        return self.flops / self.median_s / 1e9

    @property
    def gigabytes_per_second(self) -> float:
        """10^9 bytes read and written per second, from whichever level of memory."""
        return self.moved_bytes / self.median_s / 1e9

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON types."""
        return asdict(self) | {"gflops": self.gflops, "gigabytes_per_second": self.gigabytes_per_second}


def measure(workload: Workload, ops: Ops, rival: ModuleType | None, runs: int = RUNS) -> list[Operation]:
    """Time every step of a network on a device, its loss and its optimizer.

    Parameters
    ----------
    workload : Workload
    ops : Ops
    rival : module, optional
        From `bench.rivals`, with `product_seconds`: its matrix product is timed for the size of each layer.
    runs : int
        Number of rounds for each step, at most.
    """

    def rehearse(rehearsal: Rehearsal) -> None:
        deferred = rehearsal.defer(ops, workload.network.has_custom_layers)
        for work in _all_work(workload, build_network(workload, deferred, training=True), deferred):
            work.call()

    with planned(rehearse):
        network = build_network(workload, ops, training=True)
        return [_measured(work, workload, network, ops, rival, runs) for work in _all_work(workload, network, ops)]


@dataclass(frozen=True)
class _Work:
    """A call to time; `product` is (rows, inner size, columns) of the matrix product that it is equivalent to."""

    step: str
    direction: str
    call: Callable[[], Any]
    flops: int
    moved_bytes: int
    product: tuple[int, int, int] | None = None


def _measured(
    work: _Work, workload: Workload, network: Network, ops: Ops, rival: ModuleType | None, runs: int
) -> Operation:
    product = work.flops / rival.product_seconds(*work.product, runs) / 1e9 if rival and work.product else None
    seconds = _seconds(work.call, runs, ops, network)
    return Operation(
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


def _all_work(workload: Workload, network: Network, ops: Ops) -> Iterator[_Work]:
    return chain(_layers(workload, network, ops), _loss_and_optimizer(workload, network, ops))


def _layers(workload: Workload, network: Network, ops: Ops) -> Iterator[_Work]:
    """Yield the forward and backward pass of each layer, applied to the output of the previous layer."""
    x, batch = pack_images(ops, workload.images), len(workload.images)
    training = TrainingStep(batch, ops.zeros((1,), np.int64), seed=0)
    for number, layer in enumerate(network.steps):
        y = layer.forward(x, training)
        if not isinstance(layer, Flatten):  # a reshape, which computes nothing
            name, has_dx = _name(layer, network), number > first_trainable(network.steps)
            flops, product = 2 * batch * layer.multiply_adds(), _product(layer, batch)
            yield _Work(name, "forward", partial(layer.forward, x, training), flops, x.nbytes + y.nbytes, product)
            if layer.parameters or has_dx:
                backward = partial(layer.backward, ops.upload(y), has_dx)
                yield _Work(name, "backward", backward, flops * (1 + has_dx), y.nbytes + x.nbytes * (1 + has_dx))
        x = ops.upload(y)


def _loss_and_optimizer(workload: Workload, network: Network, ops: Ops) -> Iterator[_Work]:
    """Yield the loss and the optimizer step."""
    config, images = workload.recipe, len(workload.images)
    scores = ops.upload(network.forward(pack_images(ops, workload.images)))
    targets, dscores = pack_labels(ops, workload.labels), ops.empty(scores.shape)
    losses = ops.empty(targets.shape)
    loss = partial(
        loss_on(ops, config.loss),
        scores=scores,
        targets=targets,
        count=images,
        smoothing=float(config.label_smoothing),
        loss=losses,
        dscores=dscores,
    )
    yield _Work(config.loss, "", loss, 0, 2 * (scores.nbytes + targets.nbytes))
    optimizer, buffer = Optimizer(ops, config, network.buffer), network.buffer
    read_and_written = sum(array.nbytes for array in (buffer.values, *optimizer.state_arrays))
    step = partial(optimizer.step, 0.0)
    yield _Work(config.optimizer, "", step, 0, buffer.values.nbytes + 2 * read_and_written)


def _seconds(call: Callable[[], Any], runs: int, ops: Ops, network: Network) -> list[float]:
    """Return the seconds per call in each of several rounds; an operation alone is too short to wake threads for."""

    def run(steps: int) -> None:
        for _ in range(steps):
            call()
        ops.download(network.buffer.values[:1])  # waits for an asynchronous device

    (times,) = time_in_turns([run], runs, BUDGET_S)
    return times.seconds


def _name(step: Step, network: Network) -> str:
    """Return the name of the step's first layer in the network, followed by the kinds of the layers fused with it."""
    first, *others = step.parts
    name = next(name for name, part in zip(network.names, network.layers, strict=True) if part is first)
    return "+".join([name, *(type(part).__name__.lower() for part in others)])


def _product(step: Step, batch: int) -> tuple[int, int, int] | None:
    """Return (rows, inner size, columns) of the matrix product equivalent to the step's forward pass, if any."""
    if not step.parameters or not step.multiply_adds() or step.parts[0].children()[1]:
        return None
    weight = step.parameters[0]
    rows, inner = weight.shape[0], weight.size // weight.shape[0]
    return rows, inner, batch * step.multiply_adds() // (rows * inner)
