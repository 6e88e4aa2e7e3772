"""`fastdigits train --log`."""

import csv
import json

import pytest

LINEAR = ("train", "--model", "linear", "--device", "reference")


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def train(invoke, tiny):
    """train(*arguments) trains on the tiny set and returns the summary."""

    def train(*arguments):
        result = invoke("train", "--data", tiny, "--device", "reference", "--json", *arguments)
        assert result.exit_code == 0, result.exception or result.stderr
        return json.loads(result.stdout)

    return train


def test_the_csv_log_is_the_table_of_stats(train, tmp_path):
    train("--model", "linear", "--epochs", "2", "--runs", "2", "--log", "csv:log.csv", "--stats", "stats.csv")
    assert (tmp_path / "log.csv").read_text() == (tmp_path / "stats.csv").read_text()
    assert [(row["run"], row["seed"], row["epoch"]) for row in table(tmp_path / "log.csv")] == [
        ("1", "0", "1"),
        ("1", "0", "2"),
        ("2", "1", "1"),
        ("2", "1", "2"),
    ]


def test_each_fold_is_a_run(train, tmp_path):
    summary = train("--model", "linear", "--epochs", "1", "--folds", "2", "--log", "tensorboard:runs",
                    "--log", "csv:log.csv")  # fmt: skip
    assert {folder.name for folder in (tmp_path / "runs").iterdir()} == {"linear-fold1-seed0", "linear-fold2-seed0"}
    rows = table(tmp_path / "log.csv")
    assert [row["fold"] for row in rows] == ["1", "2"]
    assert [float(row["test_accuracy"]) for row in rows] == [one["test"]["accuracy"] for one in summary["trainings"]]


def test_a_resumed_training_is_a_run_with_all_its_epochs(train, tmp_path):
    train("--model", "linear", "--epochs", "1", "--output", "short.h5", "--log", "csv:log.csv")
    train("--resume", "short.h5", "--epochs", "3", "--output", "long.h5", "--log", "csv:log.csv")
    assert [(row["run"], row["epoch"]) for row in table(tmp_path / "log.csv")] == [
        ("1", "1"),
        ("2", "1"),
        ("2", "2"),
        ("2", "3"),
    ]


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
def test_a_training_that_diverges_is_logged_up_to_its_last_finite_epoch(invoke, tiny, tmp_path):
    growing = ("--optimizer", "sgd", "--lr", "1e-4", "--weight-decay", "25000", "--schedule", "constant")
    result = invoke(
        *LINEAR, *growing, "--epochs", "100", "--batch-size", "7", "--data", tiny, "--log", "csv:log.csv", "--json"
    )
    assert result.exit_code == 1
    summary = json.loads(result.stdout)
    rows = table(tmp_path / "log.csv")
    assert [int(row["epoch"]) for row in rows] == list(range(1, summary["kept_epoch"] + 1))
    assert {float(row["test_accuracy"]) for row in rows} == {summary["test"]["accuracy"]}


@pytest.mark.slow
def test_the_log_of_an_interrupted_training_is_complete(interrupt_after, tiny, tmp_path):
    code, output, _ = interrupt_after("epoch", *LINEAR, "--epochs", "5000", "--data", tiny, "--log", "csv:log.csv")
    assert code == 130
    assert "--log csv:log.csv" in output
    numbers = [int(row["epoch"]) for row in table(tmp_path / "log.csv")]
    assert numbers == list(range(1, numbers[-1] + 1))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlflow_keeps_the_weights_of_the_best_run(train, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    summary = train("--model", "linear", "--epochs", "1", "--runs", "2", "--log", "mlflow:sqlite:///runs.db")
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'runs.db'}")
    runs = client.search_runs([client.get_experiment_by_name("fastdigits").experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    accuracies = {run.data.params["seed"]: run.data.metrics["test_accuracy"] for run in runs}
    assert accuracies == {str(one["seed"]): one["test"]["accuracy"] for one in summary["trainings"]}
    files = {run.data.params["seed"]: [file.path for file in client.list_artifacts(run.info.run_id)] for run in runs}
    assert files[str(summary["seed"])] == ["weights.h5"]
    assert sorted(files.values()) == [[], ["weights.h5"]]


def test_a_log_that_cannot_be_written_ends_the_command_before_training(invoke, tiny, tmp_path):
    result = invoke(*LINEAR, "--data", tiny, "--log", "csv:missing/log.csv")
    assert "missing does not exist" in str(result.exception)
    assert "epoch" not in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--log", "runs.csv"), "'runs.csv' is no log; give one such as csv:runs.csv"),
        (("--log", "csv:a.csv", "--stats", "a.csv"), "--stats and --log name the same file"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(invoke, tiny, arguments, says):
    result = invoke(*LINEAR, "--data", tiny, *arguments)
    assert result.exit_code == 2
    assert says in result.stderr


def test_show_lists_the_logs(invoke):
    shown = invoke("train", "--log", "csv:a.csv", "--log", "tensorboard:runs", "--show").stdout
    assert "csv:a.csv, tensorboard:runs" in shown
    assert shown.splitlines()[-1].endswith(" --log csv:a.csv --log tensorboard:runs")
