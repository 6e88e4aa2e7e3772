"""The parts of scripts/gpu_report.py on the interpreter of PTX, which stands in for a GPU."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

from fastdigits.bench import timing
from fastdigits.data import load_digits

pytestmark = pytest.mark.slow

SETTINGS = {"device": "cuda", "models": ["linear"], "data": "mnist"}
SETTINGS |= {"batch_size": 16, "large": 33, "runs": 1, "seeds": 1}


@pytest.fixture
def parts(interpreted, monkeypatch):
    """The module gpu_parts, whose parts do little."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    parts, replay, mnist = import_module("gpu_parts"), import_module("gpu_replay"), load_digits()
    monkeypatch.setattr(timing, "SAMPLE_S", 1e-6)
    monkeypatch.setattr(parts, "STEPS", 2)
    monkeypatch.setattr(parts, "load_part", lambda *_: (mnist.train_images[:100], mnist.train_labels[:100]))
    monkeypatch.setattr(parts.Setup, "rival", lambda setup: None)
    for name in ("SAMPLES", "REPLAYS", "HOST_STEPS", "KERNEL_REPEATS", "KERNEL_REPLAYS"):
        monkeypatch.setattr(replay, name, 1)
    steps = parts.check.steps
    monkeypatch.setattr(parts.check, "steps", lambda ops, exact: steps(ops, exact)[:2])
    with interpreted():
        yield parts


def test_parts_run(parts):
    setup = parts.Setup(**SETTINGS)
    found = {}
    for name in ("facts", "checks", "parity", "graph", "replay", "timings", "memory", "steps"):
        *_, found[name] = getattr(parts, name)(setup)
    assert import_module("gpu_table").failures(found) == []
    assert found["checks"]["checks"] >= 2
    assert found["parity"]["checks"] == 2
    assert found["graph"] == {"checks": 1, "failures": []}
    assert found["replay"]["steps"]["linear"]["gpu_us"] > 0
    assert [row["contender"] for row in found["timings"]["rows"]] == ["fastdigits cuda"] * 3
    assert found["memory"] == {"steps": 2, "grown_bytes": {"linear": 0}}
    assert {row["step"] for row in found["steps"]["operations"]} == {"dense_1", "cross-entropy", "adamw"}
    assert "recorded step linear, batch 16" in import_module("gpu_table").as_text(found)


def test_a_program_for_tools_runs_training_steps(parts):
    step = import_module("gpu_step")
    step.main("linear")
    launches = [launch.name for launch in sys.modules["cupy"].launches]
    assert launches.count("_adamw_step") == step.STEPS
