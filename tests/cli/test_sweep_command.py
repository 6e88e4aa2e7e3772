"""`fastdigits sweep`, `fastdigits.sweep` and `fastdigits train --workers`."""

import csv
import json
import sqlite3
from contextlib import closing

import numpy as np
import pytest

pytest.importorskip("optuna")

from fastdigits import UserError
from fastdigits.storage import weights
from fastdigits.storage.history import TIMING_FIELDS
from fastdigits.sweeps.store import Store

GRID = """
[train]
data = '{tiny}'
device = "{device}"
model = "linear"
epochs = 2
[grid]
lr = [0.001, 0.01]
"""
SEARCH = """
trials = 14
ahead = 3
[train]
data = '{tiny}'
device = "reference"
model = "linear"
epochs = 3
[search]
lr = {{low = 0.0001, high = 1.0, log = true}}
batch-size = [16, 64]
"""


@pytest.fixture
def spec(tmp_path, tiny):
    """spec(text) writes spec.toml for the tiny set."""

    def spec(text, device="reference"):
        (tmp_path / "spec.toml").write_text(text.format(tiny=tiny, device=device))

    return spec


def rows_of(path):
    with Store(path) as store:
        return store.rows()


def without_times(epochs):
    return [{name: value for name, value in epoch.items() if name not in TIMING_FIELDS} for epoch in epochs]


@pytest.mark.slow
def test_a_run_has_the_bits_of_train_and_is_tested_once(spec, process, tiny, tmp_path):
    spec(GRID, device="cpu")
    result = process("sweep", "spec.toml", "--weights", "all", "--json")
    assert result.returncode == 0, result.stderr
    swept = json.loads(result.stdout)
    assert (swept["done"], swept["failed"], swept["pruned"]) == (2, 0, 0)
    options = "--data", tiny, "--model", "linear", "--epochs", "2", "--lr", "0.01", "--device", "cpu", "--json"
    trained = json.loads(process("train", *options).stdout)
    [run] = [run for run in swept["runs"] if run["settings"]["lr"] == 0.01]
    assert without_times(run["epochs"]) == without_times(trained["epochs"])
    assert run["validation_accuracy"] == trained["validation_accuracy"]
    kept, expected = weights.read(run["weights"]), weights.read(tmp_path / "weights.h5")
    assert all(np.array_equal(kept.weights[name], one) for name, one in expected.weights.items())

    assert {row.test for row in rows_of(tmp_path / "spec.db")} == {None}
    [number] = [row.run for row in rows_of(tmp_path / "spec.db") if row.key == run["key"]]
    for _ in range(2):
        tested = json.loads(process("sweep", "test", "spec.db", number, "--json").stdout)
        assert tested["test"]["accuracy"] == trained["test"]["accuracy"]
    (tmp_path / "all").rename(tmp_path / "away")  # from now on networks are trained again
    best = process("sweep", "test", "spec.db")
    assert best.returncode == 0, best.stderr
    assert "test accuracy" in best.stdout


@pytest.mark.slow
def test_a_search_that_goes_on_ends_like_one_without_interruption(spec, process, tmp_path):
    spec(SEARCH)
    first = process("sweep", "spec.toml", "--workers", "2")
    assert first.returncode == 0, first.stderr
    rows = rows_of(tmp_path / "spec.db")
    assert "best by validation: lr" in first.stdout
    assert {row.status for row in rows} == {"done", "pruned"}
    assert all(len(row.epochs) < 3 for row in rows if row.status == "pruned")
    with closing(sqlite3.connect(tmp_path / "spec.db")) as database, database:
        database.execute("DELETE FROM runs WHERE run > 4 AND run % 3 > 0")
    resumed = process("sweep", "spec.toml", "--resume", "--workers", "1")
    assert resumed.returncode == 0, resumed.stderr

    def table(rows):
        return {row.key: (row.settings, row.status, without_times(row.epochs)) for row in rows}

    assert table(rows_of(tmp_path / "spec.db")) == table(rows)


