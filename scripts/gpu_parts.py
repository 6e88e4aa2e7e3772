"""The parts of scripts/gpu_report.py, which runs this file once for each: gpu_parts.py NAME RESULTS_FILE SETTINGS.

Each part is a function that yields all its results so far, as plain JSON types, whenever there are more of them. They
are written at once, so that they are not lost if the part fails later or takes too long.
"""

import gc
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median
from time import perf_counter
from types import ModuleType
from typing import Any

import gpu_replay
import numpy as np

from fastdigits import check, ops
from fastdigits.bench import comparison, gpu, machine, networks, operations, rivals, time_to_accuracy
from fastdigits.bench.workload import INFERENCE, TRAINING, Workload, check_agreement, make_workload
from fastdigits.config.recipes import AUGMENT, model_settings
from fastdigits.config.training import TrainConfig
from fastdigits.data import load_digits, load_part
from fastdigits.doctor import report as doctor
from fastdigits.errors import UserError
from fastdigits.files import write_atomically
from fastdigits.models import network_of
from fastdigits.training.callbacks import Callback
from fastdigits.training.loop import train

FOLDER = Path(__file__).resolve().parent
RIVALS = {"cuda": "torch-cuda", "cpu": "torch"}
STEPS = 1000  # over which memory use is compared
SIDE = 8192  # of the square matrices whose product PyTorch times
TOOLS = "memcheck", "racecheck"  # of NVIDIA's compute-sanitizer
WATCHED = "lenet"  # the network whose kernels the tools watch
SECTIONS = "SpeedOfLight", "Occupancy", "WarpStateStats"  # of NVIDIA's ncu
KERNELS = 40  # that ncu watches, for each of which it takes a second
TARGET = 0.99
# One epoch reaches 99 % with these settings; those of `record` were chosen with 10,000 training images held out.
TO_TARGET: dict[str, dict[str, Any]] = {
    "fast": model_settings("fast", "fast"),
    "record": model_settings("fast", "fast") | {"lr": 0.006},
}

Results = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """The settings that all parts share."""

    device: str
    models: tuple[str, ...]
    batch_size: int
    large: int
    runs: int
    seeds: int
    data: str

    @property
    def ops(self) -> Any:
        """The operations of the device."""
        return ops.load(self.device)

    def workload(self, model: str, batch_size: int) -> Workload:
        """Return a network and a batch of random images."""
        return make_workload(model, batch_size, os.cpu_count() or 1)

    def rival(self) -> ModuleType | None:
        """Return PyTorch's module of `bench.rivals`, which must be loaded before our ops; None if it is missing."""
        try:
            return rivals.load(RIVALS[self.device])
        except UserError as error:
            say(str(error))
            return None


def facts(setup: Setup) -> Iterator[Results]:
    """Describe the machine like `fastdigits doctor`, and run a kernel."""
    yield doctor.examine(say).to_dict()
    if reason := ops.why_unavailable(setup.device):
        raise UserError(f"The device '{setup.device}' cannot be used: {reason}.")


def compilation(setup: Setup) -> Iterator[Results]:
    """Compile the kernels of the networks like `fastdigits warmup`, in a process for each, all at once."""
    start, found = perf_counter(), {"failures": [], "seconds_of": {}}
    waiting = {}
    for model in dict.fromkeys((*setup.models, *TO_TARGET)):
        command = [sys.executable, "-m", "fastdigits", "warmup", "--device", setup.device, "--model", model]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        waiting[model] = subprocess.Popen(command, text=True, **pipes)
    for model, process in waiting.items():
        _, said = process.communicate()
        found["seconds_of"][model] = perf_counter() - start
        if process.returncode:
            found["failures"].append(f"{model}: {said[-2000:]}")
        yield found | {"checks": len(found["seconds_of"])}


def checks(setup: Setup) -> Iterator[Results]:
    """Check every op and the gradients of networks like `fastdigits check`."""
    exact = ops.load(setup.device, exact=True)
    found, errors = {"checks": 0, "failures": []}, []
    for _, run in check.steps(setup.ops, exact):
        results = run()
        found["checks"] += len(results)
        found["failures"] += [f"{result.subject}: {result.failure}" for result in results if not result.passed]
        errors += [result.error_over_tolerance for result in results if result.passed]
        yield found | {"largest_error_share": max(errors, default=None)}


