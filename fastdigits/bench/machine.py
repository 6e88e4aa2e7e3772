"""The machine: its name and versions, and the most that its cores and its memory can do, measured."""

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
from fastdigits.ops.runtime import numba_setup

REPEATS = 300_000  # of each chain: about a millisecond, long beside the start of a parallel loop
BANDWIDTH_FLOATS = 2**24  # 64 MiB in each of three arrays: far more than the caches of one program's cores hold
PEAK_RUNS, BANDWIDTH_RUNS = 60, 8
REST_S = 0.005  # between runs, so that they fall into the pauses of whatever else runs here


@dataclass(frozen=True)
class Machine:
    """What was measured on; `peak_flops` and `bytes_per_second` are measured rates of the cores in use."""

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


def measure() -> Machine:
    """The facts of this machine, for the cores that the CPU's operations were loaded for; takes about a second."""
    from fastdigits.ops.lanes.vector_unit import LANES
    from fastdigits.ops.peak import cpu as peak

    return Machine(
        cpu=cpu_name(),
        system=f"{platform.system()} {platform.machine()}",
        cores=peak.cores(),
        lanes=LANES,
        threading_layer=numba_setup.threading_layer(),
        python=platform.python_version(),
        numba=version("numba"),
        numpy=version("numpy"),
        peak_flops=peak_flops(),
        bytes_per_second=bytes_per_second(),
    )


def measure_again(machine: Machine) -> Machine:
    """The same with the higher rates of two measurements: what else runs on the machine only ever lowers them."""
    rates = {"peak_flops": peak_flops(), "bytes_per_second": bytes_per_second()}
    return replace(machine, **{name: max(rate, getattr(machine, name)) for name, rate in rates.items()})


def cpu_name() -> str:
    """The processor's name as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0]
    if platform.system() == "Darwin":
        found = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True)
        return found.stdout.strip() or platform.machine()
    return platform.processor() or platform.machine()


def peak_flops() -> float:
    """Floating-point operations per second of multiply-adds on registers: the best run, for it is a bound."""
    from fastdigits.ops.lanes.vector_unit import LANES
    from fastdigits.ops.peak import cpu as peak

    x = np.ones((peak.CHAINS, LANES), np.float32)
    y = np.empty((peak.cores(), *x.shape), np.float32)
    best = shortest(partial(peak.multiply_adds, x, y, REPEATS), PEAK_RUNS)
    return 2 * y.size * REPEATS / best


def bytes_per_second() -> float:
    """Bytes read and written per second by a = b + 3 c on arrays in memory: the best run."""
    from fastdigits.ops.peak import cpu as peak

    a, b, c = (np.ones(BANDWIDTH_FLOATS, np.float32) for _ in range(3))
    return 3 * a.nbytes / shortest(partial(peak.triad, b, c, a), BANDWIDTH_RUNS)


def shortest(work: Callable[[], Any], runs: int) -> float:
    """The seconds of the quickest of several calls; the first, which may compile, does not count."""
    work()
    seconds = []
    for _ in range(runs):
        sleep(REST_S)
        seconds.append(timed(lambda _: work(), 1, perf_counter))
    return min(seconds)
