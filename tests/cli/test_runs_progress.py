"""The progress of several runs on workers."""

import pytest

from fastdigits.cli.terminal import training_lines
from fastdigits.cli.terminal.training_lines import RunsProgress
from fastdigits.ops.runtime import compilation


@pytest.fixture
def clock(monkeypatch):
    """clock(seconds) sets the time."""

    class Clock:
        now = 0.0

        def __call__(self, seconds):
            self.now = seconds

    clock = Clock()
    monkeypatch.setattr(training_lines.time, "monotonic", lambda: clock.now)
    return clock


def test_a_pipe_gets_a_line_now_and_then(clock):
    lines = []
    shown = RunsProgress(lambda *line: lines.append(line), epochs=10, runs=4)
    for seconds in range(10, 80):  # the workers start in 10 s
        clock(float(seconds))
        shown.progress(seconds // 2 - 5, seconds // 20)
    assert lines == [
        ("10 of 40 epochs, 1 of 4 runs, about 1:00 left", False),
        ("25 of 40 epochs, 3 of 4 runs, about 0:30 left", False),
    ]
    shown.clear()
    assert lines[-1] == ("", True)


def test_a_terminal_shows_each_epoch_in_a_line_that_disappears(clock, monkeypatch):
    monkeypatch.setattr(compilation, "changes_in_place", lambda: True)
    lines = []
    shown = RunsProgress(lambda *line: lines.append(line), epochs=2, runs=2)
    for seconds, counts in enumerate([(1, 0), (2, 1), (3, 1)], start=1):
        clock(float(seconds))
        shown.progress(*counts)
    shown.clear()
    assert lines == [
        ("1 of 4 epochs, 0 of 2 runs", False),
        ("2 of 4 epochs, 1 of 2 runs, about 0:02 left", False),
        ("3 of 4 epochs, 1 of 2 runs, about 0:01 left", False),
        ("", True),
    ]