def parity(setup: Setup) -> Iterator[Results]:
    """Compare scores and gradients of whole networks with those of the CPU."""
    cpu, found = ops.load("cpu"), {"checks": 0, "failures": []}
    for model in setup.models:
        workload = setup.workload(model, setup.batch_size)
        for contender in (networks.training, networks.inference):
            try:
                check_agreement(contender(workload, cpu), contender(workload, setup.ops), workload.tolerance)
            except UserError as error:
                found["failures"].append(str(error))
            found["checks"] += 1
            yield found


def graph(setup: Setup) -> Iterator[Results]:
    """Check that training with a recorded CUDA graph gives the same bits as launching the ops one by one."""
    images, labels = load_part(setup.data, "train")
    found = {"checks": 0, "failures": []}
    for model in setup.models:
        bits = [_bits(setup, model, images[:2000], labels[:2000], recorded) for recorded in (True, False)]
        if bits[0] != bits[1]:
            found["failures"].append(f"{model}: weights or losses differ between training with and without a graph")
        found["checks"] += 1
        yield found


def _bits(setup: Setup, model: str, images: np.ndarray, labels: np.ndarray, recorded: bool) -> list[bytes]:
    network = network_of(model)
    config = TrainConfig(epochs=2, batch_size=96, seed=7, augment=AUGMENT, ema=0.9, clip_norm=1.0, graph=recorded)
    history = train(network, images, labels, setup.ops, config, Callback()).epochs
    losses = np.array([epoch.train_loss for epoch in history])
    return [losses.tobytes(), *(value.tobytes() for value in network.weights().values())]


def replay(setup: Setup) -> Iterator[Results]:
    """Time recorded training steps and each of their kernels with CUDA events, next to the predicted times."""
    if setup.device != "cuda":
        yield {"left_out": "only a GPU has graphs and events"}
        return
    found = {"batch_size": setup.batch_size, "steps": {}}
    for model in setup.models:
        say(f"{model}: replayed steps, batch {setup.batch_size}")
        found["steps"][model] = gpu_replay.measure(model, setup.ops, setup.batch_size)
        yield found
        free_memory()


def timings(setup: Setup) -> Iterator[Results]:
    """Time training, and inference of one image and of many, in turns with all variants of PyTorch."""
    rival, found = setup.rival(), []
    others = [rival] if rival else []
    for mode, images in ((TRAINING, setup.batch_size), (INFERENCE, 1), (INFERENCE, setup.large)):
        for model in setup.models:
            workload = setup.workload(model, images)
            rows = comparison.measure(workload, mode, [setup.ops], others, setup.runs, False, say, all_variants=True)
            found += [row.to_dict() for row in rows]
            yield {"rows": found}
            free_memory()


def free_memory() -> None:
    """Give the device's memory back that CuPy and PyTorch keep for later, each for itself."""
    gc.collect()  # PyTorch's graphs keep their memory as long as they live
    if "cupy" in sys.modules:
        sys.modules["cupy"].get_default_memory_pool().free_all_blocks()
    if "torch" in sys.modules and sys.modules["torch"].cuda.is_available():
        sys.modules["torch"].cuda.empty_cache()


def accuracy(setup: Setup) -> Iterator[Results]:
    """Measure the seconds of training to 99 % for each seed, and those of copying the images to the device."""
    digits, device = load_digits(setup.data), setup.ops
    start = perf_counter()
    device.download(device.upload(digits.train_images)[:1])
    found = {"upload_s": perf_counter() - start, "networks": {}}
    for model, settings in TO_TARGET.items():
        configs = [TrainConfig(**settings, seed=seed) for seed in range(setup.seeds)]
        done = time_to_accuracy.measure(model, device, lambda: digits, TARGET, configs, say)
        times = [seed.train_s for seed in done.seeds]
        seconds = {"mean": fmean(times), "median": median(times), "min": min(times), "max": max(times)}
        found["networks"][model] = done.to_dict() | {"train_s": seconds}
        yield found


