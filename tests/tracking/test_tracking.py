"""Logs of trainings, read back with the programs that they are for."""

import csv
import errno
import io
import os
import sys

import numpy as np
import pytest

from fastdigits import Callback, Dense, Flatten, Sequential, Tracker, UserError, files
from fastdigits.storage import run_table
from fastdigits.tracking import open_log

SETTINGS = {"epochs": 3, "batch_size": 16, "lr": 0.01, "schedule": "constant", "seed": 7}
METRICS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate", "seconds")
HISTORY = ("epoch", *METRICS)


@pytest.fixture(scope="module")
def blocks():
    """64 noisy images 8 x 8 of two classes on black, with light in the upper or the lower half."""
    rng = np.random.default_rng(1)
    labels = (np.arange(64) % 2).astype(np.uint8)
    images = np.zeros((64, 8, 8), np.uint8)
    images[:, 1:7, 1:7] = rng.integers(0, 100, (64, 6, 6))
    images[labels == 0, 1:4, 1:7] += np.uint8(100)
    images[labels == 1, 4:7, 1:7] += np.uint8(100)
    return images, labels


@pytest.fixture
def fit(blocks):
    """fit(*callbacks, **settings) trains a network and returns its history."""

    def fit(*callbacks, **settings):
        model = Sequential([Flatten(), Dense(2)], input_shape=(1, 8, 8), device="reference")
        return model.fit(*blocks, callbacks, **SETTINGS | settings)

    return fit


class Acting(Callback):
    """Calls a function after epoch 2."""

    def __init__(self, act):
        self.act = act

    def on_epoch_end(self, record):
        if record.epoch == 2:
            self.act()


def interrupt():
    raise KeyboardInterrupt


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def scalars(folder):
    """The scalars that TensorBoard reads, by name, each a list of (step, value)."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return {name: [(one.step, one.value) for one in events.Scalars(name)] for name in events.Tags()["scalars"]}


def settings_and_status(folder):
    """The settings that TensorBoard's tab HParams reads, and whether the training succeeded."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    events = EventAccumulator(str(folder))
    events.Reload()
    content = [
        HParamsPluginData.FromString(events.summary_metadata[f"_hparams_/session_{part}_info"].plugin_data.content)
        for part in ("start", "end")
    ]
    values = {name: getattr(value, value.WhichOneof("kind"))
              for name, value in content[0].session_start_info.hparams.items()}  # fmt: skip
    return values, content[1].session_end_info.status == 1


def test_a_table_has_a_row_per_epoch_as_soon_as_it_ends(tmp_path, fit):
    path, seen = tmp_path / "runs.csv", []
    history = fit(Tracker(f"csv:{path}", dataset="blocks"), Acting(lambda: seen.extend(table(path))))
    assert [row["epoch"] for row in seen] == ["1", "2"]
    rows = table(path)
    for name in HISTORY:
        assert [float(row[name]) for row in rows] == history[name]
    assert {(row["run"], row["dataset"], row["seed"], row["kept_epoch"]) for row in rows} == {("1", "blocks", "7", "")}


def test_rows_are_appended_to_a_table_of_any_size(tmp_path, fit):
    """The file is replaced neither after the second nor after the third epoch, and what was in it is not read again."""
    path, seen = tmp_path / "runs.csv", []
    tracker = Tracker(f"csv:{path}")
    fit(tracker)

    class Looking(Callback):
        def on_epoch_end(self, record):
            seen.append((path.stat().st_ino, path.stat().st_size))

    fit(tracker, Looking())
    assert len({inode for inode, _ in seen}) == 1
    assert len({size for _, size in seen}) == 3
    assert [row["run"] for row in table(path)] == ["1"] * 3 + ["2"] * 3


@pytest.mark.parametrize("fault", ["full", "interrupted"])
def test_a_row_is_appended_completely_or_not_at_all(tmp_path, monkeypatch, fault):
    path = tmp_path / "runs.csv"
    path.write_bytes(b"row\n")

    class Half(io.FileIO):
        def write(self, content):
            if self.tell() > 4:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) if fault == "full" else KeyboardInterrupt
            return super().write(content[:2])

    monkeypatch.setattr(files, "open", lambda path, mode, buffering: Half(path, mode), raising=False)
    with pytest.raises(UserError if fault == "full" else KeyboardInterrupt):
        files.append(path, b"1234\n")
    assert path.read_bytes() == b"row\n"


