import csv
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastdigits.errors import UserError
from fastdigits.storage import run_statistics, run_table


def run(train_s: float, accuracies: list[float], validation: bool = True) -> dict:
    """Return the parts of a run's `train --json` output that statistics need."""
    epochs = [
        {
            "seconds": train_s / len(accuracies),
            "train_accuracy": a,
            "validation_accuracy": a / 2 if validation else None,
        }
        for a in accuracies
    ]
    return {
        "model": "linear",
        "batch_size": 100,
        "epochs": epochs,
        "test": {"accuracy": accuracies[-1]},
        "seconds": {"train": train_s, "validation": 0.5 if validation else 0.0, "total": train_s + 3},
        "images_per_second": 1000 / train_s,
    }


FIRST, SECOND = run(1.0, [0.5, 0.75]), run(3.0, [0.25, 0.5, 0.75], validation=False)


def test_one_run(tmp_path):
    run_statistics.add(tmp_path / "stats.json", [FIRST])
    assert json.loads((tmp_path / "stats.json").read_text()) == {
        "times_run": 1,
        "dead_runs": 0,
        "times": {"step": 0.1, "epoch": 0.5, "training": 1.0, "validation": 0.5, "total": 4.0},
        "epoch_accuracies": [[0.5, 0.75]],
        "validation_accuracies": [[0.25, 0.375]],
        "test_accuracies": [0.75],
        "runs": [FIRST],
    }


def test_runs_add_up(tmp_path):
    for added in (FIRST, SECOND, SECOND):
        run_statistics.check(str(tmp_path / "stats.json"))
        run_statistics.add(str(tmp_path / "stats.json"), [added])
    content = json.loads((tmp_path / "stats.json").read_text())
    assert content["times_run"] == 3
    assert content["runs"] == [FIRST, SECOND, SECOND]
    assert content["times"] == pytest.approx(
        {"step": 0.7 / 3, "epoch": 7 / 8, "training": 7 / 3, "validation": 0.5 / 3, "total": 16 / 3}
    )
    assert content["epoch_accuracies"] == [[0.5, 0.75], [0.25, 0.5, 0.75], [0.25, 0.5, 0.75]]
    assert content["validation_accuracies"] == [[0.25, 0.375], [None] * 3, [None] * 3]
    assert content["test_accuracies"] == [0.75] * 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\xff\xfe",
        b"\x89HDF\r\n\x1a\n",
        b"[]",
        b"5",
        b"{}",
        b'{"runs": 5}',
        b'{"runs": []}',
        b'{"runs": {"a": 1}}',
        b'{"runs": [1]}',
        b'{"runs": [{"epochs": []}]}',
        json.dumps({"runs": [FIRST | {"images_per_second": 0}]}).encode(),
        json.dumps({"runs": [FIRST | {"epochs": 5}]}).encode(),
        json.dumps({"runs": [FIRST | {"test": None}]}).encode(),
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:30]),
)
def test_a_foreign_file_is_refused_and_stays(content, tmp_path):
    path = tmp_path / "stats.json"
    path.write_bytes(content)
    for use in (run_statistics.check, lambda path: run_statistics.add(path, [FIRST])):
        with pytest.raises(UserError, match=r"stats\.json"):
            use(path)
    assert path.read_bytes() == content


def test_paths_that_cannot_be_written_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "missing" / "stats.json", tmp_path / ("a" * 300)):
        with pytest.raises(UserError):
            run_statistics.check(path)
    assert list(tmp_path.iterdir()) == []


def test_check_leaves_nothing_behind(tmp_path):
    run_statistics.check(tmp_path / "stats.json")
    assert list(tmp_path.iterdir()) == []
    run_statistics.add(tmp_path / "stats.json", [FIRST])
    before = (tmp_path / "stats.json").read_bytes()
    run_statistics.check(tmp_path / "stats.json")
    assert (tmp_path / "stats.json").read_bytes() == before


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "stats.json"
    run_statistics.add(path, [FIRST])
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(UserError, match="No space left on device"):
        run_statistics.add(path, [SECOND])
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["stats.json", "stats.txt"]


def full_run(seed: int, **tags: int) -> dict:
    """Return what a row of the table needs of a run."""
    epochs = [
        {"epoch": n, "train_loss": 1 / n, "train_accuracy": 0.5, "validation_loss": None, "validation_accuracy": None}
        for n in (1, 2)
    ]
    epochs = [epoch | {"learning_rate": 0.01, "seconds": 1.5, "images_per_second": 1e4} for epoch in epochs]
    names = {"model": "a, b", "dataset": "mnist", "seed": seed, "kept_epoch": 2}
    return names | {"epochs": epochs, "test": {"accuracy": 0.75, "loss": 0.5}} | tags


