"""Repeated runs: their seeds and folds, retries, and the choice of the best."""

from dataclasses import replace

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


def result_of(seed, accuracy, test=0.5, loss=0.1):
    """Return the result of a run with the given validation and test accuracy."""
    summary = {"validation_accuracy": accuracy, "test": {"accuracy": test}, "seconds": {"train": 2.0}, "seed": seed}
    return RunResult(f"network {seed}", summary, (accuracy, -loss))


def fake_run(results):
    """Return a function that fails for seeds without a result, and the list of the seeds that it was called with."""
    tried = []

    def run(spec):
        tried.append(spec.config.seed)
        if spec.config.seed not in results:
            raise TrainingFailed(f"seed {spec.config.seed} failed.")
        return results[spec.config.seed]

    return run, tried


def test_seeds_follow_each_other():
    specs = over_seeds(TrainConfig(seed=5), 3)
    assert [spec.config for spec in specs] == [TrainConfig(seed=seed) for seed in (5, 6, 7)]
    assert [spec.title for spec in specs] == ["run 1 of 3, seed 5", "run 2 of 3, seed 6", "run 3 of 3, seed 7"]
    assert {spec.rows for spec in specs} == {None}


def test_folds_have_one_seed_and_rows_of_their_own():
    labels = np.repeat(np.arange(3, dtype=np.uint8), 10)
    specs = over_folds(TrainConfig(seed=5), 4, labels)
    assert {spec.config.seed for spec in specs} == {5}
    assert [spec.tags for spec in specs] == [{"fold": 1}, {"fold": 2}, {"fold": 3}, {"fold": 4}]
    held_out = [spec.rows[1] for spec in specs]
    assert sorted(np.concatenate(held_out).tolist()) == list(range(30))
    assert all(len(np.union1d(*spec.rows)) == 30 for spec in specs)


def test_the_best_by_validation_is_kept_and_not_the_best_by_test():
    run, _ = fake_run({0: result_of(0, 0.8, test=0.9), 1: result_of(1, 0.9, test=0.7), 2: result_of(2, 0.7)})
    callback = Recorder()
    done = run_all(over_seeds(TrainConfig(), 3), run, 0, callback)
    assert (done.best.saved, done.best_title) == ("network 1", "run 2 of 3, seed 1")
    assert callback.titles == [f"run {n} of 3, seed {n - 1}" for n in (1, 2, 3)]
    averages = done.averages()
    assert averages["validation_accuracy"] == pytest.approx({"mean": 0.8, "std": 0.1, "min": 0.7, "max": 0.9})
    assert averages["test_accuracy"]["mean"] == pytest.approx(0.7)
    assert (averages["trained"], averages["dead_runs"]) == (3, 0)


def test_of_equal_accuracies_the_lower_loss_is_better():
    run, _ = fake_run({0: result_of(0, 0.8, loss=0.3), 1: result_of(1, 0.8, loss=0.2), 2: result_of(2, 0.8, loss=0.4)})
    assert run_all(over_seeds(TrainConfig(), 3), run, 0, Callback()).best.saved == "network 1"


def test_failed_runs_are_counted_but_in_no_average():
    run, tried = fake_run({0: result_of(0, 0.6), 2: result_of(2, 0.8)})
    callback = Recorder()
    done = run_all(over_seeds(TrainConfig(), 3), run, 0, callback)
    assert (tried, done.failed, callback.reasons) == ([0, 1, 2], 1, ["seed 1 failed."])
    assert done.averages()["validation_accuracy"]["mean"] == pytest.approx(0.7)
    assert done.averages()["dead_runs"] == 1


def test_a_failed_run_tries_seeds_that_no_other_run_has():
    run, tried = fake_run({0: result_of(0, 0.6), 2: result_of(2, 0.8), 7: result_of(7, 0.9)})
    callback = Recorder()
    done = run_all(over_seeds(TrainConfig(), 3), run, 5, callback)
    assert tried == [0, 1, 4, 7, 2]
    assert (done.best.saved, done.failed) == ("network 7", 2)
    assert callback.titles[2:4] == ["another try with seed 4", "another try with seed 7"]


def at_chance(seed, accuracy):
    """Return the result of a run that is no better than chance."""
    return replace(result_of(seed, accuracy), problem=f"seed {seed} is at chance.")


def test_a_run_at_chance_is_retried_and_any_success_is_better():
    run, tried = fake_run({0: at_chance(0, 0.9), 2: result_of(2, 0.5), 1: result_of(1, 0.4)})
    callback = Recorder()
    done = run_all(over_seeds(TrainConfig(), 2), run, 1, callback)
    assert tried == [0, 2, 1]
    assert (done.best.saved, done.failed, callback.reasons) == ("network 2", 1, ["seed 0 is at chance."])
    assert [summary["seed"] for summary in done.reported] == [2, 1]


def test_the_best_of_runs_at_chance_is_kept_if_none_succeeds():
    run, tried = fake_run({0: at_chance(0, 0.1), 1: at_chance(1, 0.3), 2: at_chance(2, 0.2)})
    done = run_all(over_seeds(TrainConfig(), 1), run, 3, Recorder())  # seed 3 diverges at once
    assert tried == [0, 1, 2, 3]
    assert (done.best.saved, done.best.problem, done.failed) == ("network 1", "seed 1 is at chance.", 4)
    assert (done.averages()["trained"], done.averages()["dead_runs"]) == (0, 4)
    assert done.averages()["validation_accuracy"]["mean"] == pytest.approx(0.2)


def test_a_single_run_needs_no_validation_and_no_title():
    run, _ = fake_run({0: RunResult("network", {}, None)})
    callback = Recorder()
    assert run_all(over_seeds(TrainConfig(), 1), run, 0, callback).best.saved == "network"
    assert callback.titles == []


def test_training_fails_if_all_runs_fail():
    run, tried = fake_run({})
    with pytest.raises(TrainingFailed, match="seed 2 failed"):
        run_all(over_seeds(TrainConfig(), 1), run, 2, Callback())
    assert tried == [0, 1, 2]
    with pytest.raises(UserError, match="All 4 training runs failed"):
        run_all(over_seeds(TrainConfig(), 2), run, 1, Callback())


def test_spread():
    assert summarize([0.5, None, 0.7]) == pytest.approx({"mean": 0.6, "std": 0.02**0.5, "min": 0.5, "max": 0.7})
    assert summarize([0.5])["std"] is None  # unknown
    assert summarize([None]) is None
    assert (
        format_summary("accuracy", summarize([0.5]))
        == "accuracy: mean 50.00%, std unknown, lowest 50.00%, highest 50.00%"
    )
    assert format_summary("accuracy", None) == "accuracy: none"
