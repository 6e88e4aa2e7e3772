"""Resumed training gives the same bits as uninterrupted training."""

from dataclasses import asdict

import numpy as np
import pytest
from hdf5_files import edited

from fastdigits.config.training import OPTIMIZERS, TrainConfig
from fastdigits.errors import UserError
from fastdigits.storage import weights
from fastdigits.training import checkpoint
from fastdigits.training.callbacks import Callback
from fastdigits.training.checkpoint import Checkpoints

ALL = {"ema": 0.9, "clip_norm": 1.0, "keep_best": True, "warmup": 0.2}


class Interrupting(Callback):
    """Callback that raises KeyboardInterrupt after a number of steps or epochs."""

    def __init__(self, steps=0, epochs=0):
        self.steps, self.epochs = steps, epochs

    def on_step(self, *_):
        self.steps -= 1
        if self.steps == 0:
            raise KeyboardInterrupt

    def on_epoch_end(self, _):
        self.epochs -= 1
        if self.epochs == 0:
            raise KeyboardInterrupt


@pytest.fixture
def interrupted(fit, tmp_path):
    """interrupted(callback, model, ...) returns the path of the checkpoint of an interrupted run."""

    def interrupted(callback, model="linear", **settings):
        path = tmp_path / "a.checkpoint.h5"
        with pytest.raises(KeyboardInterrupt):
            fit(model, callback=callback, checkpoints=Checkpoints(path, 1000, model, "arrays"), **settings)
        return path

    return interrupted


@pytest.fixture
def resume(fit):
    """resume(path, model) continues training and returns the network and its TrainingResult."""

    def resume(path, model="linear", **changes):
        read = checkpoint.read(path)
        return fit(model, checkpoints=Checkpoints(resumed=read), **read.saved.config | changes)

    return resume


def metrics_of(training):
    return [epoch.to_dict() for epoch in training.epochs]


@pytest.mark.parametrize("watch", [{"epochs": 1}, {"epochs": 2}, {"steps": 1}, {"steps": 4}, {"steps": 6}], ids=str)
@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("linear", {}),
        ("lenet", ALL),
        ("mlp", ALL | {"optimizer": "momentum", "schedule": "plateau", "lr_decay": 0.1}),
        ("linear", {"early_stop": 2, "optimizer": "sgd", "lr": 0.5, "schedule": "constant"}),
        ("mlp", ALL | {"augment": "shift=2,rotate=10,elastic=0.6,noise=0.1,erase=4"}),
    ],
    ids=["plain", "all", "plateau", "early stop", "augmented"],
)
def test_resumed_training_equals_uninterrupted_training(model, settings, watch, interrupted, resume, fit, content):
    settings = {"epochs": 4, "batch_size": 100, **settings}  # three steps in an epoch, the last one shorter
    network, training = fit(model, **settings)
    resumed, resumed_training = resume(interrupted(Interrupting(**watch), model, **settings), model)
    assert content(resumed) == content(network)
    assert metrics_of(resumed_training) == metrics_of(training)
    assert resumed_training.kept_epoch == training.kept_epoch


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_resumes_to_the_same_bits(optimizer, interrupted, resume, fit, content):
    settings = {"epochs": 3, "optimizer": optimizer}
    path = interrupted(Interrupting(steps=4), **settings)
    assert content(resume(path)[0]) == content(fit(**settings)[0])


def test_full_batch_training_resumes_to_the_same_bits(interrupted, resume, fit, content):
    settings = {"epochs": 5, "batch_size": None}
    assert content(resume(interrupted(Interrupting(steps=2), **settings))[0]) == content(fit(**settings)[0])


def test_a_finished_run_can_be_resumed_with_more_epochs(interrupted, resume, fit, content):
    path = interrupted(Interrupting(epochs=2), epochs=2, schedule="constant", **ALL | {"warmup": 0.0})
    longer, _ = fit(epochs=4, schedule="constant", **ALL | {"warmup": 0.0})
    assert content(resume(path, epochs=4)[0]) == content(longer)


def test_resuming_a_finished_run_trains_no_further(interrupted, resume, fit, content):
    path = interrupted(Interrupting(epochs=2), epochs=2, **ALL)
    network, training = resume(path)
    assert content(network) == content(fit(epochs=2, **ALL)[0])
    assert training.images_per_second is None


def test_a_checkpoint_is_written_every_n_epochs(fit, tmp_path):
    class Listing(Callback):
        found = []

        def on_epoch_end(self, record):
            path = tmp_path / "c.h5"
            self.found.append(len(weights.read(path).history) if path.exists() else 0)

    checkpoints = Checkpoints(tmp_path / "c.h5", 2, "linear", "arrays")
    fit(epochs=6, callback=Listing(), checkpoints=checkpoints)
    assert Listing.found == [0, 0, 2, 2, 4, 4]
    assert checkpoints.written
    assert [path.name for path in tmp_path.iterdir()] == ["c.h5"]


class FullDisk:
    """Replacement of `write_atomically` that fails in some of its calls, counted from 1."""

    def __init__(self, monkeypatch, *failing):
        self.write, self.failing, self.calls = weights.write_atomically, failing, 0
        monkeypatch.setattr(weights, "write_atomically", self)

    def __call__(self, path, content):
        self.calls += 1
        if self.calls in self.failing:
            raise UserError(f"Cannot write {path} (No space left on device); free space there.")
        self.write(path, content)


