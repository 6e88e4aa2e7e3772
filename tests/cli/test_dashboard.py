"""What moves on a terminal while a network learns."""

import math
import os
import re
import signal
import struct
import subprocess
import sys

import pytest
from rich.console import Console

from fastdigits.cli.terminal import dashboard, sparklines
from fastdigits.cli.terminal.dashboard import Dashboard
from fastdigits.cli.terminal.training_progress import CELLS, Course
from fastdigits.config.training import TrainConfig

LINEAR = ("train", "--model", "linear", "--batch-size", "10", "--validation", "0")


# Bars and curves


def test_a_bar_shows_what_is_done():
    assert sparklines.bar(0.0, 4) == ("", "────")
    assert sparklines.bar(0.6, 5) == ("━━━", "──")
    assert sparklines.bar(1.0, 4, plain=True) == ("====", "")
    assert sparklines.bar(0.5, 0) == ("", "")


def test_a_sparkline_is_as_high_as_the_values():
    assert sparklines.sparkline([0.0, 7.0, None, 3.1]) == "▁█ ▄"
    assert sparklines.sparkline([2.0, 2.0]) == "▁▁"
    assert sparklines.sparkline([0.0, 1.0], plain=True) == "_%"
    assert sparklines.sparkline([]) == sparklines.sparkline([None])[1:] == ""


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (125, "2:05"), (3725, "1:02:05")])
def test_durations(seconds, text):
    assert sparklines.duration(seconds) == text


def test_parts_take_as_many_lines_as_they_need():
    parts = ["one", "two", "three"]
    assert sparklines.packed(parts, 17) == "one   two   three"
    assert sparklines.packed(parts, 16) == "one   two\n      three"
    assert sparklines.packed(parts, 7) == "one\n two\n three"


# How far a training has come


def test_shares_speed_and_time_left():
    course = Course(epochs=4)
    assert (course.share, course.images_per_second, course.left_s(0.0)) == (0.0, None, None)
    course.look(10.0, 1, 100, 1000, 0.5, 0.9)
    assert course.left_s(11.0) is None
    course.look(12.0, 2, 500, 1000, 0.4, 0.9)
    assert course.share == course.overall == 1500 / 4000
    assert course.images_per_second == 1400 / 2
    assert course.left_s(12.0) == pytest.approx(2 * 2500 / 1400)


def test_a_training_that_goes_on_counts_only_what_it_learns_itself():
    course = Course(epochs=4)
    course.look(0.0, 3, 0, 1000, 0.5, 0.9)
    course.look(1.0, 3, 500, 1000, 0.5, 0.9)
    assert course.left_s(1.0) == pytest.approx(3.0)


def test_several_trainings():
    course = Course(epochs=2)
    course.begin(0, 4)
    course.look(0.0, 1, 0, 1000, 0.5, 0.9)
    course.begin(1, 4)
    assert (course.share, course.losses.resampled(10)) == (0.0, [])
    course.look(5.0, 2, 0, 1000, 0.5, 0.9)
    assert (course.share, course.overall) == (0.5, 1.5 / 4)
    assert course.left_s(5.0) == pytest.approx(5 * 2.5 / 1.5)


def test_the_curve_shows_what_was_measured_between_two_looks():
    course = Course(epochs=2)
    course.look(0.0, 1, 250, 1000, 2.0, 0.1)
    course.look(1.0, 1, 500, 1000, 1.5, 0.3)  # a mean of 1.0 in the second quarter, and 0.5 right
    course.look(2.0, 2, 500, 1000, 0.25, 0.9)  # a new epoch, the mean of which begins anew
    # columns are halves of an epoch: each shows the last figure known in it
    assert course.losses.resampled(4) == pytest.approx([2.0, 1.0, 1.0, 0.25])
    assert course.accuracies.resampled(4) == pytest.approx([0.1, 0.5, 0.5, 0.9])
    assert len(course.losses.resampled(CELLS)) == CELLS * 3 // 4 + 1


def test_what_is_not_finite_is_not_drawn():
    course = Course(epochs=1)
    course.look(0.0, 1, 500, 1000, math.nan, 0.1)
    assert course.losses.resampled(10) == []


# The display


@pytest.fixture
def clock(monkeypatch):
    """clock.now is the time that the display sees."""

    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(dashboard, "perf_counter", clock)
    return clock


def shown(display, width, encoding="utf-8"):
    """The lines of a display on a terminal of this width."""
    console = Console(width=width, force_terminal=True, color_system=None)
    options = console.options
    options.encoding = encoding
    lines = console.render_lines(display, options, pad=False)
    return ["".join(segment.text for segment in line) for line in lines]


