"""Test scripts/gpu_report.py without a GPU: the parts on the CPU, and how the report runs pretended parts."""

import importlib
import json
import os
import shutil
import struct
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from processes import python_process

from fastdigits import ops
from fastdigits.bench import machine, networks, timing
from fastdigits.data import load_digits
from fastdigits.doctor import trial
from fastdigits.ops.runtime.diagnosis import Finding

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[2] / "scripts"
SHORT = {"device": "cpu", "models": ["linear"], "batch_size": 16, "large": 32, "runs": 1, "seeds": 2, "data": "mnist"}


@pytest.fixture
def parts(monkeypatch, tmp_path):
    """The module gpu_parts, whose parts do little."""
    parts = importlib.import_module("gpu_parts")
    steps = parts.check.steps
    monkeypatch.setattr(parts.check, "steps", lambda *devices: steps(ops.load("reference"), ops.load("reference"))[:3])
    monkeypatch.setattr(timing, "SAMPLE_S", 0.001)
    monkeypatch.setattr(machine, "peak_flops", lambda: 1e11)
    monkeypatch.setattr(machine, "bytes_per_second", lambda: 1e10)
    monkeypatch.setattr(trial, "try_device", lambda device: Finding(device, "works"))
    monkeypatch.setattr(parts, "TO_TARGET", {"fast": parts.TO_TARGET["fast"]})
    monkeypatch.setattr(parts, "FOLDER", tmp_path / "scripts")  # hides tests/cuda/gpu
    monkeypatch.setattr(parts, "STEPS", 100)
    monkeypatch.setenv("PATH", str(tmp_path))  # hides compute-sanitizer and ncu
    return parts


@pytest.fixture
def run(parts, tmp_path):
    """run(part) runs a part in this process and returns what it has written."""

    def run(name, **settings):
        file = tmp_path / f"{name}.json"
        parts.main(name, str(file), json.dumps(SHORT | settings))
        return json.loads(file.read_text())

    return run


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
    return str(folder)


def test_all_parts_run(run, few):
    pytest.importorskip("torch")
    report, table = importlib.import_module("gpu_report"), importlib.import_module("gpu_table")
    found = {name: run(name, data=few) for name in report.PARTS}
    assert table.failures(found) == []
    assert set(found["compilation"]["seconds_of"]) == {"linear", "fast"}
    assert found["checks"]["checks"] == 3
    assert found["parity"] == {"checks": 2, "failures": []}
    assert found["replay"]["left_out"] == "only a GPU has graphs and events"
    assert found["tests"]["left_out"] == "it needs pytest, pytest-xdist and the folder tests"
    assert found["sanitizer"]["left_out"] == "compute-sanitizer is not on the PATH"
    assert found["profile"]["left_out"] == "ncu is not on the PATH"
    timed = {(row["mode"], row["batch_size"], row["contender"], row["variant"]) for row in found["timings"]["rows"]}
    contenders = {("fastdigits cpu", ""), ("torch", "eager")}
    workloads = ("training", 16), ("inference", 1), ("inference", 32)
    assert timed >= {(*workload, *contender) for workload in workloads for contender in contenders}
    assert len(found["accuracy"]["networks"]["fast"]["seeds"]) == 2
    assert found["accuracy"]["upload_s"] > 0
    assert set(found["memory"]["grown_bytes"]) == {"linear"}
    assert {row["step"] for row in found["steps"]["operations"]} == {"dense_1", "cross-entropy", "adamw"}
    text = table.as_text(found)
    for words in (
        "parity          2 of 2 networks",
        "training linear, batch 16",
        "to 99 %         fast",
        "of peak",
        "bytes more after",
    ):
        assert words in text


def test_the_error_of_a_part_is_written_with_what_it_has_found(run, parts, monkeypatch):
    def broken(setup):
        yield {"checks": 2, "failures": []}
        raise RuntimeError("an illegal address")

    monkeypatch.setattr(parts, "parity", broken)
    assert run("parity") == {"checks": 2, "failures": [], "error": "RuntimeError: an illegal address"}


@pytest.mark.skipif(sys.platform == "win32", reason="the fake tools are shell scripts")
def test_an_error_found_by_the_sanitizer_is_a_failure(run, tmp_path):
    _write_tool(tmp_path / "compute-sanitizer", '[ "$2" = memcheck ] && exit 0\necho "Race reported"\nexit 9')
    assert run("sanitizer") == {"checks": 2, "failures": ["racecheck: Race reported\n"]}