def test_a_checkpoint_that_fails_is_tried_again_after_the_next_epoch(fit, tmp_path, monkeypatch):
    FullDisk(monkeypatch, 1, 2)
    lines = []
    checkpoints = Checkpoints(tmp_path / "c.h5", 3, "linear", "arrays", warn=lines.append)
    fit(epochs=5, checkpoints=checkpoints)  # after the epochs 3 and 4 it fails
    assert len(weights.read(tmp_path / "c.h5").history) == 5
    [line] = lines
    assert line.startswith("No checkpoint after epoch 3: Cannot write ")
    assert line.endswith("Training goes on.")


def test_the_checkpoint_of_an_interrupted_training_goes_elsewhere_if_the_disk_is_full(fit, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    FullDisk(monkeypatch, 1)
    lines = []
    checkpoints = Checkpoints(tmp_path / "c.h5", None, "linear", "arrays", warn=lines.append)
    with pytest.raises(KeyboardInterrupt):
        fit(epochs=5, callback=Interrupting(steps=4), checkpoints=checkpoints)
    path = tmp_path / "cache" / "fastdigits" / "rescued" / "c.h5"
    assert checkpoints.written == path
    assert lines[0].endswith(f"The checkpoint is {path} instead.")
    assert len(checkpoint.read(path).saved.history) == 1


def test_an_interrupt_is_not_lost_if_no_folder_takes_the_checkpoint(fit, tmp_path, monkeypatch):
    FullDisk(monkeypatch, *range(1, 10))
    lines = []
    checkpoints = Checkpoints(tmp_path / "c.h5", None, "linear", "arrays", warn=lines.append)
    with pytest.raises(KeyboardInterrupt):
        fit(callback=Interrupting(steps=1), checkpoints=checkpoints)
    assert checkpoints.written is None
    assert lines[0].startswith("There is no checkpoint: Cannot write ")


def test_a_checkpoint_is_a_weights_file(interrupted, fit):
    path = interrupted(Interrupting(epochs=2), epochs=4, schedule="constant", ema=0.9)
    saved = weights.read(path)
    ended, _ = fit(epochs=2, schedule="constant", ema=0.9)  # a run that ends at this epoch has the same weights
    assert {name: value.tobytes() for name, value in saved.weights.items()} == {
        name: value.tobytes() for name, value in ended.weights().items()
    }
    assert (saved.model, saved.dataset, len(saved.history)) == ("linear", "arrays", 2)
    assert saved.config == asdict(TrainConfig(epochs=4, schedule="constant", ema=0.9))


def test_other_images_or_fewer_epochs_are_refused(few, interrupted, resume, fit):
    path = interrupted(Interrupting(epochs=2), epochs=4)
    with pytest.raises(UserError, match=r"a\.checkpoint\.h5: it was trained on other images"):
        resume(path, validation=100)
    with pytest.raises(UserError, match="for 2 epochs already"):
        resume(path, epochs=1)


def test_a_plain_weights_file_is_refused_as_checkpoint(tmp_path, interrupted):
    path = interrupted(Interrupting(epochs=1), epochs=2)
    weights.write(tmp_path / "plain.h5", weights.read(path))
    with pytest.raises(UserError, match="is not a checkpoint"):
        checkpoint.read(tmp_path / "plain.h5")


def _without(name):
    def damage(file):
        del file[name]

    return damage


def _progress(**changes):
    def damage(file):
        import json

        progress = json.loads(file.attrs["progress"]) | changes
        file.attrs["progress"] = np.bytes_(json.dumps({k: v for k, v in progress.items() if v is not None}))

    return damage


def _cut(file):
    values = file["state/memory_1"][:-1]
    del file["state/memory_1"]
    file["state/memory_1"] = values


def _doubles(file):
    values = file["state/memory_1"][:]
    del file["state/memory_1"]
    file["state/memory_1"] = values.astype("f8")


@pytest.mark.parametrize(
    "damage",
    [
        _without("state"),
        _without("state/memory_1"),
        _without("state/average"),
        _without("best"),
        _without("best/dense_1/bias"),
        _progress(steps=2),
        _progress(steps=-1),
        _progress(images=50),
        _progress(images=10**9),
        _progress(images=0.5),
        _progress(images=None),
        _progress(total_loss="much"),
        _progress(labels=0),
        _cut,
        _doubles,
    ],
)
def test_damage_is_refused(damage, interrupted, resume):
    path = interrupted(Interrupting(steps=4), epochs=4, batch_size=100, **ALL)
    with edited(path) as file:
        damage(file)
    with pytest.raises(UserError, match=r"a\.checkpoint\.h5: "):
        resume(path)


def test_a_state_that_is_not_finite_is_not_written(fit, interrupted, monkeypatch):
    path = interrupted(Interrupting(steps=4), epochs=4, batch_size=100, **ALL)
    before, arrays = path.read_bytes(), checkpoint._state_arrays
    monkeypatch.setattr(checkpoint, "_state_arrays", lambda trainer: arrays(trainer) | {"average": np.full(5, np.nan)})
    lines = []
    checkpoints = Checkpoints(path, 1, "linear", "arrays", warn=lines.append)
    fit("linear", checkpoints=checkpoints, epochs=1, batch_size=100, **ALL)
    assert "its /state/average holds NaN or infinity" in lines[0]
    assert path.read_bytes() == before
