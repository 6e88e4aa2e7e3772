"""Measure how much of the machine other programs take while a measurement runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

STAT_FILE = Path("/proc/stat")
MAX_CORES = 0.1  # used by other programs; above this a measurement counts as disturbed


@dataclass
class Interference:
    """Average number of cores that other programs kept busy; None if the system does not report it."""

    cores: float | None = None


@contextmanager
def measure_interference(stat_file: Path = STAT_FILE) -> Iterator[Interference]:
    """Yield an object whose `cores` is set at the end of the block."""
    interference = Interference()
    busy_s, own_s, start = _busy_seconds(stat_file), process_time(), perf_counter()
    yield interference
    if busy_s is not None:
        busy_until_s: Any = _busy_seconds(stat_file)
        others_s = busy_until_s - busy_s - (process_time() - own_s)
        interference.cores = max(others_s, 0.0) / (perf_counter() - start)


def _busy_seconds(stat_file: Path) -> float | None:
    """Return the busy time of all cores together, including time stolen by other virtual machines."""
    if not stat_file.exists():
        return None
    user, nice, system, _idle, _waiting, *interrupts_and_stolen = map(int, stat_file.read_text().split()[1:9])
    return (user + nice + system + sum(interrupts_and_stolen)) / os.sysconf("SC_CLK_TCK")
