"""Time recorded training steps on a GPU with CUDA events, and compare the times with those that gpu_model predicts."""

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import gpu_budget
import gpu_model
from gpu_step import TrainingStep

from fastdigits.ops.cuda import device, graph, launch

SAMPLES = 5  # of each time, whose median counts
REPLAYS = 200  # of a recorded step in a sample
HOST_STEPS = 100  # few enough for the GPU's queue, which makes the host wait when it is full
KERNEL_REPEATS = 20  # of one kernel in a graph of its own
KERNEL_REPLAYS = 10  # of that graph in a sample


def measure(model: str, ops: Any, batch_size: int) -> dict[str, Any]:
    """Return the microseconds of a replayed training step and of each of its kernels, measured and predicted.

    Returns
    -------
    dict
        "gpu_us", the time between two events around many steps; "host_us", that of the host to start a step;
        "step_us", that of a step with both; "predicted_us", or None if the step's kernels are not those of the budget;
        and "kernels", a list with the name, blocks, warps, us, predicted_us and bound of each.
    """
    step = TrainingStep(model, ops, batch_size)
    while not step.is_recorded():
        step()
    found: dict[str, Any] = {"gpu_us": event_us(step, REPLAYS)}
    found["host_us"], found["step_us"] = _host_us(step)
    launches = step.launches()
    counted, gpu = _counted(model, batch_size, launches), gpu_model.this_gpu()
    predicted = [gpu_model.predict(one, gpu) for one in counted] or [None] * len(launches)
    found["kernels"] = [_kernel(launched, one) for launched, one in zip(launches, predicted, strict=True)]
    found["predicted_us"] = gpu_model.step_us(counted, gpu) if counted else None
    return found


def event_us(work: Callable[[], Any], repeats: int) -> float:
    """Return the microseconds between two events around `repeats` calls of work(), for each call."""
    events = device.arrays().cuda
    work()  # loads what it needs
    samples = []
    for _ in range(SAMPLES):
        first, last = events.Event(), events.Event()
        first.record(device.stream())
        for _ in range(repeats):
            work()
        last.record(device.stream())
        last.synchronize()
        samples.append(1000 * events.get_elapsed_time(first, last) / repeats)
    return median(samples)


def _host_us(step: TrainingStep) -> tuple[float, float]:
    """Return the microseconds that the host needs to start a step, and those of a step until the device is done."""
    started, finished = [], []
    for _ in range(SAMPLES):
        step.wait()
        start = perf_counter()
        for _ in range(HOST_STEPS):
            step()
        started.append(perf_counter() - start)
        step.wait()
        finished.append(perf_counter() - start)
    return median(started) / HOST_STEPS * 1e6, median(finished) / HOST_STEPS * 1e6


def _counted(model: str, batch_size: int, launches: list[tuple]) -> list[gpu_budget.Launch]:
    """Return the counts of the launches, or nothing if the budget does not count these."""
    counted = gpu_budget.read().get(model, [])
    names = [kernel.function.__name__ for kernel, _, _ in launches]
    if batch_size != gpu_budget.BATCH_SIZE or [one.kernel for one in counted] != names:
        return []
    return counted


def _kernel(launched: tuple, predicted: gpu_model.Prediction | None) -> dict[str, Any]:
    """Time a kernel in a graph of many launches of it, so that the host does not slow it down."""
    kernel, grid, arguments = launched
    many = graph.record(lambda: [launch.start(kernel, grid, arguments) for _ in range(KERNEL_REPEATS)])
    us = event_us(lambda: many.launch(device.stream()), KERNEL_REPLAYS) / KERNEL_REPEATS
    found = {"kernel": kernel.function.__name__, "grid": list(grid), "warps": kernel.block[1], "us": us}
    return found | {"predicted_us": predicted and predicted.us, "bound": predicted and predicted.bound}
