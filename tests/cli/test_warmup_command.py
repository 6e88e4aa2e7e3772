"""`fastdigits warmup`: later commands compile nothing."""

import json

import pytest

from fastdigits.config.recipes import RECIPES
from fastdigits.config.training import TrainConfig
from fastdigits.ops import load
from fastdigits.ops.runtime import compilation, kernel_cache
from fastdigits.training import precompile

pytestmark = pytest.mark.slow

LINEAR = ("--model", "linear", "--epochs", "1", "--batch-size", "32")


def test_training_after_warmup_compiles_nothing(environment, process, tiny, tmp_path):
    variables = environment | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    variables.pop("NUMBA_CACHE_DIR", None)

    def fastdigits(*arguments):
        result = process(*arguments, env=variables)
        assert result.returncode == 0, result.stderr
        return result

    first = fastdigits("warmup", "--model", "linear", "--batch-size", 32)
    assert " new kernels, cached in " in first.stdout
    assert first.stdout.strip().endswith(str(next((tmp_path / "cache" / "fastdigits").iterdir())))
    lines = [f"{number}/3 linear: {part}" for number, part in enumerate(("training", "evaluation", "single images"), 1)]
    assert [line for line in first.stderr.splitlines() if not line.startswith("compiling kernels")] == lines
    assert "compiling" not in fastdigits("train", *LINEAR, "--data", tiny).stdout
    again = json.loads(fastdigits("warmup", "--model", "linear", "--batch-size", 32, "--json").stdout)
    assert again["compiled"] == 0


@pytest.mark.parametrize("model", ["mlp", "lenet"])
def test_training_and_evaluation_after_warmup_compile_nothing(model, invoke, tiny):
    config = TrainConfig(epochs=1)
    for _, run in precompile.warmup_steps(model, config, load("cpu")):
        run()
    with compilation.on_first_compilation(lambda: pytest.fail("something is compiled")):
        assert invoke("train", "--model", model, "--epochs", 1, "--data", tiny).exit_code == 0
        assert invoke("eval", "weights.h5", "--data", tiny).exit_code == 0


def test_compilation_is_noticed(invoke):
    from numba import njit

    found = []
    with compilation.on_first_compilation(lambda: found.append(1)):
        njit(lambda x: x + 1)(1)
        njit(lambda x: x + 2)(1)
    assert found == [1]


@pytest.mark.parametrize(
    ("arguments", "networks"),
    [
        ([], ["cnn", "fast"]),
        (["--model", "mlp", "--model", "linear", "--model", "mlp"], ["mlp", "linear"]),
        (["--recipe", "fast"], ["fast"]),
        (["--recipe", "fast", "--model", "mlp"], ["mlp"]),
    ],
)
def test_networks_to_compile_for(arguments, networks, invoke, monkeypatch):
    asked = []
    monkeypatch.setattr(precompile, "warmup_steps", lambda model, config, ops: asked.append((model, config)) or [])
    result = invoke("warmup", *arguments, "--device", "reference", "--json")
    assert result.exit_code == 0, result.exception
    assert [model for model, _ in asked] == networks
    if "fast" in arguments:
        assert asked[0][1].batch_size == RECIPES["fast"]["batch_size"]


def test_reference_compiles_nothing(invoke):
    result = invoke("warmup", "--model", "linear", "--batch-size", 2, "--device", "reference")
    assert result.exit_code == 0, result.exception
    assert "the reference device compiles nothing" in result.stdout


def test_kernels_that_cannot_be_cached(invoke, monkeypatch, tmp_path):
    monkeypatch.setattr(precompile, "warmup_steps", lambda model, config, ops: [])
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "kernels"))
    result = invoke("warmup", "--model", "linear", "--device", "cpu")
    assert result.exit_code == 0, result.exception
    assert "the kernels cannot be cached for later commands; see 'fastdigits doctor'" in result.stdout


def test_a_disk_that_is_full(invoke, monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(kernel_cache, "NOT_WRITTEN", {tmp_path / "dense.kernel", tmp_path / "relu.kernel"})
    monkeypatch.setattr(precompile, "warmup_steps", lambda model, config, ops: [])
    result = invoke("warmup", "--model", "linear", "--device", "cpu")
    assert f"2 kernels cannot be written to {tmp_path}; free space there, and run this command again" in result.stdout


def test_wrong_command_lines(fails):
    fails(2, "no model 'vgg'", "warmup", "--model", "vgg")
    fails(2, "--batch-size", "warmup", "--batch-size", "0")
