"""The parts of scripts/gpu_report.py: each is a function that returns its results as plain JSON types.

PARTS names those that `gpu_report.py --only checks,parity` can choose from.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean, median
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np

from fastdigits import check, ops
from fastdigits.bench import comparison, gpu, machine, networks, operations, time_to_accuracy
from fastdigits.bench.workload import INFERENCE, TRAINING, Workload, check_agreement, make_workload
from fastdigits.config.recipes import AUGMENT, model_settings
from fastdigits.config.training import TrainConfig
from fastdigits.data import load_digits, load_part
from fastdigits.doctor import report as doctor
from fastdigits.errors import UserError
from fastdigits.models import network_of
from fastdigits.training.callbacks import Callback
from fastdigits.training.loop import train

STEPS = 1000  # over which memory use is compared
SIDE = 8192  # of the square matrices whose product PyTorch times
TOOLS = "memcheck", "racecheck"  # of NVIDIA's compute-sanitizer
TOOL_LIMIT_S, TESTS_LIMIT_S = 240, 480

Results = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """The settings that all parts share."""

    ops: Any
    rival: ModuleType | None
    models: tuple[str, ...]
    batch_size: int
    large: int
    runs: int
    seeds: int
    data: str
    say: Callable[[str], Any]

    def workload(self, model: str, batch_size: int) -> Workload:
        """Return a network and a batch of random images."""
        return make_workload(model, batch_size, os.cpu_count() or 1)


def facts(setup: Setup) -> Results:
    """Describe the machine like `fastdigits doctor`."""
    return doctor.examine(setup.say).to_dict()


def checks(setup: Setup) -> Results:
    """Check every op and the gradients of networks like `fastdigits check`."""
    exact = ops.load(setup.ops.device, exact=True)
    results = [result for _, run in check.steps(setup.ops, exact) for result in run()]
    failures = [f"{result.subject}: {result.failure}" for result in results if not result.passed]
    errors = [result.error_over_tolerance for result in results if result.passed]
    return {"checks": len(results), "failures": failures, "largest_error_share": max(errors, default=None)}


def parity(setup: Setup) -> Results:
    """Compare scores and gradients of whole networks with those of the CPU."""
    cpu, failures = ops.load("cpu"), []
    for model in setup.models:
        workload = setup.workload(model, setup.batch_size)
        for contender in (networks.training, networks.inference):
            try:
                check_agreement(contender(workload, cpu), contender(workload, setup.ops), workload.tolerance)
            except UserError as error:
                failures.append(str(error))
    return {"checks": 2 * len(setup.models), "failures": failures}


def graph(setup: Setup) -> Results:
    """Check that training with a recorded CUDA graph gives the same bits as launching the ops one by one."""
    if "graph" not in [field.name for field in fields(TrainConfig)]:
        return {"left_out": "this version records no CUDA graphs"}
    images, labels = load_part(setup.data, "train")
    failures = []
    for model in setup.models:
        bits = [_bits(setup, model, images[:2000], labels[:2000], recorded) for recorded in (True, False)]
        if bits[0] != bits[1]:
            failures.append(f"{model}: weights or losses differ between training with and without a graph")
    return {"checks": len(setup.models), "failures": failures}


def _bits(setup: Setup, model: str, images: np.ndarray, labels: np.ndarray, recorded: bool) -> list[bytes]:
    network = network_of(model)
    config = TrainConfig(epochs=2, batch_size=96, seed=7, augment=AUGMENT, ema=0.9, clip_norm=1.0, graph=recorded)
    history = train(network, images, labels, setup.ops, config, Callback()).epochs
    losses = np.array([epoch.train_loss for epoch in history])
    return [losses.tobytes(), *(value.tobytes() for value in network.weights().values())]


def timings(setup: Setup) -> Results:
    """Time training, and inference of one image and of many, in turns with all variants of PyTorch."""
    found = []
    for model in setup.models:
        for mode, images in ((TRAINING, setup.batch_size), (INFERENCE, 1), (INFERENCE, setup.large)):
            others = [setup.rival] if setup.rival else []
            workload = setup.workload(model, images)
            rows = comparison.measure(
                workload, mode, [setup.ops], others, setup.runs, False, setup.say, all_variants=True
            )
            found += [row.to_dict() for row in rows]
    return {"rows": found}


def steps(setup: Setup) -> Results:
    """Measure the rates of computation and memory traffic of every step of the networks, on large batches."""
    found = []
    for model in setup.models:
        setup.say(f"{model}: single steps, batch {setup.large}")
        workload = setup.workload(model, setup.large)
        found += [row.to_dict() for row in operations.measure(workload, setup.ops, None, setup.runs)]
    return {"operations": found}


def ceilings(setup: Setup) -> Results:
    """Measure the peak rates of the device, and PyTorch's rate of a large matrix product."""
    here = gpu.measure() if setup.ops.device == "cuda" else machine.measure(setup.ops)
    found = asdict(here)
    if hasattr(setup.rival, "product_seconds"):
        seconds = setup.rival.product_seconds(SIDE, SIDE, SIDE, setup.runs)
        found["product_flops"] = 2 * SIDE**3 / seconds
    return found


