"""How much of the machine other programs take while something is measured."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

STATISTICS = Path("/proc/stat")
MAX_CORES = 0.1  # of other programs; from here on they take the cores of what is measured


@dataclass
class Interference:
    """Cores that other programs kept busy on average; None where the system does not tell."""

    cores: float | None = None


@contextmanager
def measure_interference(statistics: Path = STATISTICS) -> Iterator[Interference]:
    """An object that has its figure when the block is over."""
    interference = Interference()
    busy_s, own_s, start = _busy_seconds(statistics), process_time(), perf_counter()
    yield interference
    if busy_s is not None:
        taken_s = _busy_seconds(statistics) - busy_s - (process_time() - own_s)
        interference.cores = max(taken_s, 0.0) / (perf_counter() - start)


def _busy_seconds(statistics: Path) -> float | None:
    """What all cores together have worked for all programs, those of other virtual machines included."""
    if not statistics.exists():
        return None
    user, nice, system, _idle, _waiting, *interrupts_and_stolen = map(int, statistics.read_text().split()[1:9])
    return (user + nice + system + sum(interrupts_and_stolen)) / os.sysconf("SC_CLK_TCK")
