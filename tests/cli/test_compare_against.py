"""`fastdigits compare --against`: tables and figures of networks trained in several frameworks."""

import csv
import json
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from fastdigits.bench import frameworks
from fastdigits.bench.frameworks.result import FrameworkResult
from fastdigits.bench.interference import Interference
from fastdigits.cli.actions import compare_frameworks, framework_tables
from fastdigits.config.recipes import MODEL_SETTINGS
from fastdigits.config.training import OPTIMIZERS

QUICK = ("--epochs", "2", "--device", "reference")
ROWS = [
    FrameworkResult("linear", "fastdigits", "0.1", [0.92, 0.93], [0.3, 0.5], 10, 0.006, 7_840, 10, "cpu").to_dict(),
    FrameworkResult("linear", "PyTorch", "2.13", [0.91], [2.0], 10, 0.006, 7_840, 10, "cpu").to_dict(),
    FrameworkResult("a|b", "fastdigits", "0.1", [0.99], [1.5], 20, 0.001, 61_470, 236, "cpu").to_dict(),
    FrameworkResult("a|b", "PyTorch", "2.13", [], [], 20, 0.001, 61_470, 236, "cuda").to_dict(),
]
HEADS = ["accuracy", "std", "train s", "epochs", "rate", "weights", "biases", "device"]


class Guesser:
    """A trainer that learns nothing and answers 3 to every image."""

    def __init__(self, saved, config, images, labels, device, threads):
        assert (device, saved.history, config.augment) == ("cpu", [], "")
        if config.seed == 7:
            raise_after_one_step(self)

    def step(self, rows, rate):
        assert rate > 0

    def totals(self):
        return 2.0, 1.0

    def scores(self, images):
        return np.tile(np.eye(10)[3], (len(images), 1))


def raise_after_one_step(trainer):
    trainer.totals = lambda: (np.nan, 0.0)


@pytest.fixture
def abacus(monkeypatch):
    """A framework that is always there, in place of PyTorch."""
    module = SimpleNamespace(
        TITLE="Abacus", OPTIMIZERS=OPTIMIZERS, Trainer=Guesser, version=lambda: "1.0", why_different=lambda config: None
    )
    monkeypatch.setattr(frameworks, "load", lambda name, device: module)
    use_cores(monkeypatch, None)
    return module


def use_cores(monkeypatch, cores):
    """Let other programs use this number of cores."""

    @contextmanager
    def measure():
        yield Interference(cores)

    monkeypatch.setattr(compare_frameworks, "measure_interference", measure)


def cells(line):
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def tables(text):
    """The rows of each table in a Markdown text, with the heads and without the rules."""
    parts = [part.splitlines() for part in text.split("\n\n")]
    return [[cells(line) for line in part if "---" not in line] for part in parts if part[0].startswith("|")]


def test_both_tables_have_all_rows():
    text = framework_tables.markdown(ROWS, "a title", ["A note."])
    assert text.startswith("a title\n\nBy network:\n\n| network")
    assert "\n\nBy framework:\n\n| framework" in text
    assert "fastdigits 0.1, PyTorch 2.13. Accuracy on the test images" in text
    assert text.endswith("\nA note.")
    networks, by_framework = tables(text)
    assert networks[0] == ["network", "framework", *HEADS]
    assert networks[1:] == [
        ["linear", "fastdigits", "92.50%", "0.71%", "0.40", "10", "0.006", "7,840", "10", "CPU"],
        ["linear", "PyTorch", "91.00%", "", "2.00", "10", "0.006", "7,840", "10", "CPU"],
        [r"a\|b", "fastdigits", "99.00%", "", "1.50", "20", "0.001", "61,470", "236", "CPU"],
        [r"a\|b", "PyTorch", "", "", "", "20", "0.001", "61,470", "236", "GPU"],
    ]
    assert by_framework[0] == ["framework", "network", *HEADS]
    order = [("fastdigits", "linear"), ("fastdigits", r"a\|b"), ("PyTorch", "linear"), ("PyTorch", r"a\|b")]
    assert [tuple(row[:2]) for row in by_framework[1:]] == order
    assert sorted(row[2:] for row in by_framework[1:]) == sorted(row[2:] for row in networks[1:])
    for part in text.split("\n\n"):
        if part.startswith("|"):
            assert len({len(line) for line in part.splitlines()}) == 1


def test_no_spread_without_repeated_runs():
    assert "| std" not in framework_tables.markdown(ROWS[1:], "")


def test_csv_has_one_row_for_each_network_and_framework():
    first, _, _, failed = csv.DictReader(framework_tables.csv_text(ROWS).splitlines())
    assert (first["model"], first["framework"], first["version"], first["runs"]) == ("linear", "fastdigits", "0.1", "2")
    assert float(first["test_accuracy_mean"]) == pytest.approx(0.925)
    assert float(first["train_seconds"]) == pytest.approx(0.4)
    facts = [first[name] for name in ("epochs", "learning_rate", "weights", "biases", "device")]
    assert facts == ["10", "0.006", "7840", "10", "cpu"]
    assert failed["test_accuracy_mean"] == failed["train_seconds"] == ""


