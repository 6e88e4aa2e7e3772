"""Bars, curves and the dashboard of a training on a terminal."""

import math
import os
import re
import signal
import struct
import subprocess

import pytest
from rich.console import Console

from fastdigits.cli.terminal import dashboard, sparklines
from fastdigits.cli.terminal.dashboard import Dashboard
from fastdigits.cli.terminal.training_progress import CURVE_CELLS, TrainingProgress
from fastdigits.config.training import TrainConfig

LINEAR = ("train", "--model", "linear", "--batch-size", "10", "--validation", "0")


# Bars and curves


def test_bar_shows_the_finished_fraction():
    assert sparklines.bar(0.0, 4) == ("", "────")
    assert sparklines.bar(0.6, 5) == ("━━━", "──")
    assert sparklines.bar(1.0, 4, ascii_only=True) == ("====", "")
    assert sparklines.bar(0.5, 0) == ("", "")


def test_sparkline_scales_values_to_their_range():
    assert sparklines.sparkline([0.0, 7.0, None, 3.1]) == "▁█ ▄"
    assert sparklines.sparkline([2.0, 2.0]) == "▁▁"
    assert sparklines.sparkline([0.0, 1.0], ascii_only=True) == "_%"
    assert sparklines.sparkline([]) == sparklines.sparkline([None])[1:] == ""


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (125, "2:05"), (3725, "1:02:05")])
def test_duration_format(seconds, text):
    assert sparklines.duration(seconds) == text


def test_wrap_uses_as_few_lines_as_possible():
    parts = ["one", "two", "three"]
    assert sparklines.wrap(parts, 17) == "one   two   three"
    assert sparklines.wrap(parts, 16) == "one   two\n      three"
    assert sparklines.wrap(parts, 7) == "one\n two\n three"


# Progress


def test_fraction_speed_and_time_left():
    progress = TrainingProgress(epochs=4)
    assert (progress.fraction, progress.images_per_second, progress.seconds_left(0.0)) == (0.0, None, None)
    progress.update(10.0, 1, 100, 1000, 0.5, 0.9)
    assert progress.seconds_left(11.0) is None
    progress.update(12.0, 2, 500, 1000, 0.4, 0.9)
    assert progress.fraction == progress.total_fraction == 1500 / 4000
    assert progress.images_per_second == 1400 / 2
    assert progress.seconds_left(12.0) == pytest.approx(2 * 2500 / 1400)


def test_time_left_of_a_resumed_training_counts_only_its_own_images():
    progress = TrainingProgress(epochs=4)
    progress.update(0.0, 3, 0, 1000, 0.5, 0.9)
    progress.update(1.0, 3, 500, 1000, 0.5, 0.9)
    assert progress.seconds_left(1.0) == pytest.approx(3.0)


def test_progress_over_several_runs():
    progress = TrainingProgress(epochs=2)
    progress.start_run(0, 4)
    progress.update(0.0, 1, 0, 1000, 0.5, 0.9)
    progress.start_run(1, 4)
    assert (progress.fraction, progress.losses.resample(10)) == (0.0, [])
    progress.update(5.0, 2, 0, 1000, 0.5, 0.9)
    assert (progress.fraction, progress.total_fraction) == (0.5, 1.5 / 4)
    assert progress.seconds_left(5.0) == pytest.approx(5 * 2.5 / 1.5)


def test_curve_shows_the_mean_between_two_updates():
    progress = TrainingProgress(epochs=2)
    progress.update(0.0, 1, 250, 1000, 2.0, 0.1)
    progress.update(1.0, 1, 500, 1000, 1.5, 0.3)  # a mean of 1.0 in the second quarter, and 0.5 right
    progress.update(2.0, 2, 500, 1000, 0.25, 0.9)  # a new epoch, whose mean starts again
    # columns are halves of an epoch: each shows the last value known in it
    assert progress.losses.resample(4) == pytest.approx([2.0, 1.0, 1.0, 0.25])
    assert progress.accuracies.resample(4) == pytest.approx([0.1, 0.5, 0.5, 0.9])
    assert len(progress.losses.resample(CURVE_CELLS)) == CURVE_CELLS * 3 // 4 + 1


def test_curve_leaves_out_values_that_are_not_finite():
    progress = TrainingProgress(epochs=1)
    progress.update(0.0, 1, 500, 1000, math.nan, 0.1)
    assert progress.losses.resample(10) == []


# The dashboard


@pytest.fixture
def clock(monkeypatch):
    """clock.now is the time that the dashboard sees."""

    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(dashboard, "perf_counter", clock)
    return clock