def ceilings(setup: Setup) -> Iterator[Results]:
    """Measure the peak rates of the device, and PyTorch's rate of a large matrix product."""
    rival = setup.rival()
    found = asdict(gpu.measure() if setup.device == "cuda" else machine.measure(setup.ops))
    yield found
    if hasattr(rival, "product_seconds"):
        seconds = rival.product_seconds(SIDE, SIDE, SIDE, setup.runs)
        yield found | {"product_flops": 2 * SIDE**3 / seconds}


def profile(setup: Setup) -> Iterator[Results]:
    """Let NVIDIA's ncu say of each kernel of a training step what limits it, if it is installed and allowed."""
    program = shutil.which("ncu")
    if not program:
        yield {"left_out": "ncu is not on the PATH"}
        return
    sections = [word for section in SECTIONS for word in ("--section", section)]
    watched = [sys.executable, str(FOLDER / "gpu_step.py"), "record", setup.device]
    command = [program, "--clock-control", "none", *sections, "--csv", "--launch-count", str(KERNELS), *watched]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or "ERR_NVGPUCTRPERM" in done.stdout:
        yield {"left_out": f"ncu fails: {(done.stdout + done.stderr)[-500:]}"}
    else:
        yield {"csv": done.stdout}


def memory(setup: Setup) -> Iterator[Results]:
    """Measure how much memory use grows over many training steps."""
    grown: dict[str, int] = {}
    for model in setup.models:
        contender = networks.training(setup.workload(model, setup.batch_size), setup.ops)
        contender.run(50)
        before = _used_bytes(setup.device)
        contender.run(STEPS)
        grown[model] = _used_bytes(setup.device) - before
        yield {"steps": STEPS, "grown_bytes": grown}


def _used_bytes(device: str) -> int:
    if device == "cuda":
        import cupy

        free, total = cupy.cuda.runtime.memGetInfo()
        return total - free
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def steps(setup: Setup) -> Iterator[Results]:
    """Measure the rates of computation and memory traffic of every step of the networks, on large batches."""
    found = []
    for model in setup.models:
        say(f"{model}: single steps, batch {setup.large}")
        workload = setup.workload(model, setup.large)
        found += [row.to_dict() for row in operations.measure(workload, setup.ops, None, setup.runs)]
        yield {"operations": found}


def sanitizer(setup: Setup) -> Iterator[Results]:
    """Run training steps under NVIDIA's compute-sanitizer, if it is installed."""
    program, found = shutil.which("compute-sanitizer"), {"checks": 0, "failures": []}
    if not program:
        yield {"left_out": "compute-sanitizer is not on the PATH"}
        return
    for tool in TOOLS:
        say(f"compute-sanitizer {tool}")
        watched = [sys.executable, str(FOLDER / "gpu_step.py"), WATCHED, setup.device]
        command = [program, "--tool", tool, "--error-exitcode", "9", *watched]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            found["failures"].append(f"{tool}: {(done.stdout + done.stderr)[-2000:]}")
        found["checks"] += 1
        yield found


def tests(setup: Setup) -> Iterator[Results]:
    """Run the tests that need a GPU, if they and pytest-xdist are installed: more sizes of every op, golden losses."""
    folder = FOLDER.parent / "tests" / "cuda" / "gpu"
    if not (folder.is_dir() and importlib.util.find_spec("pytest") and importlib.util.find_spec("xdist")):
        yield {"left_out": "it needs pytest, pytest-xdist and the folder tests"}
        return
    command = [sys.executable, "-m", "pytest", "-n0", "-m", "gpu", "-p", "no:cacheprovider", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder.parents[2])
    output = done.stdout[-2000:]
    yield {"checks": 1, "failures": [output] if done.returncode else [], "output": output}


def say(line: str) -> None:
    """Print a line of progress."""
    print(line, file=sys.stderr, flush=True)


def main(name: str, file: str, settings: str) -> None:
    """Run the part `name` and write its results, or its error, to a file."""
    results: Results = {}
    try:
        for results in globals()[name](Setup(**json.loads(settings))):
            _write(file, results)
    except UserError as error:
        _write(file, results | {"error": str(error)})
    except Exception as error:
        traceback.print_exc()
        _write(file, results | {"error": f"{type(error).__name__}: {error}"})


def _write(file: str, results: Results) -> None:
    write_atomically(file, json.dumps(results).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
