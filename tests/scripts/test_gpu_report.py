"""Test scripts/gpu_report.py on the CPU: everything except CUDA itself."""

import importlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastdigits import ops
from fastdigits.bench import machine, timing
from fastdigits.data import load_digits
from fastdigits.doctor import trial
from fastdigits.ops.runtime.diagnosis import Finding

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[2] / "scripts"
SHORT = ("--device", "cpu", "--model", "linear", "--batch-size", "16", "--large", "32", "--runs", "1", "--seeds", "2")


@pytest.fixture
def report(monkeypatch, tmp_path):
    """report(*arguments) runs the script in this process and returns (result, content of the JSON file)."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    main, parts = importlib.import_module("gpu_report").main, importlib.import_module("gpu_parts")
    steps = parts.check.steps
    monkeypatch.setattr(parts.check, "steps", lambda *devices: steps(ops.load("reference"), ops.load("reference"))[:3])
    monkeypatch.setattr(timing, "SAMPLE_S", 0.001)
    monkeypatch.setattr(machine, "peak_flops", lambda: 1e11)
    monkeypatch.setattr(machine, "bytes_per_second", lambda: 1e10)
    monkeypatch.setattr(trial, "try_device", lambda device: Finding(device, "works"))
    monkeypatch.setenv("PATH", str(tmp_path))  # hides compute-sanitizer
    monkeypatch.setattr(parts, "__file__", str(tmp_path / "scripts" / "gpu_parts.py"))  # hides tests/cuda/gpu

    def report(*arguments):
        file = tmp_path / "report.json"
        result = CliRunner().invoke(main, [*SHORT, "--json", str(file), *arguments])
        return result, json.loads(file.read_text()) if file.exists() else None

    yield report
    for name in ("gpu_report", "gpu_parts", "gpu_table"):
        sys.modules.pop(name, None)


@pytest.fixture
def few(tmp_path):
    """A folder with 300 training and 100 test images of MNIST."""
    mnist, folder = load_digits(), tmp_path / "few"
    folder.mkdir()
    arrays = mnist.train_images[:300], mnist.train_labels[:300], mnist.test_images[:100], mnist.test_labels[:100]
    names = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    for name, array in zip(names, arrays, strict=True):
        header = struct.pack(f">{array.ndim + 1}I", 0x800 + array.ndim, *array.shape)
        (folder / name).write_bytes(header + array.tobytes())
    return folder


def test_all_parts_run(report, few):
    pytest.importorskip("torch")
    result, found = report("--data", str(few))
    assert result.exit_code == 0, (result.output, result.exception)
    assert list(found) == list(importlib.import_module("gpu_parts").PARTS)
    assert found["checks"]["checks"] == 3
    assert found["parity"] == {"checks": 2, "failures": [], "seconds": found["parity"]["seconds"]}
    assert found["tests"]["left_out"] == "it needs pytest, pytest-xdist and the folder tests"
    assert found["sanitizer"]["left_out"] == "compute-sanitizer is not on the PATH"
    timed = {(row["mode"], row["batch_size"], row["contender"], row["variant"]) for row in found["timings"]["rows"]}
    contenders = {("fastdigits cpu", ""), ("torch", "eager")}
    workloads = ("training", 16), ("inference", 1), ("inference", 32)
    assert timed >= {(*workload, *contender) for workload in workloads for contender in contenders}
    assert len(found["accuracy"]["seeds"]) == 2
    assert found["accuracy"]["upload_s"] > 0
    assert set(found["memory"]["grown_bytes"]) == {"linear"}
    assert {row["step"] for row in found["steps"]["operations"]} == {"dense_1", "cross-entropy", "adamw"}
    table = result.stdout
    for words in (
        "parity          2 of 2 networks",
        "training linear, batch 16",
        "to 99 %",
        "of peak",
        "bytes more after",
    ):
        assert words in table


def test_a_failing_part_does_not_lose_the_others(report, monkeypatch):
    parts = importlib.import_module("gpu_parts")

    def broken(setup):
        raise RuntimeError("an illegal address")

    monkeypatch.setitem(parts.PARTS, "parity", broken)
    result, found = report("--only", "parity,checks")
    assert result.exit_code == 1
    assert found["parity"]["error"] == "RuntimeError: an illegal address"
    assert found["checks"]["failures"] == []
    assert "FAILS           parity: RuntimeError: an illegal address" in result.stdout


def test_parts_are_added_to_the_results_in_the_file(report):
    report("--only", "checks")
    _, found = report("--only", "ceilings")
    assert set(found) == {"checks", "ceilings"}


@pytest.mark.skipif(sys.platform == "win32", reason="the fake tool is a shell script")
def test_an_error_found_by_the_sanitizer_is_a_failure(report, tmp_path):
    tool = tmp_path / "compute-sanitizer"
    tool.write_text('#!/bin/sh\n[ "$2" = memcheck ] && exit 0\necho "Race reported"\nexit 9\n')
    tool.chmod(0o755)
    result, found = report("--only", "sanitizer")
    assert result.exit_code == 1
    assert found["sanitizer"]["failures"] == ["racecheck: Race reported\n"]
    assert "sanitizer       1 of 2 tools" in result.stdout


@pytest.mark.parametrize(("outcome", "failures"), [("True", 0), ("False", 1)])
def test_the_tests_for_a_gpu_are_run(outcome, failures, report, tmp_path):
    folder = tmp_path / "tests" / "cuda" / "gpu"
    folder.mkdir(parents=True)
    (folder / "test_it.py").write_text(f"import pytest\n\n@pytest.mark.gpu\ndef test():\n    assert {outcome}\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu: on a GPU\n")
    result, found = report("--only", "tests")
    assert result.exit_code == failures
    assert len(found["tests"]["failures"]) == failures
    assert f"tests           {1 - failures} of 1 run of pytest" in result.stdout


def test_an_unknown_part_is_refused(report):
    result, _ = report("--only", "magic")
    assert result.exit_code == 2
    assert "There is no part 'magic'" in result.stderr


@pytest.mark.skipif(ops.why_unavailable("cuda") is None, reason="this machine has CUDA")
def test_without_a_gpu_the_error_is_one_sentence(tmp_path):
    """Also without rich, matplotlib and PyTorch."""
    program = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(('rich', 'matplotlib', 'torch'))); sys.argv[1:] = []; "
        f"runpy.run_path({str(SCRIPTS / 'gpu_report.py')!r}, run_name='__main__')"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=dict(os.environ), timeout=300)
    assert done.returncode == 1
    assert done.stderr == f"Error: The device 'cuda' cannot be used: {ops.why_unavailable('cuda')}.\n"
    assert list(tmp_path.iterdir()) == []