def accuracy(setup: Setup) -> Results:
    """Measure the seconds of training to 99 % for each seed, and those of copying the images to the device."""
    digits = load_digits(setup.data)
    start = perf_counter()
    setup.ops.download(setup.ops.upload(digits.train_images)[:1])
    upload_s = perf_counter() - start
    configs = [TrainConfig(**model_settings("fast", "fast"), seed=seed) for seed in range(setup.seeds)]
    found = time_to_accuracy.measure("fast", setup.ops, lambda: digits, 0.99, configs, setup.say)
    seconds = {"mean": fmean(seed.train_s for seed in found.seeds), "median": median(s.train_s for s in found.seeds)}
    return found.to_dict() | {"train_s": seconds, "upload_s": upload_s}


def memory(setup: Setup) -> Results:
    """Measure how much memory use grows over many training steps."""
    grown = {}
    for model in setup.models:
        contender = networks.training(setup.workload(model, setup.batch_size), setup.ops)
        contender.run(50)
        before = _used_bytes(setup.ops.device)
        contender.run(STEPS)
        grown[model] = _used_bytes(setup.ops.device) - before
    return {"steps": STEPS, "grown_bytes": grown}


def _used_bytes(device: str) -> int:
    if device == "cuda":
        import cupy

        free, total = cupy.cuda.runtime.memGetInfo()
        return total - free
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def tests(setup: Setup) -> Results:
    """Run the tests that need a GPU, if they and pytest-xdist are installed: more sizes of every op, golden losses."""
    folder = Path(__file__).parents[1] / "tests" / "cuda" / "gpu"
    if not (folder.is_dir() and importlib.util.find_spec("pytest") and importlib.util.find_spec("xdist")):
        return {"left_out": "it needs pytest, pytest-xdist and the folder tests"}
    command = [sys.executable, "-m", "pytest", "-n0", "-m", "gpu", "-p", "no:cacheprovider", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TESTS_LIMIT_S, cwd=folder.parents[2])
    except subprocess.TimeoutExpired:
        return {"checks": 1, "failures": [f"not finished after {TESTS_LIMIT_S} s"]}
    output = done.stdout[-2000:]
    return {"checks": 1, "failures": [output] if done.returncode else [], "output": output}


def sanitizer(setup: Setup) -> Results:
    """Run the checks under NVIDIA's compute-sanitizer, if it is installed."""
    program, failures = shutil.which("compute-sanitizer"), []
    if not program:
        return {"left_out": "compute-sanitizer is not on the PATH"}
    report = Path(__file__).with_name("gpu_report.py")
    checked = [sys.executable, str(report), "--device", setup.ops.device, "--only", "checks", "--json", os.devnull]
    for tool in TOOLS:
        setup.say(f"compute-sanitizer {tool}")
        command = [program, "--tool", tool, "--error-exitcode", "9", *checked]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_LIMIT_S)
        except subprocess.TimeoutExpired:
            failures.append(f"{tool}: not finished after {TOOL_LIMIT_S} s")
            continue
        if done.returncode:
            failures.append(f"{tool}: {(done.stdout + done.stderr)[-2000:]}")
    return {"checks": len(TOOLS), "failures": failures}


PARTS = {part.__name__: part for part in (facts, checks, parity, graph, ceilings, timings, accuracy, memory, steps)}
PARTS |= {"tests": tests, "sanitizer": sanitizer}  # last, because they take long
