"""Describe the machine and measure its peak arithmetic rate and memory bandwidth."""

import platform
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np

from fastdigits.bench.timing import timed
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime import pool

REPEATS = 300_000  # of each chain: about a millisecond, much longer than the start of a parallel loop
BANDWIDTH_FLOATS = 2**24  # 64 MiB in each of three arrays: far more than the caches can hold
PEAK_RUNS, BANDWIDTH_RUNS = 60, 8
PAUSE_S = 0.005  # between runs, so that some of them run while other programs pause


@dataclass(frozen=True)
class Machine:
    """The CPU, the software versions, and the measured peak rates of the cores that the ops run on."""

    cpu: str
    system: str
    cores: int
    lanes: int
    threading_layer: str
    python: str
    numba: str
    numpy: str
    peak_flops: float
    bytes_per_second: float


def measure(ops: Ops) -> Machine:
    """Describe and measure the cores that operations of the CPU were loaded for; takes about a second."""
    from fastdigits.ops.lanes.vector_unit import LANES

    pool.use_threads(ops.threads)
    return Machine(
        cpu=cpu_name(),
        system=f"{platform.system()} {platform.machine()}",
        cores=ops.threads,
        lanes=LANES,
        threading_layer=pool.layer(),
        python=platform.python_version(),
        numba=version("numba"),
        numpy=version("numpy"),
        peak_flops=peak_flops(),
        bytes_per_second=bytes_per_second(),
    )


def measure_again(machine: Machine) -> Machine:
    """Measure the rates again and keep the higher ones, because other programs can only lower them."""
    rates = {"peak_flops": peak_flops(), "bytes_per_second": bytes_per_second()}
    return replace(machine, **{name: max(rate, getattr(machine, name)) for name, rate in rates.items()})


def cpu_name() -> str:
    """Return the processor's name as the operating system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        if names:
            return names[0]
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
        return done.stdout.strip() or platform.machine()
    return platform.processor() or platform.machine()


def peak_flops() -> float:
    """Return the floating-point operations per second of multiply-adds on registers, in the fastest run."""
    from fastdigits.ops.lanes.vector_unit import LANES
    from fastdigits.ops.peak import cpu as peak

    x = np.ones((peak.CHAINS, LANES), np.float32)
    y = np.empty((peak.cores(), *x.shape), np.float32)
    best = shortest(partial(peak.multiply_adds, x, y, REPEATS), PEAK_RUNS)
    return 2 * y.size * REPEATS / best


def bytes_per_second() -> float:
    """Return the bytes read and written per second by a = b + 3 c on arrays in memory, in the fastest run."""
    from fastdigits.ops.peak import cpu as peak

    a, b, c = (np.ones(BANDWIDTH_FLOATS, np.float32) for _ in range(3))
    return 3 * a.nbytes / shortest(partial(peak.triad, b, c, a), BANDWIDTH_RUNS)


def shortest(work: Callable[[], Any], runs: int) -> float:
    """Return the seconds of the fastest of several calls, after one call that is not timed because it may compile."""
    work()
    seconds = []
    for _ in range(runs):
        sleep(PAUSE_S)
        seconds.append(timed(lambda _: work(), 1, perf_counter))
    return min(seconds)