@pytest.mark.slow
@pytest.mark.long
def test_from_python(spec, run_python, environment, tmp_path, tiny):
    pytest.importorskip("pandas")
    program = f"""
import fastdigits
if __name__ == "__main__":
    description = {{
        "folds": 2,
        "train": {{"data": {str(tiny)!r}, "device": "reference", "model": "linear", "epochs": 1}},
        "grid": {{"lr": [0.01, 1e30]}},
    }}
    rows = fastdigits.sweep(description, workers=1, verbose=0)
    frame = fastdigits.sweep(description, resume=True, as_frame=True, verbose=0)
    assert [row["fold"] for row in rows] == [*frame.fold] == [1, 2, 1, 2]
    assert [*frame.status] == ["done", "done", "failed", "failed"]
    assert [*frame.lr] == [0.01, 0.01, 1e30, 1e30]
    try:
        fastdigits.sweep(description)
    except fastdigits.UserError as error:
        print(error)
"""
    (tmp_path / "program.py").write_text(program)
    result = run_python("program.py", cwd=tmp_path, env=environment)
    assert result.returncode == 0, result.stderr
    assert "has 4 runs of this sweep already" in result.stdout


@pytest.mark.slow
def test_a_script_without_a_guard_is_one_sentence(spec, run_python, environment, tmp_path):
    spec(GRID)
    (tmp_path / "program.py").write_text("import fastdigits\nfastdigits.sweep('spec.toml', workers=1)\n")
    result = run_python("program.py", cwd=tmp_path, env=environment)
    assert result.returncode == 1
    assert result.stdout.count("none of them in sweep.db") == 1
    assert result.stderr.splitlines()[-1].endswith(
        "must start them below 'if __name__ == \"__main__\":', because each worker imports it."
    )
    assert "bootstrapping" not in result.stderr


@pytest.mark.slow
def test_runs_and_folds_on_workers_give_the_same_file(process, tiny, tmp_path):
    options = "train", "--data", tiny, "--device", "reference", "--model", "linear", "--epochs", "2", "--json"
    tables, logs = [], []
    for name, more in (("serial", ()), ("shared", ("--workers", "2"))):
        outputs = "--output", f"{name}.h5", "--stats", f"{name}.json", "--log", f"csv:{name}.csv"
        done = process(*options, "--runs", "3", *outputs, *more)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["output"] == f"{name}.h5"
        runs = json.loads((tmp_path / f"{name}.json").read_text())["runs"]
        tables.append([(run["seed"], without_times(run["epochs"]), run["test"]) for run in runs])
        with (tmp_path / f"{name}.csv").open(newline="") as file:
            ignored = ("run", *TIMING_FIELDS)  # the order in which the runs ended, and times
            rows = [{key: value for key, value in row.items() if key not in ignored} for row in csv.DictReader(file)]
        logs.append(sorted(rows, key=lambda row: (row["seed"], row["epoch"])))
    assert tables[0] == tables[1]
    assert logs[0] == logs[1]
    assert len(logs[0]) == 6
    assert (tmp_path / "serial.h5").read_bytes() == (tmp_path / "shared.h5").read_bytes()

    tune = "train", "--data", tiny, "--device", "reference", "--epochs", "1", "--from", "serial.h5", "--runs", "2"
    for name, more in (("tuned", ()), ("tuned-shared", ("--workers", "2"))):
        assert process(*tune, "--output", f"{name}.h5", *more).returncode == 0
    assert (tmp_path / "tuned.h5").read_bytes() == (tmp_path / "tuned-shared.h5").read_bytes()


@pytest.mark.slow
@pytest.mark.long
def test_runs_that_fail_on_workers_are_tried_again(process, tiny):
    options = "train", "--data", tiny, "--device", "reference", "--model", "linear", "--epochs", "1", "--lr", "1e30"
    done = process(*options, "--folds", "2", "--restart-dead", "1", "--workers", "1")
    assert done.returncode == 1
    assert "Error: All 4 training runs failed" in done.stderr
    lines = done.stdout.splitlines()
    for fold in ("fold 1 of 2", "fold 2 of 2"):
        assert lines.count(fold) == 1
        assert sum(line.startswith(f"{fold}, another try with seed") for line in lines) == 1
        assert sum(line.startswith(f"run failed: {fold}") for line in lines) == 2


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("[train]\nlearning_rate = 1", "There is no option 'learning_rate'"),
        ("[train]\nepoch = 1", "did you mean epochs?"),
        ("[grid]\nlr = [0.1, -1]", "'--lr'"),
        ("[grid]\nlr = [0.1, 'fast']", "'--lr'"),
        ("[train]\nlr = [0.1, 0.2]", "lr takes one value, not [0.1, 0.2]; several to try belong into [grid]"),
        ("[grid]\nbatch-size = [0]", "'--batch-size'"),
        ("[grid]\nmodel = ['lenet', 'lent']", "lent"),
        ("[train]\nmodel = 'cnn'\n[grid]\nhidden = [[10]]", "has no option --hidden"),
        ("[train]\nfuse = 'no'", "fuse must be true or false"),
        ("[train]\nepochs = true", "epochs cannot be True"),
        ("[train]\noutput = 'a.h5'", "output is no setting of a run; use --weights"),
        ("[train]\nseed = 1", "use seeds"),
        ("[train]\nrecipe = 'fast'", "give validation = 5000"),
        ("[train]\nthreads = 100000", "'--threads'"),
        ("folds = 3\n[train]\nvalidation = 100", "leave --validation out"),
        ("trials = 3\n[search]\nlr = {low = -1, high = 1}", "'--lr'"),
        ("trials = 3\n[search]\nactivation = ['relu', 'relo']", "'--activation'"),
    ],
)
def test_settings_are_checked_before_anything_starts(settings, says, invoke, tmp_path, tiny):
    text = settings if "[train]" in settings else f"{settings}\n[train]"
    data = text.replace("[train]", f"[train]\ndata = '{tiny}'")
    (tmp_path / "spec.toml").write_text(data)
    result = invoke("sweep", "spec.toml")
    assert isinstance(result.exception, UserError), result.output
    assert says in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not (tmp_path / "spec.db").exists()


