"""`fastdigits compare`: tables and figures of trained and loaded networks."""

import csv
import json
import os
import shutil

import pytest

from fastdigits.cli.actions import compare_tables
from fastdigits.inference.compare import ComparedModel
from fastdigits.plots import comparison
from fastdigits.training.experiment import Run

pytestmark = pytest.mark.slow

QUICK = ("--epochs", "2", "--runs", "2", "--seed", "3")
SEVERAL = ComparedModel("linear", 7_850, 7_840, 10, [0.92, 0.93], [0.3, 0.5], 1e-6).to_dict()
ONE = ComparedModel("a|b", 61_706, 416_520, 10, [0.99], [], 1e-5).to_dict()
DEAD = ComparedModel("mlp", 118_282, 118_016, 0, [], [], None).to_dict()


def cells(line):
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_markdown_table():
    title, empty, head, rule, *rows, _, caption = compare_tables.markdown([SEVERAL, ONE, DEAD], "a title").splitlines()
    assert (title, empty) == ("a title", "")
    assert "test images" in caption
    assert len({len(line) for line in (head, rule, *rows)}) == 1
    facts = ["model", "parameters", "multiply-adds", "epochs", "accuracy"]
    assert cells(head) == [*facts, "std", "lowest", "highest", "train s", "images/s"]
    assert set(rule) == set("|-: ")
    assert cells(rows[0]) == [
        *("linear", "7,850", "7,840", "10", "92.50%", "0.71%", "92.00%", "93.00%", "0.40", "1,000,000")
    ]
    assert cells(rows[1]) == [r"a\|b", "61,706", "416,520", "10", "99.00%", "", "", "", "", "100,000"]
    assert cells(rows[2])[4:] == [""] * 6
    assert "std" not in compare_tables.markdown([ONE], "")


def test_csv_table():
    first, second, third = csv.DictReader(compare_tables.csv_text([SEVERAL, ONE, DEAD]).splitlines())
    assert (first["model"], first["parameters"], first["runs"]) == ("linear", "7850", "2")
    assert float(first["test_accuracy_mean"]) == pytest.approx(0.925)
    assert float(first["train_seconds"]) == pytest.approx(0.4)
    assert float(first["read_images_per_second"]) == pytest.approx(1e6)
    assert (second["model"], second["train_seconds"]) == ("a|b", "")
    assert (second["test_accuracy_mean"], second["test_accuracy_std"]) == ("0.99", "")
    assert third["test_accuracy_mean"] == third["read_images_per_second"] == ""


@pytest.fixture
def drawn(monkeypatch):
    """The arguments of each call of the plot."""
    calls, draw = [], comparison.draw
    monkeypatch.setattr(comparison, "draw", lambda *arguments: calls.append(arguments) or draw(*arguments))
    return calls


def test_models_and_weights_side_by_side(invoke, tiny, trained, drawn, tmp_path):
    files = "-o", "a.md", "-o", "a.csv", "-o", "a.png"
    result = invoke("compare", "linear", "mlp", trained, "linear", "--data", tiny, *QUICK, *files)
    assert result.exit_code == 0, result.exception
    assert (tmp_path / "a.md").read_text() == result.stdout
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    names = ["linear", "mlp", f"linear ({trained})"]
    with open(tmp_path / "a.csv") as file:
        rows = [*csv.DictReader(file)]
    assert [row["model"] for row in rows] == names
    assert [cells(line)[0] for line in result.stdout.splitlines()[4:-2]] == names
    [(entries, title)] = drawn
    assert [entry.name for entry in entries] == names
    assert title in result.stdout
    assert [(len(one.accuracies), one.epochs) for one in entries] == [(2, 2), (2, 2), (1, 3)]