def test_each_training_is_a_run_of_the_table(tmp_path, fit):
    tracker = Tracker(f"csv:{tmp_path / 'runs.csv'}")
    fit(tracker)
    fit(tracker, epochs=1, seed=8)
    assert [(row["run"], row["seed"]) for row in table(tmp_path / "runs.csv")] == [("1", "7")] * 3 + [("2", "8")]


def test_a_run_put_into_a_table_piece_by_piece_is_the_one_added_at_once(tmp_path):
    epochs = [dict.fromkeys(run_table.OF_EPOCH, number / 3) | {"epoch": number} for number in (1, 2, 3)]
    run = {"model": 'a "model", of mine', "dataset": "mnist", "seed": 0, "epochs": epochs}
    done = {**run, "kept_epoch": 2, "test": {"accuracy": 0.5, "loss": 0.25}}
    whole, pieces = tmp_path / "whole.csv", tmp_path / "pieces.csv"
    run_table.add(whole, [done, done, done])
    run_table.add(pieces, [done])
    number = run_table.put(pieces, {**run, "epochs": epochs[:1]}, None)
    other = run_table.put(pieces, {**run, "epochs": epochs[:2]}, None)
    assert (number, other) == (2, 3)
    assert run_table.put(pieces, done, number) == 2
    run_table.put(pieces, done, other)
    assert sorted(pieces.read_text().splitlines()) == sorted(whole.read_text().splitlines())


def test_tensorboard_reads_what_was_logged(tmp_path, fit):
    history = fit(Tracker(f"tensorboard:{tmp_path / 'runs'}", name="small", dataset="blocks"))
    logged = scalars(tmp_path / "runs" / "small-seed7")
    for name in METRICS:
        assert logged[name] == [(step, pytest.approx(value)) for step, value in enumerate(history[name], 1)]
    settings, succeeded = settings_and_status(tmp_path / "runs" / "small-seed7")
    assert succeeded
    assert {"dataset": "blocks", "optimizer": "adamw", "normalise": True, "epochs": 3}.items() <= settings.items()


def test_each_training_is_a_folder_of_tensorboard(tmp_path, fit):
    tracker = Tracker(f"tensorboard:{tmp_path}")
    fit(tracker, epochs=1)
    fit(tracker, epochs=1)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["network-seed7", "network-seed7-2"]


def test_an_interrupted_training_is_logged_up_to_its_last_epoch(tmp_path, fit):
    trackers = Tracker(f"tensorboard:{tmp_path}"), Tracker(f"csv:{tmp_path / 'runs.csv'}")
    with pytest.raises(KeyboardInterrupt):
        fit(*trackers, Acting(interrupt))
    assert len(scalars(tmp_path / "network-seed7")["train_loss"]) == len(table(tmp_path / "runs.csv")) == 2
    assert not settings_and_status(tmp_path / "network-seed7")[1]


def test_a_full_disk_loses_no_event(tmp_path, fit, monkeypatch):
    """The first half of a record is on the disk when the disk is full, then there is space again."""
    from fastdigits.tracking import event_files

    class Full(event_files.RecordWriter):
        broken = False

        def write(self, data):
            if Full.broken:
                self._writer.write(b"half")
                self._writer.flush()
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            super().write(data)

    monkeypatch.setattr(event_files, "RecordWriter", Full)

    class Filling(Callback):
        def on_epoch_end(self, record):
            Full.broken = record.epoch == 1

    with pytest.warns(UserWarning, match=r"No space left on device.* Training goes on\.") as caught:
        history = fit(Filling(), Tracker(f"tensorboard:{tmp_path}"))
    assert len(caught) == 1
    assert scalars(tmp_path / "network-seed7")["train_loss"] == [
        (step, pytest.approx(value)) for step, value in enumerate(history["train_loss"], 1)
    ]
    assert settings_and_status(tmp_path / "network-seed7")[1]


