"""Runs of one training that are shared out to workers."""

import queue

import pytest

from fastdigits.config.training import TrainConfig
from fastdigits.sweeps.repeats import Repeats
from fastdigits.training.callbacks import Callback
from fastdigits.training.failure import TrainingFailed
from fastdigits.training.repeats import RunResult, RunResults, over_seeds

CALLED = "finished", "stopping"
EPOCHS = 10


class Workers:
    """Two workers whose tasks end at once: each is the result of a run, or the error that it raises."""

    def __init__(self):
        self.messages = queue.SimpleQueue()

    def slots(self):
        return 2

    def check(self):
        pass

    def submit(self, task, token):
        self.messages.put(("event", {"compiling": "kernels", "name": token}))
        self.messages.put(("event", {"epoch": 4, "validation_accuracy": 0.5, "name": token}))
        self.messages.put(("done", (token, task)))
        return task

    def result(self, future):
        if isinstance(future, Exception):
            raise future
        return future


class Titles(Callback):
    """Note which runs start and fail."""

    def __init__(self):
        self.started, self.failed = [], []

    def on_run_start(self, title, done, total):
        self.started.append(title)

    def on_run_failed(self, reason):
        self.failed.append(str(reason))


class Lines:
    """Note what is shown, and what is cleared."""

    def __init__(self):
        self.compiled, self.progressed, self.cleared = [], [], 0

    def compiling(self, line):
        self.compiled.append(line)

    def progress(self, epochs, finished):
        self.progressed.append((epochs, finished))

    def clear(self):
        self.cleared += 1


@pytest.fixture
def display():
    return Lines()


@pytest.fixture
def titles():
    return Titles()


@pytest.fixture
def repeats(titles, display):
    """repeats(tasks, ...) are as many runs, of whose tasks each belongs to a seed."""

    def repeats(tasks, restarts=0, is_stopping=lambda: False, **called):
        functions = {name: called.get(name, lambda *arguments: None) for name in CALLED}
        specs = over_seeds(TrainConfig(epochs=EPOCHS), len(tasks))
        return Repeats(
            specs=specs,
            training=lambda spec: tasks[spec.config.seed % len(tasks)],
            restarts=restarts,
            cluster=Workers(),
            callback=titles,
            display=display,
            is_stopping=is_stopping,
            **functions,
        )

    return repeats


def result(accuracy):
    return RunResult(None, {"validation_accuracy": accuracy}, (accuracy, 0.0))


def test_results_are_in_the_order_of_the_runs(repeats, titles, display):
    done = RunResults()
    repeats([result(0.1), result(0.3), result(0.2)]).run(done)
    assert [one["validation_accuracy"] for one in done.summaries] == [0.1, 0.3, 0.2]
    assert done.best_title == titles.started[1] == "run 2 of 3, seed 1"
    assert display.compiled == ["kernels"] * 3
    assert display.cleared == 3


def test_a_failure_says_which_run_it_is(repeats, titles):
    done = RunResults()
    repeats([result(0.1), TrainingFailed("It diverged.")], restarts=1).run(done)
    again = "run 2 of 2, seed 1, another try with seed 3"
    assert titles.failed == ["run 2 of 2, seed 1: It diverged.", f"{again}: It diverged."]
    assert titles.started[-1] == again
    assert done.failed == 2


def test_the_progress_counts_the_epochs_of_all_runs(repeats, display):
    repeats([result(0.1), result(0.2), result(0.3)]).run(RunResults())
    assert display.progressed == [(4, 0), (14, 1), (24, 2)]


def test_a_run_that_is_tried_again_is_not_finished(repeats, display):
    repeats([TrainingFailed("It diverged."), result(0.2)], restarts=1).run(RunResults())
    assert display.progressed == [(4, 0), (4, 0), (14, 1)]


def test_after_a_signal_the_runs_in_progress_end(repeats, titles):
    stopping, done = [], RunResults()
    with pytest.raises(KeyboardInterrupt):
        repeats([result(0.1)] * 5, is_stopping=lambda: len(titles.started) == 2, stopping=stopping.append).run(done)
    assert stopping == [2]
    assert len(done.summaries) == 2


def test_if_all_runs_fail_one_sentence_says_so(repeats):
    with pytest.raises(TrainingFailed, match=r"^All 2 training runs failed; .*\.$") as failed:
        repeats([TrainingFailed("It diverged.")] * 2).run(RunResults())
    assert failed.value.runs == 2