def test_it_trains_and_tests_as_train_and_eval_do(invoke, tiny, trained):
    compared = json.loads(invoke("compare", "linear", trained, "--data", tiny, *QUICK, "--json").stdout)
    model, loaded = compared["models"]
    settings = "--model", "linear", "--epochs", "2", "--runs", "2", "--seed", "3", "--json"
    summary = json.loads(invoke("train", "--data", tiny, *settings).stdout)
    assert model["test_accuracy"] == summary["averages"]["test_accuracy"]
    evaluated = json.loads(invoke("eval", trained, "--data", tiny, "--json").stdout)
    assert loaded["test_accuracy"]["mean"] == evaluated["accuracy"]
    assert (loaded["train_seconds"], loaded["runs"]) == (None, 1)
    assert model["train_seconds"]["mean"] > 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_failed_runs_are_reported_and_left_out(invoke, tiny, trained, monkeypatch, tmp_path):
    from fastdigits.config.recipes import MODEL_SETTINGS

    monkeypatch.setitem(MODEL_SETTINGS, "mlp", {"optimizer": "sgd", "lr": 1e30})
    result = invoke("compare", "mlp", trained, "--data", tiny, *QUICK, "--json", "-o", "a.svg")
    assert [one["runs"] for one in json.loads(result.stdout)["models"]] == [0, 1]
    assert result.stderr.count("mlp: run failed: ") == 2
    assert (tmp_path / "a.svg").exists()
    result = invoke("compare", "mlp", "--data", tiny, *QUICK)
    assert str(result.exception).startswith("All training runs failed")


@pytest.mark.parametrize(("failing", "kept"), [([3], 1), ([3, 4], 2)])
def test_runs_at_chance_are_left_out_unless_no_run_is_better(failing, kept, invoke, tiny, monkeypatch):
    monkeypatch.setattr(Run, "problem", property(lambda run: "It is no better." * (run.config.seed in failing)))
    result = invoke("compare", "linear", *QUICK, "--data", tiny, "--json")
    assert result.stderr.count("linear: run failed: It is no better.") == len(failing)
    assert json.loads(result.stdout)["models"][0]["runs"] == kept


def test_ctrl_c_keeps_finished_measurements(interrupt_after, tiny, trained, tmp_path):
    arguments = "compare", trained, "linear", "--data", tiny, "--epochs", "1000000", "-o", "a.csv"
    code, output, _ = interrupt_after("epoch", *arguments, stream="stderr")
    assert code == 130
    assert f"linear ({trained})" in output
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 2


def test_file_names_that_are_not_valid_text(run_main, trained, tiny, tmp_path):
    name = os.fsdecode(b"caf\xe9.h5")
    shutil.copy(trained, tmp_path / name)
    outputs = [word for file in ("a.md", "a.csv", "a.png") for word in ("-o", file)]
    result = run_main("compare", name, "--data", tiny, "--threads", "1", *outputs)
    assert result.returncode == 0, result.stderr
    assert all("caf?.h5" in (tmp_path / file).read_text() for file in ("a.md", "a.csv"))
    result = run_main("report", name, "--data", tiny, "--threads", "1", "-o", "a.html")
    assert result.returncode == 0, result.stderr


def test_errors_that_the_user_can_fix(fails, trained, tiny, write_digits, tmp_path):
    from fastdigits.data import load_digits

    (tmp_path / "a.h5").write_text("no weights")
    digits = load_digits(tiny)
    arrays = digits.train_images[:, ::2], digits.train_labels, digits.test_images[:, ::2], digits.test_labels
    write_digits(tmp_path / "small", *arrays)
    fails(2, "'nothing' is neither a model (linear", "compare", "nothing")
    fails(2, "MODEL|WEIGHTS", "compare")
    fails(2, "does not end with .png, .svg, .pdf, .md or .csv", "compare", "linear", "-o", "a.txt")
    fails(1, "it is not an HDF5 file", "compare", "linear", "a.h5")
    fails(1, "Expected 28 x 28 images", "compare", "linear", trained, "--data", "small")
    fails(1, "does not exist", "compare", "linear", "-o", "missing/a.md")