def test_a_table_has_a_row_for_each_epoch(tmp_path):
    path = tmp_path / "runs.CSV"
    for added in ([full_run(3), full_run(4)], [], [full_run(5, fold=2)]):
        run_statistics.check(path)
        run_statistics.add(path, added)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["run"], row["seed"], row["epoch"]) for row in rows] == [
        *(("1", "3", "1"), ("1", "3", "2"), ("2", "4", "1"), ("2", "4", "2"), ("3", "5", "1"), ("3", "5", "2")),
    ]
    assert rows[5]["fold"] == "2"
    assert rows[1] == {
        **{"run": "1", "model": "a, b", "dataset": "mnist", "seed": "3", "fold": "", "epoch": "2", "train_loss": "0.5"},
        **{"train_accuracy": "0.5", "validation_loss": "", "validation_accuracy": "", "learning_rate": "0.01"},
        **{"seconds": "1.5", "images_per_second": "10000.0"},
        **{"kept_epoch": "2", "test_accuracy": "0.75", "test_loss": "0.5"},
    }
    assert [file.name for file in tmp_path.iterdir()] == ["runs.CSV"]
    assert run_statistics.files(path) == [path]


unlocked_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="no locks")


def at_once(function):
    """Call function(0) to function(3) in four threads, whose locks exclude each other as those of processes do."""
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(function, range(4)))


@unlocked_on_windows
@pytest.mark.parametrize("name", ["stats.json", "runs.csv"])
def test_trainings_that_end_at_once_keep_the_runs_of_each_other(tmp_path, name):
    path = tmp_path / name

    def train(thread):
        for number in range(5):
            run_statistics.add(path, [full_run(10 * thread + number) if name == "runs.csv" else FIRST])

    at_once(train)
    if name == "stats.json":
        assert len(run_statistics.read(path)) == 20
        assert (tmp_path / "stats.txt").read_text().startswith("runs: 20;")
        return
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["run"]) for row in rows] == [run for run in range(1, 21) for _ in range(2)]
    assert len({row["seed"] for row in rows}) == 20


@unlocked_on_windows
def test_trainings_that_log_to_one_table_at_once_take_different_numbers(tmp_path):
    path = tmp_path / "runs.csv"

    def train(thread):
        run = full_run(thread)
        epochs = run.pop("epochs")
        number = run_table.put(path, run | {"epochs": epochs[:1]}, None)
        for _ in range(5):
            run_table.extend(path, run | {"epochs": epochs[1:]}, number)
        run_table.put(path, run | {"epochs": epochs}, number)

    at_once(train)
    with path.open(newline="") as file:
        rows = [(int(row["run"]), int(row["seed"]), int(row["epoch"])) for row in csv.DictReader(file)]
    assert sorted(number for number, _, _ in rows) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert {seed for _, seed, _ in rows} == {0, 1, 2, 3}


def test_a_table_without_its_last_line_break_is_continued(tmp_path):
    path = tmp_path / "runs.csv"
    run_statistics.add(path, [full_run(3)])
    whole = path.read_bytes()
    path.write_bytes(whole.rstrip(b"\n"))
    run_statistics.add(path, [])
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"a,b\n1,2\n", b"\xff", b'"', b"{}", ",".join(run_table.COLUMNS).encode() + b"\n1,2\n"]
)
def test_a_foreign_table_is_refused_and_stays(tmp_path, content):
    path = tmp_path / "runs.csv"
    path.write_bytes(content)
    for use in (run_statistics.check, lambda path: run_statistics.add(path, [full_run(3)])):
        with pytest.raises(UserError, match=r"runs\.csv is not a table that 'train --stats' wrote"):
            use(path)
    assert path.read_bytes() == content


def test_a_table_is_no_statistics_file(tmp_path):
    with pytest.raises(UserError, match="is a table for spreadsheets"):
        run_statistics.read(tmp_path / "runs.csv")


def test_a_text_file_of_another_program_is_not_replaced(tmp_path):
    (tmp_path / "notes.txt").write_text("buy milk")
    with pytest.raises(UserError, match=r"would replace .*notes\.txt"):
        run_statistics.check(tmp_path / "notes.json")
    assert (tmp_path / "notes.txt").read_text() == "buy milk"