@pytest.fixture
def halfway(clock):
    """A display in the middle of the second of three trainings, at 25,000 images a second."""
    display = Dashboard(print, TrainConfig(epochs=2, batch_size=100), 0, lines_below=True)
    display.course.begin(1, 3)
    for now, epoch, images, figures in ((0.0, 1, 25_000, (0.5, 0.8)), (2.0, 2, 25_000, (0.1, 0.9567))):
        clock.now = now
        display.on_step(epoch, images, 50_000, lambda figures=figures: figures)
    return display


@pytest.mark.parametrize("width", [80, 40])
def test_bars_curves_and_figures_fill_the_width(width, halfway):
    *rows, pace = shown(halfway, width)
    assert {len(row) for row in rows} == {width - 1}
    assert [row.split()[0] for row in rows] == ["training", "epoch", "batch", "loss", "accuracy"]
    assert [row.split()[-1] for row in rows] == ["2/3", "2/2", "250/500", "0.1000", "95.67%"]
    bar = width - dashboard.LABEL - dashboard.FIGURE - 1
    done = [row.count("━") / bar for row in rows[:3]]
    assert done == pytest.approx([1.75 / 3, 0.75, 0.5], abs=1 / bar)
    losses, accuracies = (re.sub(r"[^▁-█]", "", row) for row in rows[3:])
    assert len(losses) == len(accuracies) == pytest.approx(0.5 * bar, abs=1)  # from the first look to the last one
    assert (losses[0], losses[-1], accuracies[0], accuracies[-1]) == ("█", "▁", "▁", "█")
    assert pace == "25,000 images/s, 0:05 left"


def test_narrower_terminals_and_plain_characters(halfway):
    assert max(map(len, shown(halfway, 20))) <= 20
    assert "".join(shown(halfway, 60, "ascii")).isascii()


def test_nothing_is_shown_before_the_first_step():
    assert shown(Dashboard(print, TrainConfig(), 0, lines_below=True), 80) in ([], [""])


def test_the_figures_are_looked_at_ten_times_a_second(clock):
    display, looks = Dashboard(print, TrainConfig(epochs=1), 0, lines_below=True), []
    for number in range(1, 1001):  # over ten seconds
        clock.now = number / 100
        display.on_step(1, number, 1000, lambda: looks.append(0) or (0.5, 0.5))
    assert 90 <= len(looks) <= 100


# A real terminal


@pytest.fixture
def terminal(environment, tmp_path):
    """terminal(columns, arguments, until) is what a terminal got, and the exit code; Ctrl-C comes after `until`."""
    pty = pytest.importorskip("pty")
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")

    def terminal(columns, arguments, until=None):
        ours, its_end = pty.openpty()
        fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        variables = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
        variables |= {"TERM": "xterm", "PYTHONUTF8": "1"}
        command, shown = [sys.executable, "-m", "fastdigits", *map(str, arguments)], b""
        streams = {"stdin": subprocess.DEVNULL, "stdout": its_end, "stderr": its_end}
        with subprocess.Popen(command, cwd=tmp_path, env=variables, **streams) as running:
            os.close(its_end)
            try:
                while piece := os.read(ours, 1 << 16):
                    shown += piece
                    if until and until in shown:
                        running.send_signal(signal.SIGINT)
                        until = None
            except OSError:  # how Linux says that the other end is closed
                pass
        os.close(ours)
        return shown.decode(), running.returncode

    return terminal


@pytest.mark.parametrize("columns", [80, 40])
def test_a_terminal_gets_the_display_and_all_lines(columns, terminal, tiny):
    shown, code = terminal(columns, [*LINEAR, "--epochs", "2", "--data", tiny])
    assert code == 0
    frames = re.split(r"\x1b\[2K", shown)
    assert any("accuracy" in frame and re.search("[▁-█]", frame) for frame in frames)
    words = " ".join(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).split())
    for line in (
        "kernels ready",
        "epoch 1/2 train loss",
        "epoch 2/2 train loss",
        "test accuracy",
        "weights: weights.h5",
    ):
        assert line in words


def test_ctrl_c_on_a_terminal(terminal, tiny, tmp_path):
    shown, code = terminal(80, [*LINEAR, "--epochs", "1000000", "--data", tiny], until=b"epoch       2/1000000")
    assert code == 130
    assert "to go on: fastdigits train --resume weights.checkpoint.h5" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor comes back
    assert [path.name for path in tmp_path.iterdir()] == ["weights.checkpoint.h5"]
