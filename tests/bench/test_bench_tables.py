"""Test the tables that `bench` prints."""

import re
from dataclasses import replace

import pytest

from fastdigits.cli.actions import bench_tables


@pytest.fixture
def documented(monkeypatch):
    """Replace the documented ratios; the machine of `report` has 16 lanes."""
    key = {"mode": "training", "model": "lenet", "batch_size": 128, "rival": "torch"}
    known = {"16": {"machine": "a documented CPU", "ratios": [key | {"ratio": 5.0}]}}
    monkeypatch.setattr(bench_tables, "load_speed_results", lambda: known)


def test_each_mode_and_batch_size_has_a_table(report, row):
    rows = [row(batch_size=8), row(batch_size=1), row("inference", batch_size=8), row(model="mlp", batch_size=8)]
    heads = [line for line in bench_tables.as_text(report(*rows)).splitlines() if re.fullmatch(r"\w+, batch \d+", line)]
    assert heads == ["training, batch 1", "training, batch 8", "inference, batch 8", "lenet, batch 128"]


def test_the_columns_of_slow_steps_are_apart(report, row):
    text = bench_tables.as_text(report(row(median=45.7)))
    assert " 45,700,000.0  41,130,000.0 .. 50,270,000.0  41,130,000.0 " in text


def test_measured_ratios_stand_next_to_documented_ones(report, row, documented):
    text = bench_tables.as_text(report(row(), row(contender="torch", ratio=4.44)))
    assert text.endswith(
        "time relative to ours, and in parentheses the documented value for a documented CPU:\n"
        "training, batch 128, torch: lenet 4.4 (5.0)"
    )


def test_other_comparisons_are_not_documented(report, row, documented):
    others = [{"contender": "jax"}, {"batch_size": 1}, {"model": "mlp"}, {"mode": "inference"}]
    for other in others:
        assert "documented" not in bench_tables.as_text(report(row(), row(**({"contender": "torch"} | other))))


def test_ratios_to_a_gpu_are_not_compared_with_those_to_a_cpu(report, row, documented):
    rows = row(contender="fastdigits cuda"), row(contender="torch")
    assert "documented" not in bench_tables.as_text(report(*rows))


def test_a_cpu_with_other_lanes_has_no_documented_results(report, row, documented):
    found = report(row(), row(contender="torch"))
    found.machine = replace(found.machine, lanes=4)
    assert "documented" not in bench_tables.as_text(found)