@pytest.mark.parametrize(
    ("package", "text", "options"),
    [("distributed", GRID, ("--scheduler", "tcp://127.0.0.1:1")), ("optuna", SEARCH, ())],
)
def test_a_missing_package_is_one_sentence(package, text, options, spec, run_python, environment, tmp_path):
    spec(text)
    program = f"""
import sys
sys.modules[{package!r}] = None  # as if it were not installed
from fastdigits.cli import main
if __name__ == "__main__":
    main()
"""
    result = run_python("-c", program, "sweep", "spec.toml", *options, cwd=tmp_path, env=environment)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: This needs more packages")
    assert result.stderr.endswith("run: pip install 'fastdigits[sweep]'.\n")
    assert result.stderr.count("\n") == 1


def test_more_threads_than_cores_are_refused(spec, invoke, monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    spec(GRID)
    result = invoke("sweep", "spec.toml", "--workers", "3")
    assert "3 workers of 1 thread need more than the 2 cores" in str(result.exception)


def test_a_mistyped_command_is_not_taken_for_a_file(fails, invoke):
    assert "No such command 'result'. Did you mean 'results'?" in invoke("sweep", "result", "spec.db").output
    fails(1, "Cannot read results.toml", "sweep", "results.toml")
    fails(1, "Cannot read lenet", "sweep", "lenet")


def test_without_a_scheduler_no_store_is_left(spec, fails, tmp_path):
    spec(GRID)
    fails(1, "No scheduler of Dask answers", "sweep", "spec.toml", "--scheduler", "tcp://127.0.0.1:1")
    assert not (tmp_path / "spec.db").exists()


def test_a_store_in_no_folder_and_two_kinds_of_workers_are_refused(spec, fails):
    spec(GRID)
    fails(1, "The folder missing does not exist; create it", "sweep", "spec.toml", "--store", "missing/a.db")
    fails(1, "No file is written to standard output", "sweep", "spec.toml", "--store", "-")
    fails(1, "Nothing is written to standard output", "sweep", "spec.toml", "--weights", "-")
    fails(2, "leave one out", "sweep", "spec.toml", "--workers", "1", "--scheduler", "tcp://127.0.0.1:9")


def test_a_damaged_store_is_one_sentence(spec, fails, tmp_path):
    spec(GRID)
    (tmp_path / "spec.db").write_bytes(b"no database" * 1000)
    fails(1, "is damaged or no store", "sweep", "spec.toml")
    fails(1, "is damaged or no store", "sweep", "test", "spec.db")
    fails(1, "There is no store none.db", "sweep", "test", "none.db")


@pytest.mark.parametrize("arguments", [["sweep"], ["sweep", "run"], ["sweep", "test"]])
def test_help_has_an_example(arguments, invoke):
    assert "fastdigits sweep" in invoke(*arguments, "--help").stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--workers", "2"], "--workers shares out --runs or --folds"),
        (["--workers", "2", "--runs", "2", "--log-every", "5"], "--log-every follows a training in this process"),
    ],
)
def test_options_that_do_not_fit_workers_are_refused(options, says, invoke):
    result = invoke("train", *options)
    assert result.exit_code == 2
    assert says in result.output
