"""Count what each kernel of a training step does on a GPU, without one: python scripts/gpu_budget.py

The interpreter of PTX in tests/cuda/ptx runs all blocks of every kernel, so the counts are exact for the PTX of compute
capability 9.0 that NVVM makes. They go to tests/cuda/budget.toml, and tests/cuda/test_budget.py fails if a kernel needs
more than there. Record them again after a change that is worth it, all networks or some of them:

    python scripts/gpu_budget.py
    python scripts/gpu_budget.py --model mlp --model lenet
"""

import sys
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import click

ROOT = Path(__file__).resolve().parents[1]
MODELS = "mlp", "lenet", "record", "tiny-8k", "torch-example"
BATCH_SIZE = 128
FILE = ROOT / "tests" / "cuda" / "budget.toml"
HEADER = """\
# What the kernels of a training step on {} images do, in the order of their launches, as counted by
#     python scripts/gpu_budget.py
# instructions: of all warps, without moves and loads of parameters, most of which the assembler removes; fma are those
# of them that multiply and add; sectors: of 32 bytes, that warps ask the first cache for; bytes: of memory that is read
# or written at all; concurrent: whether the kernel runs concurrently with later ones; after: position of the last
# kernel on the other branch that it waits for, if the one before it on its own branch does not. NVVM: {}
"""


class Launch(NamedTuple):
    """One launch of a kernel: how large it is, and what its blocks do together."""

    kernel: str
    blocks: int
    warps: int  # of a block
    instructions: int
    fma: int
    sectors: int
    bytes: int
    concurrent: bool = False  # on the second branch of the step
    after: int | None = None  # position of the last launch of the other branch that this one waits for


Budget = dict[str, list[Launch]]  # by network
COUNTS = "instructions", "fma", "sectors", "bytes"


def read(file: Path = FILE) -> Budget:
    """Read the counts of each network from a file."""
    tables = tomllib.loads(file.read_text())
    return {model: [Launch(**one) for one in launches] for model, launches in tables.items()}


def write(budget: Budget, release: str, file: Path = FILE) -> None:
    """Write the counts of each network to a file, a line for each launch."""
    lines = [HEADER.format(BATCH_SIZE, release)]
    for model, launches in budget.items():
        lines += [f"{model} = [", *(f"    {_as_toml(launch)}," for launch in launches), "]", ""]
    file.write_text("\n".join(lines))


def _as_toml(launch: Launch) -> str:
    values = {"kernel": f'"{launch.kernel}"'}
    values |= {name: f"{getattr(launch, name):_}" for name in ("blocks", "warps", *COUNTS)}
    values |= {"concurrent": "true"} if launch.concurrent else {}
    values |= {} if launch.after is None else {"after": str(launch.after)}
    return "{ " + ", ".join(f"{name} = {value}" for name, value in values.items()) + " }"


def count(model: str) -> list[Launch]:
    """Run a recorded training step in the interpreter and count what each launch does."""
    from gpu_step import TrainingStep
    from ptx.gpu import interpreted

    from fastdigits import ops
    from fastdigits.ops.cuda import device, graph

    with interpreted(counts_memory=True) as gpu:
        step = TrainingStep(model, ops.load("cuda"), BATCH_SIZE, graph=False)
        run = step.trainer.run_step
        step.trainer.run_step = lambda images, times: graph.record(run, images).launch(device.stream())
        gpu.launches.clear()
        step()
        return [_launch(done) for done in gpu.launches]


def _launch(done) -> Launch:
    """Return the counts of a launch that the interpreter has run."""
    found = done.instructions
    instructions = sum(found.values()) - found["move"] - found["parameter"]
    sectors = done.memory["global load sectors"] + done.memory["global store sectors"]
    blocks, threads = (size[0] * size[1] * size[2] for size in (done.grid, done.block))
    counts = instructions, found["fma"], sectors, done.touched_bytes
    return Launch(done.name, blocks, threads // 32, *counts, done.place.stream > 0, done.place.after)


def by_kernel(launches: Iterable[Launch]) -> dict[str, Counter[str]]:
    """Add up the counts of the launches of each kernel."""
    found: dict[str, Counter[str]] = {}
    for launch in launches:
        found.setdefault(launch.kernel, Counter()).update({name: getattr(launch, name) for name in COUNTS})
    return found


def risen(before: Iterable[Launch], now: Iterable[Launch], factor: float) -> list[str]:
    """Return a sentence for each count of a kernel that is more than `factor` times that before."""
    old, new = by_kernel(before), by_kernel(now)
    return [
        f"{kernel}: {counts[name]:,} {name} in a step, {old.get(kernel, Counter())[name]:,} recorded"
        for kernel, counts in new.items()
        for name in ("instructions", "sectors")
        if counts[name] > factor * old.get(kernel, Counter())[name]
    ]


@click.command()
@click.option("--model", "models", multiple=True, default=MODELS, show_default=True, type=click.Choice(MODELS))
def main(models: tuple[str, ...]) -> None:
    """Record the counts of all networks, or of some, in tests/cuda/budget.toml."""
    sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / folder) for folder in ("cuda", "helpers"))]
    from fastdigits.ops.cuda import ptx

    budget = read() if FILE.exists() else {}
    for model in MODELS:
        if model in models:
            click.echo(f"counting {model} ...", err=True)
            budget[model] = count(model)
    release = next(line for line in ptx.nvvm_release().splitlines() if "release" in line)
    write({model: budget[model] for model in MODELS if model in budget}, release.strip("/ "))


if __name__ == "__main__":
    main()
