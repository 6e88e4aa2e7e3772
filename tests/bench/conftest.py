"""Rows and reports with known values."""

from dataclasses import replace

import pytest

from fastdigits.bench.comparison import Row
from fastdigits.bench.gpu import Gpu
from fastdigits.bench.machine import Machine
from fastdigits.bench.operations import Operation
from fastdigits.bench.report import Report
from fastdigits.bench.time_to_accuracy import SeedResult, TimeToAccuracy


@pytest.fixture
def row():
    """row(mode, model, contender, median, ...) returns a Row whose quartiles are 10 % below and above its median."""

    def row(mode="training", model="lenet", contender="fastdigits cpu", median=1.0, batch_size=128, **values):
        row = Row(
            mode=mode,
            model=model,
            batch_size=batch_size,
            contender=contender,
            variant="",
            device="cuda" if contender.endswith("cuda") else "cpu",
            steps=10,
            seconds=[0.9 * median, median, 1.1 * median],
            best_s=0.9 * median,
            median_s=median,
            quartiles_s=(0.9 * median, 1.1 * median),
            images_per_second=batch_size / median,
            gflops=50.0,
            ratio=1.0,
            ratio_quartiles=(1.0, 1.0),
            other_cores=0.0,
        )
        return replace(row, **values)

    return row


@pytest.fixture
def report(row):
    """report(*rows) returns a Report with one operation and one target; the peak rates are 500 and 50,000 GFLOP/s."""
    machine = Machine("a CPU", "an OS", 2, 16, "omp", "3", "0", "2", 5e11, 5e10)
    operation = Operation("lenet", 128, "cpu", "dense_1", "forward", 1e-6, (0.9e-6, 1.1e-6), 250_000, 40_000)
    target = TimeToAccuracy(
        "lenet", "cpu", 128, 10, 0.99, [SeedResult(0, 0.991, 1, 1, 1, 1), SeedResult(1, 0.993, 1, 1, 1, 1)]
    )
    gpu = Gpu("a GPU", "9.0", 2**37, "13.0", 5e13, 4e12)
    return lambda *rows: Report(machine, {"runs": 3}, list(rows) or [row()], [operation], [target], gpu)