@pytest.mark.skipif(sys.platform == "win32", reason="the fake tools are shell scripts")
def test_the_profile_is_kept_and_counters_that_are_forbidden_are_no_failure(run, tmp_path):
    _write_tool(tmp_path / "ncu", 'echo "$@"')
    assert run("profile")["csv"].split()[-2:] == ["record", "cpu"]
    _write_tool(tmp_path / "ncu", "echo '==ERROR== ERR_NVGPUCTRPERM'")
    assert run("profile") == {"left_out": "ncu fails: ==ERROR== ERR_NVGPUCTRPERM\n"}


def _write_tool(path, commands):
    path.write_text(f"#!/bin/sh\n{commands}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(("outcome", "failures"), [("True", 0), ("False", 1)])
def test_the_tests_for_a_gpu_are_run(outcome, failures, run, tmp_path):
    folder = tmp_path / "tests" / "cuda" / "gpu"
    folder.mkdir(parents=True)
    (folder / "test_it.py").write_text(f"import pytest\n\n@pytest.mark.gpu\ndef test():\n    assert {outcome}\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu: on a GPU\n")
    assert len(run("tests")["failures"]) == failures


def test_memory_of_a_workload_is_free_before_the_next(parts, monkeypatch):
    """Neither our arrays nor PyTorch's graphs outlive their comparison, and both libraries return what they keep."""
    alive, returned = [], []
    pool = SimpleNamespace(free_all_blocks=lambda: returned.append("CuPy"))
    cuda = SimpleNamespace(is_available=lambda: True, empty_cache=lambda: returned.append("PyTorch"))
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(get_default_memory_pool=lambda: pool))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))

    class Owner:
        """What a contender's functions keep alive, as a part of a cycle."""

        def __init__(self):
            self.own = self
            alive.append(weakref.ref(self))

    def contender(workload, device):
        owner, made = Owner(), training(workload, device)
        return parts.networks.Contender(made.name, "", lambda steps, owner=owner: made.run(steps), made.outputs)

    training = networks.training
    monkeypatch.setattr(networks, "training", contender)
    monkeypatch.setattr(parts.Setup, "rival", lambda setup: None)
    for number, _ in enumerate(parts.timings(parts.Setup(**SHORT | {"models": ["linear", "mlp"]})), 1):
        assert len(returned) == 2 * (number - 1)
        assert not any(owner() for owner in alive[: number - 1])
    assert returned == ["CuPy", "PyTorch"] * 6
    assert len(alive) == 2
    assert not any(owner() for owner in alive)


# How the report runs its parts

PRETENDED = """
import fcntl, json, os, signal, subprocess, sys

name, file, settings = sys.argv[1:]
behaviour = json.loads(os.environ["BEHAVIOUR"]).get(name)
results = {"settings": json.loads(settings)}
if behaviour == "error":
    results["error"] = "an illegal address"
with open(file, "w") as written:
    json.dump(results, written)
if behaviour == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
if behaviour == "hang":
    lock = open(os.environ["LOCK"], "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    subprocess.Popen(["sleep", "300"], pass_fds=[lock.fileno()])
    signal.pause()
"""


