"""Searches: trials depend on earlier results only, and poor runs are stopped."""

from dataclasses import replace
from statistics import median

import pytest

pytest.importorskip("optuna")

from fastdigits.sweeps import search
from fastdigits.sweeps.plans import SearchPlan
from fastdigits.sweeps.search import Trial
from fastdigits.sweeps.spec import Range, parse
from fastdigits.sweeps.store import RunRow

SPACE = {"lr": Range(0.001, 1.0, log=True), "activation": ["relu", "gelu"], "epochs": Range(2, 8)}


def row(accuracies, status="done"):
    """A run with these validation accuracies after its epochs."""
    epochs = [{"epoch": number, "validation_accuracy": one} for number, one in enumerate(accuracies, 1)]
    last = accuracies[-1] if accuracies else None
    loss = None if last is None else 1 - last
    return RunRow(
        "key", "variant", {}, "m", "d", "h", 0, None, status, "", epochs, len(epochs) or None, last, loss,
        1, {}, "here", "cpu", 1, "0", "now",
    )  # fmt: skip


class FakeJob:
    """A job as a plan sees it: its key tells its settings."""

    def __init__(self, settings, thresholds):
        self.settings, self.thresholds = settings, thresholds
        self.key = str(sorted(settings.items()))


def accuracy(settings):
    """The best rate is 0.03."""
    return 1 / (1 + abs(settings["lr"] - 0.03)) - 0.1 * (settings["activation"] == "relu")


def run_search(order, trials=24, ahead=4):
    """Run a search in which `order` chooses which of the running jobs ends next; return the settings of its trials."""
    space = {"lr": {"low": 0.001, "high": 1.0, "log": True}, "activation": ["relu", "gelu"]}
    spec = parse({"trials": trials, "ahead": ahead, "search": space})
    plan = SearchPlan(spec, lambda settings, thresholds: [FakeJob(settings, thresholds)])
    chosen, running = [], []
    while True:
        while len(running) < ahead and (job := plan.next()):
            chosen.append(job.settings)
            running.append(job)
        if not running:
            return chosen
        job = running.pop(order(len(running)))
        plan.add(job, row([accuracy(job.settings)]))


def test_trials_do_not_depend_on_the_order_in_which_they_end():
    first, last, middle = (run_search(order) for order in (lambda n: 0, lambda n: n - 1, lambda n: n // 2))
    assert len(first) == 24
    assert first == last == middle


def test_trials_are_the_same_on_any_number_of_workers():
    one_worker = []
    space = {"lr": {"low": 0.001, "high": 1.0, "log": True}, "activation": ["relu", "gelu"]}
    spec = parse({"trials": 24, "ahead": 4, "search": space})
    plan = SearchPlan(spec, lambda settings, thresholds: [FakeJob(settings, thresholds)])
    while job := plan.next():
        one_worker.append(job.settings)
        plan.add(job, row([accuracy(job.settings)]))
    assert one_worker == run_search(lambda n: 0)


def test_a_search_comes_closer_to_the_best_settings():
    chosen = run_search(lambda n: 0, trials=40)
    early, late = (median(accuracy(one) for one in part) for part in (chosen[:10], chosen[-10:]))
    assert late > early + 0.02


def test_values_are_those_of_the_space():
    for number in range(20):
        settings = search.settings_of(SPACE, search.choose(SPACE, number, []))
        assert 0.001 <= settings["lr"] <= 1
        assert settings["activation"] in ("relu", "gelu")
        assert settings["epochs"] in range(2, 9)


def test_values_that_are_lists_can_be_searched():
    space = {"hidden": [[64], [128, 64]]}
    assert search.settings_of(space, search.choose(space, 0, []))["hidden"] in space["hidden"]


def test_a_trial_fails_with_a_poor_value():
    trial = Trial({}, [row([], status="failed"), row([0.5])])
    assert trial.value == 0.25
    assert trial.curve == []


def test_thresholds_are_the_medians_of_complete_trials():
    complete = [Trial({}, [row([0.1 * number, 0.2 * number])]) for number in range(1, 6)]
    pruned, running = Trial({}, [row([0.9], status="pruned")]), Trial({})
    assert search.thresholds([*complete, pruned, running]) == pytest.approx([0.3, 0.6])
    assert search.thresholds(complete[:4]) == [0.0, 0.0]


def test_repetitions_count_with_their_mean():
    trial = Trial({}, [row([0.5, 0.7]), row([0.7, 0.9])])
    assert trial.value == pytest.approx(0.8)
    assert trial.curve == pytest.approx([0.6, 0.8])
    assert not trial.is_pruned
    assert replace(trial, rows=[row([0.5], status="pruned")]).is_pruned


def test_trials_with_equal_settings_run_once():
    spec = parse({"trials": 9, "ahead": 3, "search": {"activation": ["relu", "gelu"]}})
    plan, ran = SearchPlan(spec, lambda settings, thresholds: [FakeJob(settings, thresholds)]), []
    while job := plan.next():
        ran.append(job.key)
        plan.add(job, row([0.5]))
    assert len(ran) == len({*ran}) == plan.total == 2
