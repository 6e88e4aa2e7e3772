"""Repeated runs: their seeds and folds, retries, and the choice of the best."""

import numpy as np
import pytest

from fastdigits.config.training import TrainConfig
from fastdigits.errors import UserError
from fastdigits.storage.run_statistics import format_summary, summarize
from fastdigits.training.callbacks import Callback
from fastdigits.training.failure import TrainingFailed
from fastdigits.training.repeats import RunResult, over_folds, over_seeds, run_all


class Recorder(Callback):
    def __init__(self):
        self.titles, self.places, self.reasons = [], [], []

    def on_run_start(self, title, done, total):
        self.titles.append(title)
        self.places.append((done, total))

    def on_run_failed(self, reason):
        self.reasons.append(str(reason))


def outcome(seed, accuracy, test=0.5, loss=0.1):
    """What a training came to that reached a validation accuracy and a test accuracy."""
    summary = {"validation_accuracy": accuracy, "test": {"accuracy": test}, "seconds": {"train": 2.0}, "seed": seed}
    return RunResult(f"network {seed}", summary, (accuracy, -loss))


def attempt_with(results):
    """An attempt that dies where there is no result for the seed, and the seeds that it tried."""
    tried = []

    def attempt(task):
        tried.append(task.config.seed)
        if task.config.seed not in results:
            raise TrainingFailed(f"seed {task.config.seed} is dead.")
        return results[task.config.seed]

    return attempt, tried


def test_seeds_follow_each_other():
    tasks = over_seeds(TrainConfig(seed=5), 3)
    assert [task.config for task in tasks] == [TrainConfig(seed=seed) for seed in (5, 6, 7)]
    assert [task.title for task in tasks] == ["run 1 of 3, seed 5", "run 2 of 3, seed 6", "run 3 of 3, seed 7"]
    assert {task.rows for task in tasks} == {None}


def test_folds_have_one_seed_and_rows_of_their_own():
    labels = np.repeat(np.arange(3, dtype=np.uint8), 10)
    tasks = over_folds(TrainConfig(seed=5), 4, labels)
    assert {task.config.seed for task in tasks} == {5}
    assert [task.tags for task in tasks] == [{"fold": 1}, {"fold": 2}, {"fold": 3}, {"fold": 4}]
    held_out = [task.rows[1] for task in tasks]
    assert sorted(np.concatenate(held_out).tolist()) == list(range(30))
    assert all(len(np.union1d(*task.rows)) == 30 for task in tasks)


def test_the_best_by_validation_is_kept_and_not_the_best_by_test():
    attempt, _ = attempt_with({0: outcome(0, 0.8, test=0.9), 1: outcome(1, 0.9, test=0.7), 2: outcome(2, 0.7)})
    callback = Recorder()
    done = run_all(over_seeds(TrainConfig(), 3), attempt, 0, callback)
    assert (done.best.saved, done.best_title) == ("network 1", "run 2 of 3, seed 1")
    assert callback.titles == [f"run {n} of 3, seed {n - 1}" for n in (1, 2, 3)]
    averages = done.averages()
    assert averages["validation_accuracy"] == pytest.approx({"mean": 0.8, "std": 0.1, "min": 0.7, "max": 0.9})
    assert averages["test_accuracy"]["mean"] == pytest.approx(0.7)
    assert (averages["trained"], averages["dead_runs"]) == (3, 0)


def test_of_equal_accuracies_the_lower_loss_is_better():
    attempt, _ = attempt_with(
        {0: outcome(0, 0.8, loss=0.3), 1: outcome(1, 0.8, loss=0.2), 2: outcome(2, 0.8, loss=0.4)}
    )
    assert run_all(over_seeds(TrainConfig(), 3), attempt, 0, Callback()).best.saved == "network 1"


def test_failed_runs_are_counted_but_in_no_average():
    attempt, tried = attempt_with({0: outcome(0, 0.6), 2: outcome(2, 0.8)})
    callback = Recorder()
    done = run_all(over_seeds(TrainConfig(), 3), attempt, 0, callback)
    assert (tried, done.failed, callback.reasons) == ([0, 1, 2], 1, ["seed 1 is dead."])
    assert done.averages()["validation_accuracy"]["mean"] == pytest.approx(0.7)
    assert done.averages()["dead_runs"] == 1


def test_a_failed_run_tries_seeds_that_no_other_run_has():
    attempt, tried = attempt_with({0: outcome(0, 0.6), 2: outcome(2, 0.8), 7: outcome(7, 0.9)})
    callback = Recorder()
    done = run_all(over_seeds(TrainConfig(), 3), attempt, 5, callback)
    assert tried == [0, 1, 4, 7, 2]
    assert (done.best.saved, done.failed) == ("network 7", 2)
    assert callback.titles[2:4] == ["another try with seed 4", "another try with seed 7"]


def test_a_single_run_needs_no_validation_and_no_title():
    attempt, _ = attempt_with({0: RunResult("network", {}, None)})
    callback = Recorder()
    assert run_all(over_seeds(TrainConfig(), 1), attempt, 0, callback).best.saved == "network"
    assert callback.titles == []


def test_training_fails_if_all_runs_fail():
    attempt, tried = attempt_with({})
    with pytest.raises(TrainingFailed, match="seed 2 is dead"):
        run_all(over_seeds(TrainConfig(), 1), attempt, 2, Callback())
    assert tried == [0, 1, 2]
    with pytest.raises(UserError, match="All 4 training runs failed"):
        run_all(over_seeds(TrainConfig(), 2), attempt, 1, Callback())


def test_spread():
    assert summarize([0.5, None, 0.7]) == pytest.approx({"mean": 0.6, "std": 0.02**0.5, "min": 0.5, "max": 0.7})
    assert summarize([0.5])["std"] == 0
    assert summarize([None]) is None
    assert (
        format_summary("accuracy", summarize([0.5]))
        == "accuracy: mean 50.00%, std 0.00%, lowest 50.00%, highest 50.00%"
    )
    assert format_summary("accuracy", None) == "accuracy: none"