@pytest.fixture
def pretended(monkeypatch, tmp_path):
    """pretended({part: behaviour}) makes the report run parts that only have an error, crash, hang, or do nothing."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "gpu_parts.py").write_text(PRETENDED)
    for name in ("gpu_report.py", "gpu_table.py"):
        shutil.copy(SCRIPTS / name, folder)
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTS.parent))
    monkeypatch.setenv("LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(importlib.import_module("gpu_report"), "FOLDER", folder)

    def pretended(behaviour):
        monkeypatch.setenv("BEHAVIOUR", json.dumps(behaviour))
        return folder / "gpu_report.py"

    return pretended


@pytest.fixture
def report(pretended, tmp_path):
    """report(*options, part=behaviour) runs pretended parts and returns (result, content of the JSON file)."""

    def report(*options, **behaviour):
        pretended(behaviour)
        file = tmp_path / "report.json"
        result = CliRunner().invoke(importlib.import_module("gpu_report").main, ["--json", str(file), *options])
        return result, json.loads(file.read_text()) if file.exists() else None

    return report


needs_groups = pytest.mark.skipif(sys.platform == "win32", reason="locks and groups of processes are those of Unix")


@needs_groups
def test_all_parts_run_in_order_with_the_settings(report):
    result, found = report("--model", "mlp", "--seeds", "3")
    assert result.exit_code == 0, result.output
    assert list(found) == list(importlib.import_module("gpu_report").PARTS)
    for part in found.values():
        assert part["settings"] | {"models": ["mlp"], "seeds": 3, "device": "cuda"} == part["settings"]
        assert 0 < part["seconds"] < 60


@needs_groups
@pytest.mark.parametrize(
    ("behaviour", "error"), [("error", "an illegal address"), ("crash", "its process ended with exit code -11")]
)
def test_a_part_that_fails_does_not_lose_the_others(behaviour, error, report):
    result, found = report("--only", "checks,parity,graph", parity=behaviour)
    assert result.exit_code == 1
    assert [part.get("error") for part in found.values()] == [None, error, None]
    assert found["parity"]["settings"]
    assert f"FAILS           parity: {error}" in result.stdout


@needs_groups
def test_a_part_that_hangs_is_ended_with_what_it_has_started(report, pretended, tmp_path):
    import fcntl

    pretended({"checks": "hang"})
    found = importlib.import_module("gpu_report").run_part("checks", {}, 3.0)
    assert found == {"settings": {}, "error": "not finished after 3 s"}
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # waits, and fails by the test's time limit, if a process still runs


@needs_groups
def test_a_killed_report_has_lost_nothing(pretended, tmp_path):
    program, file = pretended({"checks": "hang"}), tmp_path / "report.json"
    command = program, "--only", "parity,checks", "--json", file
    with python_process(*command, stderr=subprocess.PIPE, text=True) as running:
        for line in running.stderr:
            if line.split()[-1] == "checks":
                break
        running.kill()
    assert list(json.loads(file.read_text())) == ["parity"]


@needs_groups
def test_without_cuda_nothing_else_runs(report):
    result, found = report(facts="error")
    assert result.exit_code == 1
    assert list(found) == ["facts"]


@pytest.mark.parametrize("slow", [1.0, 0.3])
@pytest.mark.parametrize("minutes", [1, 7, 30])
def test_the_report_ends_within_its_minutes(minutes, slow, report, monkeypatch):
    """Parts take all of their limits, or a part of them."""
    module = importlib.import_module("gpu_report")
    now, limits = 1000.0, {}

    def run_part(name, settings, limit_s):
        nonlocal now
        now += slow * limit_s
        limits[name] = limit_s
        return {}

    monkeypatch.setattr(module, "monotonic", lambda: now)
    monkeypatch.setattr(module, "run_part", run_part)
    result, found = report("--minutes", str(minutes))
    assert result.exit_code == 0
    assert now <= 1000 + 60 * minutes
    assert list(found) == list(module.PARTS)
    assert list(limits) == list(module.PARTS)[: len(limits)]
    assert all(limit <= module.PARTS[name] * max(1, minutes / 7) for name, limit in limits.items())
    over = [part.get("left_out") for name, part in found.items() if name not in limits]
    assert over == [f"the {minutes} minutes are over"] * len(over)


def test_without_hangs_the_limits_leave_time_for_what_matters_most():
    """What settles correctness and the times of steps runs even if all parts before take all of their time."""
    report = importlib.import_module("gpu_report")
    names = list(report.PARTS)
    before = names[: names.index("timings")]
    assert sum(report.PARTS[name] for name in before) <= 60 * report.MINUTES - report.RESERVE_S


@needs_groups
def test_parts_are_added_to_the_results_in_the_file(report):
    report("--only", "checks")
    _, found = report("--only", "ceilings")
    assert set(found) == {"checks", "ceilings"}


def test_an_unknown_part_is_refused(report):
    result, _ = report("--only", "magic")
    assert result.exit_code == 2
    assert "There is no part 'magic'" in result.stderr


@pytest.mark.skipif(ops.why_unavailable("cuda") is None, reason="this machine has CUDA")
def test_without_a_gpu_the_table_says_why(tmp_path):
    """Also without rich, matplotlib and PyTorch."""
    missing = tmp_path / "missing"
    for name in ("rich", "matplotlib", "torch"):
        (missing / name).mkdir(parents=True)
        (missing / name / "__init__.py").write_text("raise ImportError('not installed')\n")
    command = [sys.executable, str(SCRIPTS / "gpu_report.py"), "--json", str(tmp_path / "report.json")]
    environment = os.environ | {"PYTHONPATH": str(missing)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=300)
    assert done.returncode == 1
    reason = f"facts: The device 'cuda' cannot be used: {ops.why_unavailable('cuda')}."
    assert done.stdout.splitlines()[-1].split(maxsplit=1) == ["FAILS", reason]
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / "report.json").read_text())["facts"]["sections"]
