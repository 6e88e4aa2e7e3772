"""Content of the figure of training curves."""

from itertools import pairwise

import numpy as np
import pytest

from fastdigits.plots import style
from fastdigits.plots.curves import draw
from fastdigits.storage.history import Epoch, RunGroup


def run(losses, rate=0.01):
    """Return a history with these validation losses; all other metrics follow from them."""
    return [Epoch(n, 2 * loss, 0.5, loss, 1 - loss, rate) for n, loss in enumerate(losses, 1)]


ONE = RunGroup("lenet", [run([0.4, 0.2, 0.1])])
THREE = RunGroup("linear, 3 runs", [run([0.4, 0.3]), run([0.5, 0.3]), run([0.6])])


def lines(axes):
    """Return the (x, y) of the labelled lines of a panel by name."""
    return {
        line.get_label(): (line.get_xdata().tolist(), line.get_ydata().tolist())
        for line in (line for line in axes.lines if not line.get_label().startswith("_"))
    }


def test_a_single_training():
    figure = draw([ONE], "a title")
    loss, accuracy, rate = figure.axes
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["loss per image", "accuracy (%)", "learning rate"]
    assert rate.get_xlabel() == "epoch"
    assert loss.get_yscale() == "log"
    assert lines(loss) == {
        "lenet, training": ([1, 2, 3], [0.8, 0.4, 0.2]),
        "lenet, validation": ([1, 2, 3], [0.4, 0.2, 0.1]),
    }
    assert lines(accuracy)["lenet, validation"] == ([1, 2, 3], pytest.approx([60, 80, 90]))
    assert lines(accuracy)["lenet, training"] == ([1, 2, 3], [50, 50, 50])
    assert lines(rate) == {"lenet, learning rate": ([1, 2, 3], [0.01] * 3)}
    assert not [collection for axes in figure.axes for collection in axes.collections]  # bands
    [legend] = figure.legends
    assert legend.get_title().get_text() == "a title"
    assert [text.get_text() for text in legend.get_texts()] == ["lenet", "training", "validation"]


def test_several_runs_are_drawn_as_a_mean_a_band_and_thin_lines():
    loss = draw([THREE]).axes[0]
    assert lines(loss)["linear, 3 runs, validation"] == ([1, 2], pytest.approx([0.5, 0.3]))
    thin = [line for line in loss.lines if line.get_linewidth() < 1]
    assert sorted(len(line.get_xdata()) for line in thin) == [1, 2, 2]
    _, validation = loss.collections
    points = validation.get_paths()[0].vertices
    first = points[points[:, 0] == 1][:, 1]
    assert (first.min(), first.max()) == pytest.approx((0.4, 0.6))  # one standard deviation of 0.4, 0.5, 0.6
    second = points[points[:, 0] == 2][:, 1]
    assert (second.min(), second.max()) == pytest.approx((0.3, 0.3))


def rate_panel(*rates):
    return draw([RunGroup("linear", [[Epoch(n, 0.5, 0.5, 0.5, 0.5, rate) for n, rate in enumerate(rates, 1)]])]).axes[2]


def test_the_learning_rate_is_logarithmic():
    panel = rate_panel(0.006, 0.0003)
    assert panel.get_yscale() == "log"
    assert panel.get_ylim() == pytest.approx((0.00015, 0.012))


@pytest.mark.parametrize("rates", [(0.006, 0.0003, 0.0), (0.0, 0.006), (0.01, 0.0, 1e-9), (0.001, 0.001, 0.0)])
def test_a_learning_rate_of_0_is_in_the_panel(rates):
    panel = rate_panel(*rates)
    panel.figure.draw_without_rendering()
    [(_, drawn)] = lines(panel).values()
    heights = panel.transAxes.inverted().transform(panel.transData.transform([(1, rate) for rate in rates]))[:, 1]
    assert drawn == [*rates]
    assert (heights > 0).all()
    assert (heights < 1).all()
    assert (np.argsort(heights, kind="stable") == np.argsort(rates, kind="stable")).all()
    assert "0" in [label.get_text() for label in panel.get_yticklabels()]


def test_ticks_of_the_learning_rate_do_not_overlap():
    panel = rate_panel(*np.linspace(0.006, 0.00067, 9).tolist())
    panel.figure.draw_without_rendering()
    low, high = panel.get_ylim()
    shown = [
        label for tick, label in zip(panel.get_yticks(), panel.get_yticklabels(), strict=True) if low < tick < high
    ]
    boxes = [label.get_window_extent() for label in shown]
    assert len(boxes) > 2
    assert not any(one.overlaps(other) for one, other in pairwise(boxes))


def test_the_legend_explains_the_band_and_the_thin_lines():
    def legend(group):
        return [text.get_text() for text in draw([group]).legends[0].get_texts()]

    explained = ["mean \N{PLUS-MINUS SIGN} standard deviation", "validation of each run"]
    assert legend(THREE)[-2:] == explained
    assert not {*explained} & {*legend(ONE)}


def test_groups_differ_in_color_and_training_in_line_style():
    loss = draw([ONE, THREE]).axes[0]
    styles = {line.get_label(): (line.get_color(), line.get_linestyle()) for line in loss.lines}
    assert styles["lenet, training"] == (style.BLUE, "--")
    assert styles["lenet, validation"] == (style.BLUE, "-")
    assert styles["linear, 3 runs, validation"] == (style.ORANGE, "-")


def test_equal_learning_rates_are_all_visible():
    widths = [line.get_linewidth() for line in draw([ONE, RunGroup("other", ONE.runs)]).axes[2].lines]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > widths[1]


def test_without_validation_or_learning_rate():
    epochs = [Epoch(n, 0.5 / n, 0.9, None, None) for n in (1, 2)]
    figure = draw([RunGroup("lenet", [epochs]), RunGroup("two, 2 runs", [epochs, epochs])])
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss per image", "accuracy (%)"]
    assert set(lines(figure.axes[0])) == {"lenet, training", "two, 2 runs, training"}
    assert figure.axes[1].get_xlabel() == "epoch"


def test_losses_of_0_need_a_linear_axis():
    assert draw([RunGroup("lenet", [run([0.4, 0.0])])]).axes[0].get_yscale() == "linear"


def test_many_epochs_and_many_groups():
    long = RunGroup("long", [run(np.linspace(1, 0.1, 200).tolist())])
    figure = draw([long, *(RunGroup(f"{n}", ONE.runs) for n in range(20))])
    line = next(line for line in figure.axes[0].lines if line.get_label() == "long, validation")
    assert len(line.get_xdata()) == 200
    assert len(range(0, 200, line.get_markevery())) <= 20
    style.encode_figure(figure, "png")


@pytest.mark.parametrize("epochs", [1, 2])
def test_epochs_are_whole_numbers(epochs):
    ticks = draw([RunGroup("short", [ONE.runs[0][:epochs]])]).axes[-1].get_xticks()
    assert all(float(tick).is_integer() for tick in ticks)


def test_dollar_signs_in_names_do_not_start_formulas():
    style.encode_figure(draw([RunGroup("a$^b$", ONE.runs)], "$\\frac$"), "png")
