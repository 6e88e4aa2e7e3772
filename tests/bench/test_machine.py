"""The machine's facts and rates, and what other programs take of it."""

import os

import numpy as np
import pytest

from fastdigits import ops
from fastdigits.bench import interference, machine


def test_facts():
    cpu = ops.load("cpu", threads=1)
    facts = machine.measure()
    ops.load("cpu")
    assert (facts.cores, facts.lanes) == (1, cpu.lanes)
    assert facts.cpu
    assert facts.peak_flops > 0
    assert facts.bytes_per_second > 0


def test_second_look_only_raises_rates(monkeypatch):
    ops.load("cpu")
    facts = machine.Machine("", "", 1, 16, "omp", "", "", "", 5.0, 5.0)
    monkeypatch.setattr(machine, "peak_flops", lambda: 7.0)
    monkeypatch.setattr(machine, "bytes_per_second", lambda: 3.0)
    again = machine.measure_again(facts)
    assert (again.peak_flops, again.bytes_per_second) == (7.0, 5.0)


def test_measuring_kernels_compute():
    ops.load("cpu")
    from fastdigits.ops.lanes.vector_unit import LANES
    from fastdigits.ops.peak import cpu as peak

    x, y = np.zeros((peak.CHAINS, LANES), np.float32), np.full((2, peak.CHAINS, LANES), np.nan, np.float32)
    peak.multiply_adds(x, y, 3)
    assert (y == 1.75).all()  # 0, 1, 1.5, 1.75
    plain = np.zeros_like(y)
    peak.chains(x, plain, 1, 3, peak.CHAINS)
    assert (plain[1] == 1.75).all()
    a, b, c = np.zeros(5, np.float32), np.arange(5, dtype=np.float32), np.ones(5, np.float32)
    peak.triad(b, c, a)
    assert a.tolist() == [3, 4, 5, 6, 7]


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="the system has no such file")
def test_cores_of_other_programs(tmp_path, monkeypatch):
    """Four seconds of work, one of them our own, in two; idle and waiting cores do not count."""
    ticks, file = os.sysconf("SC_CLK_TCK"), tmp_path / "stat"
    own, now = iter([1.0, 2.0]), iter([10.0, 12.0])
    monkeypatch.setattr(interference, "process_time", lambda: next(own))
    monkeypatch.setattr(interference, "perf_counter", lambda: next(now))
    file.write_text("cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 7")
    with interference.measure_interference(file) as found:
        file.write_text(f"cpu  {ticks} {ticks} 0 {9 * ticks} {9 * ticks} 0 {ticks} {ticks} {ticks} 0\ncpu0 7")
    assert found.cores == pytest.approx(1.5)


def test_silent_system(tmp_path):
    with interference.measure_interference(tmp_path / "none") as found:
        pass
    assert found.cores is None