def test_networks_are_trained_in_all_frameworks(invoke, tiny, abacus, tmp_path):
    files = "-o", "a.md", "-o", "a.csv", "-o", "a.png"
    result = invoke("compare", "linear", "--against", "torch", "--data", tiny, "--runs", "2", *QUICK, *files)
    assert result.exit_code == 0, result.exception
    assert (tmp_path / "a.md").read_text() == result.stdout
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with open(tmp_path / "a.csv") as file:
        ours, theirs = csv.DictReader(file)
    assert (ours["framework"], theirs["framework"], theirs["version"]) == ("fastdigits", "Abacus", "1.0")
    same = "model", "runs", "epochs", "learning_rate", "weights", "biases", "device"
    assert [ours[name] for name in same] == [theirs[name] for name in same]
    assert [ours[name] for name in same] == ["linear", "2", "2", "0.006", "7840", "10", "cpu"]
    assert float(ours["test_accuracy_mean"]) > 0.3 > float(theirs["test_accuracy_mean"])
    assert "linear in Abacus, seed 1" in result.stderr


def test_our_row_is_that_of_a_training_without_augmentation(invoke, tiny, abacus, monkeypatch):
    monkeypatch.setitem(MODEL_SETTINGS, "linear", {"augment": "shift=2"})
    result = invoke("compare", "linear", "--against", "torch", "--data", tiny, *QUICK, "--json")
    assert "linear is trained without augmentation" in result.stderr
    ours, _ = json.loads(result.stdout)["models"]
    summary = json.loads(invoke("train", "--model", "linear", "--augment", "", "--data", tiny, *QUICK, "--json").stdout)
    assert ours["test_accuracy"]["mean"] == summary["test"]["accuracy"]
    text = invoke("compare", "linear", "--against", "torch", "--data", tiny, *QUICK).stdout
    assert "linear is trained without augmentation" in text


def test_a_note_says_if_other_programs_disturbed_a_framework(invoke, tiny, abacus, monkeypatch):
    chosen = "compare", "linear", "--against", "torch", "--data", tiny, "--runs", "2", *QUICK
    assert "Other programs" not in invoke(*chosen).stdout
    use_cores(monkeypatch, 1.5)
    text = invoke(*chosen).stdout
    assert text.count("Other programs ran while Abacus trained linear") == 1
    assert text.endswith("repeat it on a quiet machine, or with --threads 1.\n")


def test_runs_that_fail_are_reported_and_left_out(invoke, tiny, abacus):
    chosen = "--data", tiny, "--seed", "7", "--runs", "2", *QUICK
    result = invoke("compare", "linear", "--against", "torch", *chosen, "--json")
    assert "linear in Abacus: run failed: The loss is not finite in epoch 1" in result.stderr
    assert [one["runs"] for one in json.loads(result.stdout)["models"]] == [2, 1]


def test_settings_that_a_framework_lacks_are_refused_before_any_training(invoke, tiny, abacus, monkeypatch):
    monkeypatch.setitem(MODEL_SETTINGS, "linear", {"ema": 0.9})
    result = invoke("compare", "linear", "--against", "torch", "--data", tiny, *QUICK)
    assert "cannot be trained in Abacus with the same settings: its ema exists only here" in str(result.exception)
    assert "seed" not in result.stderr


def test_a_missing_framework_is_one_sentence(invoke, tiny, monkeypatch):
    monkeypatch.delitem(sys.modules, "fastdigits.bench.frameworks.torch", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = invoke("compare", "linear", "--against", "torch", "--data", tiny, *QUICK)
    assert result.exit_code == 1
    assert str(result.exception).startswith("Training in torch needs packages that are not installed")
    assert str(result.exception).endswith("; run 'pip install torch'.")


def test_usage_errors(fails, trained):
    fails(2, "'abacus' is not one of torch, tensorflow", "compare", "linear", "--against", "abacus")
    fails(2, "--against trains networks; give the name of a model", "compare", trained, "--against", "torch")
    fails(2, "neither a model", "compare", "nothing", "--against", "torch")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["torch", "tensorflow"])
def test_a_real_framework_learns_as_we_do(invoke, tiny, name):
    pytest.importorskip(name, exc_type=ImportError)
    result = invoke("compare", "linear", "--against", name, "--data", tiny, *QUICK, "--json")
    assert result.exit_code == 0, result.exception
    ours, theirs = json.loads(result.stdout)["models"]
    assert theirs["test_accuracy"]["mean"] == pytest.approx(ours["test_accuracy"]["mean"], abs=0.011)
