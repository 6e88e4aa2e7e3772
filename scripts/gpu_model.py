"""Predict how long the kernels of a training step take on a GPU: python scripts/gpu_model.py

These are predictions, not measurements: no GPU has run the kernels. The counts of tests/cuda/budget.toml are exact, but
of PTX, of which the assembler makes other instructions, and EFFICIENCY and the times of a launch are assumed. A kernel
takes as long as the slowest of these, on the multiprocessor with the most blocks, whose share of the work is
ceil(blocks / multiprocessors) / blocks:

    issue     instructions x share / (schedulers x EFFICIENCY x clock)
    fma       multiply-adds x share / (those that a multiprocessor starts per clock x clock)
    cache     sectors x share / (SECTORS_PER_CLOCK x clock)
    memory    bytes / bandwidth, as if no cache kept anything from one kernel to the next
    latency   the shortest time of a kernel

Instructions are those of whole warps. A scheduler starts one per clock; a multiprocessor has 4, of which a single block
of fewer warps uses fewer. A gap follows each kernel. A step has two branches: a kernel starts after the one before it
on its branch, and after the one of the other branch that it waits for. Kernels that run at the same time share the GPU:
if together they need more than all of its instructions, multiply-adds, cache or memory, both slow down by as much. That
waiting for the other branch costs no more than waiting within one is assumed, too.
`scripts/gpu_report.py` compares these times with measured ones.
"""

from itertools import pairwise
from typing import NamedTuple

import click
import gpu_budget
from gpu_budget import Launch

EFFICIENCY = 0.6  # of the clocks of a scheduler in which a warp is ready; assumed
SCHEDULERS = 4  # of a multiprocessor since Volta (CUDA C++ Programming Guide, compute capabilities)
SECTORS_PER_CLOCK = 4  # of the first cache, 128 bytes (same guide)
HALF_AS_MANY_CORES = {(7, 0), (7, 5), (8, 0)}  # compute capabilities with 64 float32 cores instead of 128 (same guide)


class Gpu(NamedTuple):
    """The rates of a GPU."""

    name: str
    multiprocessors: int
    gigahertz: float
    fma_per_clock: int  # of whole warps, in a multiprocessor: its float32 cores / 32
    gigabytes_per_second: float
    latency_us: float = 1.2  # of a kernel that does almost nothing; assumed
    gap_us: float = 1.3  # between two kernels of a graph; assumed
    source: str = ""


GPUS = {
    gpu.name: gpu
    for gpu in (
        Gpu("H200", 132, 1.98, 4, 4800, source="NVIDIA's data sheet: 67 TFLOP/s of float32 on 16,896 cores, 4.8 TB/s"),
        Gpu("RTX 4070", 46, 2.475, 4, 504, source="NVIDIA's page: 5,888 cores, boost clock 2.475 GHz, 504 GB/s"),
        Gpu("T4", 40, 1.59, 2, 320, 1.8, 1.9, "NVIDIA's data sheet: 8.1 TFLOP/s of float32 on 2,560 cores, 320 GB/s"),
    )
}


class Prediction(NamedTuple):
    """The predicted microseconds of a kernel with the gap after it, if it runs alone, and what takes longest."""

    us: float
    bound: str


