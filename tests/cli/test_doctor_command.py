"""`fastdigits doctor`, as a process on machines with various faults."""

import json
import os

import pytest

from fastdigits.doctor import trial
from fastdigits.ops.runtime import kernel_cache
from fastdigits.ops.runtime.diagnosis import Finding

pytestmark = pytest.mark.slow


@pytest.fixture
def doctor(environment, process):
    """doctor(*arguments, path="", **variables) runs the command with another folder to import from, and variables."""

    def doctor(*arguments, path="", **variables):
        variables = environment | variables
        variables.pop("NUMBA_CACHE_DIR", None)
        if path:
            variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(path), variables.get("PYTHONPATH"))))
        return process("doctor", *arguments, env=variables)

    return doctor


def test_a_machine_that_works(doctor):
    result = doctor()
    assert result.returncode == 0, result.stderr
    for section in ("software", "processor", "compiled kernels", "CUDA, for NVIDIA GPUs", "devices"):
        assert f"\n{section}\n" in f"\n{result.stdout}"
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["cpu", "works"] in lines
    assert result.stderr.splitlines()[0] == "running a test kernel on cpu ..."


def test_json(doctor):
    result = doctor("--json")
    summary = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    assert list(summary) == ["works", "devices", "sections", "remedies", "removed"]
    assert summary["works"] is True
    assert summary["devices"]["cpu"] is None
    versions = {part["name"]: part["value"] for part in summary["sections"]["software"]}
    assert versions["numba"] == __import__("numba").__version__


def test_a_broken_numba(doctor, tmp_path):
    (tmp_path / "stub" / "numba").mkdir(parents=True)
    (tmp_path / "stub" / "numba" / "__init__.py").write_text("raise ImportError('Numba needs NumPy 2.4 or less.')")
    result = doctor(path=tmp_path / "stub")
    assert result.returncode == 1
    assert "Traceback" not in result.stdout + result.stderr
    assert "pip install --upgrade numba numpy" in result.stdout
    assert "Error: The CPU cannot be used: a test kernel on cpu fails" in result.stderr


def test_kernels_that_cannot_be_cached(doctor, tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    result = doctor(XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert result.returncode == 0, result.stderr
    assert "compiled kernels cannot be cached" in result.stdout
    assert "export XDG_CACHE_HOME=" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_disabled_compiler(doctor):
    result = doctor(NUMBA_DISABLE_JIT="1")
    assert "unset NUMBA_DISABLE_JIT" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_clean(invoke, monkeypatch, tmp_path):
    monkeypatch.setattr(trial, "try_device", lambda device: Finding(device, "works"))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    own, old = kernel_cache.create_folder(), tmp_path / "fastdigits" / f"kernels-{'0' * 16}-{'1' * 8}"
    old.mkdir()
    assert {"fastdigits warmup", "fastdigits doctor --clean"} <= set(
        map(str.strip, invoke("doctor").stdout.split("\n"))
    )
    result = invoke("doctor", "--clean")
    assert result.exit_code == 0
    assert f"removed {old}" in result.stderr
    assert (own.exists(), old.exists()) == (True, False)
    assert "doctor --clean" not in result.stdout
    assert json.loads(invoke("doctor", "--clean", "--json").stdout)["removed"] == []


def test_help_has_an_example(invoke):
    assert "Examples:\n    fastdigits doctor\n" in invoke("doctor", "--help").stdout
