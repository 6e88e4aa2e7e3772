"""Test the JSON file of a benchmark run and the comparison of two runs."""

import json

import pytest

from fastdigits.bench.report import compare, read
from fastdigits.errors import UserError


def test_written_results_can_be_read_again(report, tmp_path):
    path = tmp_path / "bench.json"
    report().write(path)
    results = read(path)
    assert results == json.loads(json.dumps(report().to_dict()))
    assert {"format", "version", "machine", "gpu", "settings", "rows", "operations", "targets"} == set(results)


def test_a_row_has_the_expected_fields(report):
    (row,) = report().to_dict()["rows"]
    assert row["seconds"] == [0.9, 1.0, 1.1]
    assert row["share_of_peak"] == pytest.approx(0.1)
    assert {"mode", "model", "batch_size", "contender", "variant", "median_s", "quartiles_s", "ratio"} <= set(row)


def test_rates_are_relative_to_the_peak_of_their_own_device(report, row):
    on_cpu, on_gpu = report(row(), row(contender="torch-cuda")).to_dict()["rows"]
    assert on_cpu["share_of_peak"] == pytest.approx(0.1)
    assert on_gpu["share_of_peak"] == pytest.approx(0.001)


def test_rates_of_an_operation(report):
    (operation,) = report().to_dict()["operations"]
    assert operation["gflops"] == pytest.approx(250)
    assert operation["share_of_peak"] == pytest.approx(0.5)
    assert operation["gigabytes_per_second"] == pytest.approx(40)


def test_the_mean_accuracy_decides_whether_the_target_is_reached(report):
    (target,) = report().targets
    assert target.accuracies == pytest.approx({"mean": 0.992, "min": 0.991, "max": 0.993, "std": 0.00141421}, abs=1e-6)
    assert target.reached
    assert report().to_dict()["targets"][0]["reached"] is True


@pytest.mark.parametrize(("median", "verdict"), [(1.0, ""), (1.15, ""), (0.85, ""), (1.3, "slower"), (0.7, "faster")])
def test_a_change_counts_if_the_spreads_do_not_overlap(report, row, median, verdict):
    old, new = report(row()).to_dict(), report(row(median=median)).to_dict()
    change, *_ = compare(old, new)
    assert change.name == "training lenet 128 fastdigits cpu"
    assert change.ratio == pytest.approx(median)
    assert change.verdict == verdict


def test_disturbed_rows_are_neither_faster_nor_slower(report, row):
    quiet, disturbed = report(row()).to_dict(), report(row(median=3.0, other_cores=0.5)).to_dict()
    assert [compare(*pair)[0].verdict for pair in ((quiet, disturbed), (disturbed, quiet))] == ["disturbed"] * 2


def test_only_rows_of_both_runs_are_compared(report, row):
    old = report(row(), row(contender="torch", variant="eager")).to_dict()
    new = report(row(mode="inference"), row(contender="torch", variant="compile")).to_dict()
    names = [change.name for change in compare(old, new)]
    assert names == ["training lenet 128 torch", "lenet 128 dense_1 forward"]


def test_a_file_with_the_earlier_name_of_a_contender_is_compared(report, tmp_path):
    results = report().to_dict()
    results["rows"] = [
        {"contestant" if key == "contender" else key: value for key, value in row.items()} for row in results["rows"]
    ]
    path = tmp_path / "earlier.json"
    path.write_text(json.dumps(results))
    names = [change.name for change in compare(read(path), report().to_dict())]
    assert names == ["training lenet 128 fastdigits cpu", "lenet 128 dense_1 forward"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "fastdigits bench", "version": 0}', "[" * 100_000])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(UserError, match="was not written by 'bench --json'"):
        read(path)


@pytest.mark.parametrize("damage", [{"median_s": 0}, {"median_s": "x"}, {"quartiles_s": [1]}])
def test_damaged_rows_are_refused(report, tmp_path, damage):
    results = report().to_dict()
    results["rows"][0] |= damage
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps(results))
    with pytest.raises(UserError, match="was not written by 'bench --json'"):
        read(path)


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(UserError, match="Cannot read"):
        read(tmp_path / "none.json")
