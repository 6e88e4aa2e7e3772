"""The tables of scripts/measure_speed.py, and the documented speed."""

import importlib
import json
import re
from pathlib import Path

import pytest

from fastdigits.data.model_results import load_speed_results

RESULTS = Path(__file__).parents[2] / "docs" / "results.md"


@pytest.fixture(scope="module")
def measure(scripts):
    return importlib.import_module("measure_speed")


@pytest.fixture
def folder(measure, tmp_path):
    """A folder in which every measurement has its file: we need 1 ms, all others 2 ms, and on one thread twice that."""
    for name, arguments in measure.MEASUREMENTS.items():
        models = [model for model in {**dict.fromkeys(measure.TRAINED)} if model in arguments]
        contenders = [measure.OURS, *(rival for rival in ("torch", "onnxruntime") if rival in " ".join(arguments))]
        size = next((int(word) for word in arguments if word in ("1", "256")), 128)
        rows = [_row(model, contender, name, size) for model in models for contender in contenders]
        machine, settings = {"cores": 2, "lanes": 8}, {"versions": {"torch": "2.14.1"}}
        results = {"machine": machine, "settings": settings, "rows": rows}
        (tmp_path / f"{name}.json").write_text(json.dumps(results))
    return tmp_path


def _row(model, contender, name, size):
    ratio = 1.0 if contender == "fastdigits cpu" else 2.0
    seconds = 0.001 * ratio * (2 if "one-thread" in name else 1)
    return {
        "mode": "inference" if name[0] in "is" else "training",
        "model": model,
        "batch_size": size,
        "contender": contender,
        "median_s": seconds,
        "images_per_second": size / seconds,
        "share_of_peak": 0.5,
        "ratio": ratio,
        "disturbed": name == "inference",
    }


def _run(measure, folder, *arguments):
    from click.testing import CliRunner

    result = CliRunner().invoke(measure.main, ["--machine", "a machine", "--folder", str(folder), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_tables_are_made_of_the_files(measure, folder, monkeypatch):
    monkeypatch.setattr(measure, "measure", lambda *arguments: pytest.fail("measured again"))
    output = _run(measure, folder)
    assert "| `lenet` | 128,000 | 64,000 | 2.0 | 50 % | 2.0 | 2.00 | 2.00 |" in output
    assert "| `record`, batch 256 | 256,000 | 2.0 | 2.0 | 2.0, 2.0 |" in output
    assert "| `cnn`, batch 1 | 1,000 | 2.0 | 2.0 | not measured |" in output
    assert "disturbed: inference of lenet, record, torch-example" in output


def test_a_missing_measurement_is_made(measure, folder, monkeypatch):
    kept = (folder / "single.json").read_text()
    (folder / "single.json").unlink()
    made = []

    def fake(name, file):
        made.append(name)
        file.write_text(kept)

    monkeypatch.setattr(measure, "measure", fake)
    _run(measure, folder)
    assert made == ["single"]


def test_saved_ratios_replace_those_of_the_same_lanes(measure, folder, monkeypatch, tmp_path):
    from fastdigits.data import model_results, sources

    (tmp_path / "models").mkdir()
    monkeypatch.setattr(sources, "shipped_folder", lambda: tmp_path)
    monkeypatch.setattr(model_results, "shipped_folder", lambda: tmp_path)
    other = {"machine": "another", "ratios": []}
    (tmp_path / "models" / "speed.json").write_text(json.dumps({"16": other, "8": other}))
    _run(measure, folder, "--save")
    saved = load_speed_results()
    assert list(saved) == ["8", "16"]
    assert saved["16"] == other
    assert saved["8"]["machine"] == "a machine"
    ratio = {"mode": "training", "model": "lenet", "batch_size": 128, "rival": "torch", "ratio": 2.0}
    assert ratio in saved["8"]["ratios"]


def test_documented_ratios_are_those_that_bench_prints():
    """Each ratio stands in a row of its network in docs/results.md."""
    cells = {}
    for model, rest in re.findall(r"^\| `([^`]+)`(.*)$", RESULTS.read_text(), re.MULTILINE):
        cells.setdefault(model, set()).update(re.findall(r"\d+\.\d", rest))
    ratios = [row for known in load_speed_results().values() for row in known["ratios"]]
    missing = [row for row in ratios if f"{row['ratio']:.1f}" not in cells.get(row["model"], ())]
    assert not missing
