"""`fastdigits sweep results`, and `fastdigits report` of a store."""

import csv
import json

import pytest
from sweep_rows import run_row

from fastdigits.sweeps.store import Store

ACCURACIES = {0.01: [0.97, 0.98, 0.975], 0.1: [0.9, 0.93, 0.91], 1.0: [0.5]}


@pytest.fixture
def store(tmp_path):
    """A store of three learning rates, two of them with three seeds, and one that failed."""
    with Store(tmp_path / "linear.db", create=True) as store:
        for lr, accuracies in ACCURACIES.items():
            for seed, accuracy in enumerate(accuracies):
                store.add(run_row(accuracy, seed, {"lr": lr}))
        store.add(run_row(None, 0, {"lr": 10.0}, status="failed", kept_epoch=None))
        test = {"images": 100, "correct": 50, "accuracy": 0.5, "loss": 0.1, "finished": "2026-01-31T12:00:00Z"}
        store.add_test(1, test)
    return "linear.db"


def test_the_table_ranks_by_validation(invoke, store):
    result = invoke("sweep", "results", store)
    assert result.exit_code == 0, result.exception
    head, _, *rows, note = result.stdout.splitlines()
    heads = [cell.strip() for cell in head.strip("|").split("|")]
    assert heads == ["place", "lr", "seeds", "accuracy", "std", "lowest", "highest", "loss", "train s"]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert cells[0] == ["1", "0.01", "3", "97.50%", "0.50%", "97.00%", "98.00%", "0.0250", "1.50"]
    assert cells[2] == ["3", "1", "1", "50.00%", "unknown", "unknown", "unknown", "0.5000", "1.50"]
    assert note == "1 setting is not ranked, because all runs failed"


def test_settings_that_are_not_given_or_empty_have_words(invoke, tmp_path):
    with Store(tmp_path / "words.db", create=True) as store:
        store.add(run_row(0.9, 0, {"lr": None, "augment": ""}))
        store.add(run_row(0.8, 0, {"lr": 0.1, "augment": "shift=1"}))
    rows = invoke("sweep", "results", "words.db").stdout.splitlines()[2:]
    assert [row.replace(" ", "").split("|")[2:4] for row in rows] == [["default", "none"], ["0.1", "shift=1"]]


def test_a_run_that_cannot_be_tested_is_one_sentence(fails, store):
    fails(1, "has no run 8 that is done; choose one of 1, 2, 3, 4, 5, 6, 7.", "sweep", "test", store, "8")


def test_two_settings_are_compared_over_the_same_seeds(invoke, store):
    compared = invoke("sweep", "results", store, "--compare", "1", "2").stdout.splitlines()[-1]
    assert compared.startswith("place 1 is +6.167 percentage points from place 2 over 3 pairs of runs with the same")
    assert compared.endswith("; the 95 % interval, +3.581 to +8.752, excludes 0")
    single = invoke("sweep", "results", store, "--compare", "2", "3").stdout.splitlines()[-1]
    assert single.endswith("over 1 pair of runs with the same seeds; the interval is unknown")


def test_json_has_the_ranking_and_the_comparison(invoke, store):
    content = json.loads(invoke("sweep", "results", store, "--json", "--compare", "1", "2").stdout)
    assert [one["settings"] for one in content["ranking"]] == [{"lr": lr} for lr in ACCURACIES]
    assert content["ranking"][2]["validation_accuracy"]["std"] is None
    assert content["comparison"]["pairs"] == 3
    assert content["comparison"]["interval_95"][0] > 0
    assert "test" not in json.dumps(content)


def test_tables_and_figures_are_written(invoke, store, tmp_path):
    outputs = [word for name in ("a.csv", "a.md", "a.png", "a.svg") for word in ("-o", name)]
    for kind in ("settings", "parallel", "seconds"):
        result = invoke("sweep", "results", store, *outputs, "--kind", kind)
        assert result.exit_code == 0, result.exception
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["lr"]) for row in rows] == list(ACCURACIES)
    assert float(rows[0]["validation_accuracy_mean"]) == pytest.approx(0.975)
    assert rows[2]["validation_accuracy_std"] == ""
    assert (tmp_path / "a.md").read_text().startswith("linear.db: 7 runs, 3 settings\n\n| place | lr ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.db"], "There is no store missing.db"),
        (["linear.db", "--compare", "1", "4"], "linear.db has no place 4; choose 1 to 3."),
    ],
)
def test_errors_are_one_sentence(invoke, store, arguments, says):
    result = invoke("sweep", "results", *arguments)
    assert result.exit_code == 1
    assert says in str(result.exception)


def test_a_store_without_finished_runs_is_one_sentence(invoke, tmp_path):
    with Store(tmp_path / "empty.db", create=True):
        pass
    for arguments in (("sweep", "results", "empty.db"), ("report", "empty.db")):
        assert "empty.db has no run that is done" in str(invoke(*arguments).exception)


def test_a_report_takes_a_store(invoke, store, tmp_path):
    result = invoke("report", store, "-o", "sweep.html", "--json")
    assert result.exit_code == 0, result.exception
    assert json.loads(result.stdout)["best"]["settings"] == {"lr": 0.01}
    page = (tmp_path / "sweep.html").read_text()
    assert "<h1>Sweep of linear on mnist</h1>" in page
    assert page.count("<svg") == 4
    assert "place 1 is +6.167 percentage points from place 2" in page
    assert "50.00%, 50 of 100 images" in page


def test_a_report_of_a_store_takes_no_data(invoke, store):
    result = invoke("report", store, "--data", "mnist")
    assert result.exit_code == 2
    assert "--data does not apply to the store of a sweep; leave it out." in result.stderr