def test_a_table_that_cannot_be_written_is_a_warning_and_complete_in_the_end(tmp_path, fit):
    folder, aside = tmp_path / "runs", tmp_path / "aside"
    folder.mkdir()

    class Moving(Callback):
        def on_epoch_end(self, record):
            if record.epoch == 1:
                folder.rename(aside)
            elif record.epoch == 3:
                aside.rename(folder)

    with pytest.warns(UserWarning, match=r"does not exist.* Training goes on\.") as caught:
        history = fit(Moving(), Tracker(f"csv:{folder / 'runs.csv'}"))
    assert len(caught) == 1
    assert [float(row["train_loss"]) for row in table(folder / "runs.csv")] == history["train_loss"]


def test_a_log_that_stays_incomplete_is_told_at_the_end(tmp_path, fit):
    folder = tmp_path / "runs"
    folder.mkdir()
    tracker = Tracker(f"csv:{folder / 'runs.csv'}")
    with pytest.warns(UserWarning, match="does not exist") as caught:
        fit(Acting(lambda: folder.rename(tmp_path / "aside")), tracker)
    assert len(caught) == 2
    assert not str(caught[1].message).endswith("Training goes on.")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("runs.csv", "'runs.csv' is no log; give one such as csv:runs.csv"),
        ("csv:", "'csv:' is no log"),
        ("wandb:x", "'wandb:x' is no log"),
        ("csv:missing/runs.csv", "missing does not exist"),
        ("csv:other", "other is not a table that 'train --stats' wrote"),
        ("tensorboard:other", "File exists"),
        ("tensorboard:-", "Nothing is written to standard output"),
        ("csv:-", "No file is written to standard output"),
        ("tensorboard:s3://bucket", "'s3://bucket' is no folder"),
    ],
)
def test_a_target_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch, target, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").write_text("something else\n")
    with pytest.raises(UserError) as caught:
        Tracker(target)
    assert says in str(caught.value)
    assert os.listdir(tmp_path) == ["other"]


@pytest.mark.parametrize(
    ("target", "package", "module"),
    [("tensorboard:runs", "tensorboardX", "event_files"), ("mlflow:sqlite:///runs.db", "mlflow", "mlflow_runs")],
)
def test_a_missing_package_is_one_sentence_that_names_the_extra(tmp_path, monkeypatch, target, package, module):
    monkeypatch.chdir(tmp_path)
    loaded = [name for name in sys.modules if name.partition(".")[0] == package]
    for name in [*loaded, f"fastdigits.tracking.{module}"]:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"needs the package {package}.*pip install 'fastdigits\[{target[:6]}"):
        open_log(target)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlflow_reads_what_was_logged(tmp_path, fit, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    address = f"sqlite:///{tmp_path / 'runs.db'}"
    tracker = Tracker(f"mlflow:{address}", dataset="blocks")
    history = fit(tracker)
    (tmp_path / "weights.h5").write_bytes(b"weights")
    tracker.add_file(tmp_path / "weights.h5")
    with pytest.raises(KeyboardInterrupt):
        fit(tracker, Acting(interrupt), seed=8)
    client = mlflow.MlflowClient(address)
    experiment = client.get_experiment_by_name("fastdigits")
    second, first = client.search_runs([experiment.experiment_id])
    assert (first.info.run_name, first.info.status) == ("network-seed7", "FINISHED")
    assert (second.info.run_name, second.info.status) == ("network-seed8", "KILLED")
    assert first.data.params["lr"] == "0.01"
    assert first.data.params["dataset"] == "blocks"
    for name in METRICS:
        logged = client.get_metric_history(first.info.run_id, name)
        assert [(one.step, one.value) for one in logged] == list(enumerate(history[name], 1))
    assert len(client.get_metric_history(second.info.run_id, "train_loss")) == 2
    assert [file.path for file in client.list_artifacts(first.info.run_id)] == ["weights.h5"]
    assert (tmp_path / "mlartifacts").is_dir()
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:9", "Connection refused"),
        ("bogus://x", "unsupported URI 'bogus://x'"),
        ("./mlruns", "maintenance mode"),
        ("sqlite:///other", "file is not a database"),
    ],
)
def test_mlflow_that_cannot_be_reached_is_one_sentence(tmp_path, monkeypatch, address, reason):
    pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").write_text("something else\n" * 1000)
    with pytest.raises(UserError, match=rf"^Cannot log to mlflow:{address} \(.*{reason}.*\); start its server, or"):
        Tracker(f"mlflow:{address}")