def predict(launch: Launch, gpu: Gpu) -> Prediction:
    """Return how long a launch takes on a GPU, and what limits it."""
    busiest = -(-launch.blocks // gpu.multiprocessors)  # blocks of one multiprocessor
    share, schedulers = busiest / launch.blocks, min(SCHEDULERS, busiest * launch.warps)
    clocks = {
        "issue": launch.instructions * share / schedulers / EFFICIENCY,
        "fma": launch.fma * share / min(gpu.fma_per_clock, schedulers),
        "cache": launch.sectors * share / SECTORS_PER_CLOCK,
    }
    us = {bound: count / gpu.gigahertz / 1e3 for bound, count in clocks.items()}
    us |= {"memory": launch.bytes / gpu.gigabytes_per_second / 1e3, "latency": gpu.latency_us}
    bound = max(us, key=us.__getitem__)
    return Prediction(us[bound] + gpu.gap_us, bound)


def step_us(launches: list[Launch], gpu: Gpu) -> float:
    """Return how long the launches of a step take, some of which run at the same time."""
    left = [predict(launch, gpu).us - gpu.gap_us for launch in launches]  # microseconds of each if it runs alone
    loads = [_load(launch, gpu, us) for launch, us in zip(launches, left, strict=True)]
    branches = [
        [n for n, launch in enumerate(launches) if launch.concurrent == concurrent] for concurrent in (False, True)
    ]
    before = [{launch.after} - {None} for launch in launches]
    for branch in branches:
        for n, next_ in pairwise(branch):
            before[next_].add(n)
    now, ends = 0.0, dict[int, float]()  # ends of launches, with the gap after each
    while any(branches):
        ready = [branch[0] for branch in branches if branch and before[branch[0]] <= ends.keys()]
        starts = {n: max((ends[other] for other in before[n]), default=0.0) for n in ready}
        running = [n for n in ready if starts[n] <= now]
        slower = max([1.0, *map(sum, zip(*(loads[n] for n in running), strict=True))])
        finishes = {n: now + left[n] * slower for n in running}
        until = min([*finishes.values(), *(start for start in starts.values() if start > now)])
        for n, finish in finishes.items():
            left[n] -= (until - now) / slower
            if finish <= until:
                ends[n] = until + gpu.gap_us
                branches[launches[n].concurrent].remove(n)
        now = until
    return max(ends.values())


def _load(launch: Launch, gpu: Gpu, us: float) -> tuple[float, ...]:
    """Return which parts of all instructions, multiply-adds, sectors and bytes of a GPU a launch needs in its time."""
    clocks = us * gpu.gigahertz * 1e3 * gpu.multiprocessors
    return (
        launch.instructions / (SCHEDULERS * EFFICIENCY * clocks),
        launch.fma / (gpu.fma_per_clock * clocks),
        launch.sectors / (SECTORS_PER_CLOCK * clocks),
        launch.bytes / (gpu.gigabytes_per_second * 1e3 * us),
    )


def this_gpu() -> Gpu:
    """Return the rates of the GPU of this machine, as its driver reports them."""
    from fastdigits.ops.cuda import device

    attributes = device.arrays().cuda.Device().attributes
    return Gpu(
        "this GPU",
        attributes["MultiProcessorCount"],
        attributes["ClockRate"] / 1e6,
        2 if device.capability() in HALF_AS_MANY_CORES else 4,
        2 * attributes["MemoryClockRate"] * attributes["GlobalMemoryBusWidth"] / 8e6,  # 2 bits per clock
        source="its driver",
    )


def as_text(budget: gpu_budget.Budget, gpus: list[Gpu]) -> str:
    """Return the table of all kernels and steps."""
    lines = [
        "Predicted, not measured: microseconds of each kernel of a training step, with the gap after it,",
        f"batch {gpu_budget.BATCH_SIZE}, and what limits the kernel; see the formula in scripts/gpu_model.py.",
        "Kernels after | run concurrently with those that follow them.",
        *(f"{gpu.name}: {gpu.multiprocessors} multiprocessors, {gpu.gigahertz} GHz; {gpu.source}" for gpu in gpus),
    ]
    for model, launches in budget.items():
        lines += ["", f"{model:34}{'blocks':>11}{'M instr.':>9}{'fma':>6}" + "".join(f"{g.name:>18}" for g in gpus)]
        predictions = [[predict(launch, gpu) for gpu in gpus] for launch in launches]
        for launch, row in zip(launches, predictions, strict=True):
            size, fma = f"{launch.blocks} x {launch.warps}", launch.fma / launch.instructions
            name = f"| {launch.kernel}" if launch.concurrent else launch.kernel
            cells = "".join(f"{one.us:10.1f} {one.bound:7}" for one in row)
            lines.append(f"  {name:32}{size:>11}{launch.instructions / 1e6:9.3f}{fma:6.0%}{cells}")
        instructions, fma = (sum(getattr(launch, name) for launch in launches) for name in ("instructions", "fma"))
        cells = _totals([step_us(launches, gpu) for gpu in gpus])
        lines.append(f"  {'step':32}{'':11}{instructions / 1e6:9.3f}{fma / instructions:6.0%}{cells}")
        one_after_another = [sum(row[n].us for row in predictions) for n in range(len(gpus))]
        lines.append(f"  {'one kernel after another':58}{_totals(one_after_another)}")
    return "\n".join(lines)


def _totals(us: list[float]) -> str:
    return "".join(f"{total:10.1f}{'':8}" for total in us)


@click.command()
@click.option("--model", "models", multiple=True, help="Only these networks.")
@click.option("--gpu", "names", multiple=True, type=click.Choice(list(GPUS)), default=list(GPUS), show_default=True)
def main(models: tuple[str, ...], names: tuple[str, ...]) -> None:
    """Predict the microseconds of each kernel of a training step on some GPUs."""
    budget = gpu_budget.read()
    chosen = {model: launches for model, launches in budget.items() if model in models or not models}
    click.echo(as_text(chosen, [GPUS[name] for name in names]))


if __name__ == "__main__":
    main()
