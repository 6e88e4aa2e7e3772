"""Content of the figure of networks in several frameworks."""

import pytest

from fastdigits.bench.frameworks.result import FrameworkResult
from fastdigits.plots import style
from fastdigits.plots.framework_comparison import draw

ROWS = [
    FrameworkResult("linear", "fastdigits", "0.1", [0.92, 0.93], [0.3, 0.5], 10, 0.006, 7_840, 10, "cpu").to_dict(),
    FrameworkResult("linear", "PyTorch", "2.13", [0.91], [2.0], 10, 0.006, 7_840, 10, "cpu").to_dict(),
    FrameworkResult("$x", "fastdigits", "0.1", [1.0], [1.5], 20, 0.001, 61_470, 236, "cpu").to_dict(),
    FrameworkResult("$x", "PyTorch", "2.13", [], [], 20, 0.001, 61_470, 236, "cpu").to_dict(),
]


def points(axes):
    """The values of each series of a panel by name."""
    return {one.get_label(): one.lines[0].get_ydata().tolist() for one in axes.containers}


def test_accuracy_and_seconds_by_network_and_by_framework():
    accuracy, accuracy_right, seconds, seconds_right = draw(ROWS, "a title").axes
    assert (accuracy.get_ylabel(), seconds.get_ylabel()) == ("test accuracy (%)", "training (s)")
    assert (accuracy.get_title(), accuracy_right.get_title()) == ("by network", "by framework")
    assert [tick.get_text() for tick in seconds.get_xticklabels()] == ["linear", r"\$x"]
    assert [tick.get_text() for tick in seconds_right.get_xticklabels()] == ["fastdigits", "PyTorch"]
    assert points(seconds) == {"fastdigits": pytest.approx([0.4, 1.5]), "PyTorch": pytest.approx([2.0])}
    assert points(seconds_right) == {"linear": pytest.approx([0.4, 2.0]), r"\$x": pytest.approx([1.5])}
    assert points(accuracy)["PyTorch"] == pytest.approx([91])
    assert seconds.get_yscale() == "log"


def test_it_can_be_written():
    assert style.encode_figure(draw(ROWS, "a title"), "png").startswith(b"\x89PNG")
