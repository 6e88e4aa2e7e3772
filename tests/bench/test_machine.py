"""Test the description of the machine, its measured rates, and the interference by other programs."""

import os

import numpy as np
import pytest

from fastdigits import ops
from fastdigits.bench import interference, machine


def test_the_machine_is_described_and_measured():
    cpu = ops.load("cpu", threads=1)
    found = machine.measure(cpu)
    assert (found.cores, found.lanes) == (1, cpu.lanes)
    assert found.threading_layer in ("tbb", "omp", "workqueue")
    assert found.cpu
    assert found.peak_flops > 0
    assert found.bytes_per_second > 0


def test_measuring_again_only_raises_rates(monkeypatch):
    ops.load("cpu")
    found = machine.Machine("", "", 1, 16, "omp", "", "", "", 5.0, 5.0)
    monkeypatch.setattr(machine, "peak_flops", lambda: 7.0)
    monkeypatch.setattr(machine, "bytes_per_second", lambda: 3.0)
    again = machine.measure_again(found)
    assert (again.peak_flops, again.bytes_per_second) == (7.0, 5.0)


def test_the_measured_kernels_compute_their_formulas():
    ops.load("cpu")
    from fastdigits.ops.lanes.vector_unit import LANES
    from fastdigits.ops.peak import cpu as peak
    from fastdigits.ops.peak import kernel

    x, y = np.zeros((peak.CHAINS, LANES), np.float32), np.full((2, peak.CHAINS, LANES), np.nan, np.float32)
    peak.multiply_adds(x, y, 3)
    assert (y == 1.75).all()  # 0, 1, 1.5, 1.75
    plain = np.zeros_like(y)
    kernel.chains(x, plain, 1, 3, peak.CHAINS)
    assert (plain[1] == 1.75).all()
    a, b, c = np.zeros(5, np.float32), np.arange(5, dtype=np.float32), np.ones(5, np.float32)
    peak.triad(b, c, a)
    assert a.tolist() == [3, 4, 5, 6, 7]


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="the system does not count ticks")
def test_cores_that_other_programs_use_are_counted(tmp_path, monkeypatch):
    """Four busy seconds, one of them our own, within two seconds; idle and waiting cores do not count."""
    ticks, file = os.sysconf("SC_CLK_TCK"), tmp_path / "stat"
    own, now = iter([1.0, 2.0]), iter([10.0, 12.0])
    monkeypatch.setattr(interference, "process_time", lambda: next(own))
    monkeypatch.setattr(interference, "perf_counter", lambda: next(now))
    file.write_text("cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 7")
    with interference.measure_interference(file) as found:
        file.write_text(f"cpu  {ticks} {ticks} 0 {9 * ticks} {9 * ticks} 0 {ticks} {ticks} {ticks} 0\ncpu0 7")
    assert found.cores == pytest.approx(1.5)


def test_interference_is_unknown_without_a_stat_file(tmp_path):
    with interference.measure_interference(tmp_path / "none") as found:
        pass
    assert found.cores is None