def shown(dashboard, width, encoding="utf-8"):
    """Render a dashboard as the lines of a terminal of this width."""
    console = Console(width=width, force_terminal=True, color_system=None)
    options = console.options
    options.encoding = encoding
    lines = console.render_lines(dashboard, options, pad=False)
    return ["".join(segment.text for segment in line) for line in lines]


@pytest.fixture
def halfway(clock):
    """A dashboard in the middle of the second of three runs, at 25,000 images/s."""
    display = Dashboard(print, TrainConfig(epochs=2, batch_size=100), 0, lines_on_terminal=True)
    display.progress.start_run(1, 3)
    for now, epoch, images, metrics in ((0.0, 1, 25_000, (0.5, 0.8)), (2.0, 2, 25_000, (0.1, 0.9567))):
        clock.now = now
        display.on_step(epoch, images, 50_000, lambda metrics=metrics: metrics)
    return display


@pytest.mark.parametrize("width", [80, 40])
def test_bars_curves_and_values_fill_the_width(width, halfway):
    *rows, speed = shown(halfway, width)
    assert {len(row) for row in rows} == {width - 1}
    assert [row.split()[0] for row in rows] == ["training", "epoch", "batch", "loss", "accuracy"]
    assert [row.split()[-1] for row in rows] == ["2/3", "2/2", "250/500", "0.1000", "95.67%"]
    bar = width - dashboard.LABEL_WIDTH - dashboard.VALUE_WIDTH - 1
    done = [row.count("━") / bar for row in rows[:3]]
    assert done == pytest.approx([1.75 / 3, 0.75, 0.5], abs=1 / bar)
    losses, accuracies = (re.sub(r"[^▁-█]", "", row) for row in rows[3:])
    assert len(losses) == len(accuracies) == pytest.approx(0.5 * bar, abs=1)  # from the first update to the last
    assert (losses[0], losses[-1], accuracies[0], accuracies[-1]) == ("█", "▁", "▁", "█")
    assert speed == "25,000 images/s, 0:05 left"


def test_dashboard_on_narrow_and_ascii_terminals(halfway):
    assert max(map(len, shown(halfway, 20))) <= 20
    assert "".join(shown(halfway, 60, "ascii")).isascii()


def test_dashboard_is_empty_before_the_first_step():
    assert shown(Dashboard(print, TrainConfig(), 0, lines_on_terminal=True), 80) in ([], [""])


def test_dashboard_shows_the_compilation_until_it_ends():
    display = Dashboard(print, TrainConfig(), 0, lines_on_terminal=True)
    display.show_compilation("compiling kernels, once: 3 of 9", False)
    assert shown(display, 80) == ["compiling kernels, once: 3 of 9"]
    display.show_compilation("", True)
    assert shown(display, 80) in ([], [""])


def test_metrics_are_read_ten_times_a_second(clock):
    display, reads = Dashboard(print, TrainConfig(epochs=1), 0, lines_on_terminal=True), []
    for number in range(1, 1001):  # over ten seconds
        clock.now = number / 100
        display.on_step(1, number, 1000, lambda: reads.append(0) or (0.5, 0.5))
    assert 90 <= len(reads) <= 100


# A real terminal


@pytest.fixture
def terminal(environment, start):
    """terminal(columns, arguments, until) runs a command on a terminal and returns its output and exit code.

    Ctrl-C is sent once the output contains `until`.
    """
    pty = pytest.importorskip("pty")
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")

    def terminal(columns, arguments, until=None):
        ours, its_end = pty.openpty()
        fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        variables = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
        variables |= {"TERM": "xterm", "PYTHONUTF8": "1"}
        streams = {"stdin": subprocess.DEVNULL, "stdout": its_end, "stderr": its_end, "text": False}
        output = b""
        with start(*arguments, env=variables, **streams) as running:
            os.close(its_end)
            try:
                while piece := os.read(ours, 1 << 16):
                    output += piece
                    if until and until in output:
                        running.send_signal(signal.SIGINT)
                        until = None
            except OSError:  # how Linux says that the other end is closed
                pass
            finally:
                os.close(ours)
            running.wait()
        return output.decode(), running.returncode

    return terminal


@pytest.mark.parametrize("columns", [80, 40])
def test_terminal_shows_the_dashboard_and_all_lines(columns, terminal, tiny):
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
    assert "to resume: fastdigits train --resume weights.checkpoint.h5" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor comes back
    assert [path.name for path in tmp_path.iterdir()] == ["weights.checkpoint.h5"]
