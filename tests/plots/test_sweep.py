"""Content of the figures of a sweep."""

import itertools

import pytest
from sweep_rows import run_row

from fastdigits import UserError
from fastdigits.plots import style
from fastdigits.plots.sweep import draw_parallel, draw_seconds, draw_settings
from fastdigits.sweeps.ranking import pareto_front, ranked

GRID = [
    run_row(0.9 + 0.01 * number + 0.002 * seed, seed, {"lr": lr, "optimizer": name}, train_s=1.0 + number)
    for number, (lr, name) in enumerate(itertools.product([0.1, 0.001], ["sgd", "adamw"]))
    for seed in (0, 1)
]


def means(axes, color):
    """The markers of the means in a color, as (x, y)."""
    return [
        (line.get_xdata()[0], line.get_ydata()[0])
        for line in axes.lines
        if line.get_marker() == "o" and line.get_color() == color
    ]


def test_accuracy_against_each_setting():
    lr, optimizer = draw_settings(ranked(GRID), "a title").axes
    assert [axes.get_xlabel() for axes in (lr, optimizer)] == ["lr", "optimizer"]
    assert [tick.get_text() for tick in lr.get_xticklabels()] == ["0.001", "0.1"]
    assert [tick.get_text() for tick in optimizer.get_xticklabels()] == ["adamw", "sgd"]
    (best,) = means(lr, style.VERMILION)
    assert round(best[0]) == 0
    assert best[1] == pytest.approx(93.1)
    others = means(lr, style.BLUE)
    assert sorted(round(x) for x, _ in others) == [0, 1, 1]
    assert [y for _, y in others] == pytest.approx([90.1, 91.1, 92.1])
    low, high = lr.get_ylim()
    assert low < 90
    assert 93.2 < high < 100


def test_many_numbers_are_drawn_to_scale():
    rows = [run_row(0.9 + 0.001 * number, 0, {"lr": 0.001 * 1.5**number}) for number in range(12)]
    (axes,) = draw_settings(ranked(rows)).axes
    assert axes.get_xscale() == "log"
    assert sorted(x for x, _ in means(axes, style.BLUE)) == pytest.approx([0.001 * 1.5**number for number in range(11)])


@pytest.mark.parametrize("values", [[True, False], [None, 0.5], [[64, 32], [16]], ["a$b", "\udc80" * 40], [5, 5000]])
def test_settings_of_any_type_are_drawn(values):
    standings = ranked([run_row(0.9 + 0.01 * number, 0, {"x": value}) for number, value in enumerate(values)])
    for figure in (draw_settings(standings), draw_parallel(standings), draw_seconds(standings, standings)):
        assert style.encode_figure(figure, "svg")


def test_single_runs_have_no_error_bars():
    (axes,) = draw_settings(ranked([run_row(0.9, 0, {"lr": 0.1}), run_row(0.95, 0, {"lr": 0.2})])).axes
    assert not axes.containers


def test_the_pareto_front_is_drawn_with_its_settings():
    standings = ranked([*GRID, run_row(0.85, 0, {"lr": 9.0, "optimizer": "sgd"}, train_s=100.0)])
    figure = draw_seconds(standings, pareto_front(standings))
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    (front,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert list(front.get_xdata()) == [1.0, 2.0, 3.0, 4.0]
    assert list(front.get_ydata()) == pytest.approx([90.1, 91.1, 92.1, 93.1])
    text = figure.get_supxlabel()
    assert text.splitlines()[3] == "4  93.10% in 4 s: lr 0.001, optimizer adamw"
    assert "lr 9" not in text


def test_parallel_coordinates_end_at_the_accuracy():
    (axes,) = draw_parallel(ranked(GRID)).axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["lr", "optimizer", "accuracy (%)"]
    (best,) = [line for line in axes.lines if line.get_color() == style.VERMILION]
    assert list(best.get_ydata()) == [0.0, 0.0, 1.0]
    assert {"0.001", "0.1", "adamw", "sgd", "93.1", "90.1"} <= {text.get_text() for text in axes.texts}


def test_equal_settings_cannot_be_drawn_against():
    standings = ranked([run_row(0.9, 0), run_row(0.8, 1)])
    assert draw_seconds(standings, standings)
    for draw in (draw_settings, draw_parallel):
        with pytest.raises(UserError, match="All runs have the same settings"):
            draw(standings)
