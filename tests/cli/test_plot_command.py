"""`fastdigits plot` and `fastdigits train --plot`."""

import json

import pytest

from fastdigits.plots import curves


@pytest.fixture
def drawn(monkeypatch):
    """The arguments of each call of the plot."""
    calls, draw = [], curves.draw
    monkeypatch.setattr(curves, "draw", lambda *arguments: calls.append(arguments) or draw(*arguments))
    return calls


def test_a_weights_file(invoke, trained, drawn, tmp_path):
    result = invoke("plot", trained, "-o", "curves.png", "--title", "a title")
    assert result.exit_code == 0, result.exception
    assert result.stdout.splitlines() == ["linear", "picture: curves.png"]
    [([series], title)] = drawn
    assert (title, [len(run) for run in series.runs]) == ("a title", [3])
    assert all(0 < epoch.learning_rate < 0.006 for epoch in series.runs[0][:2])
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("several", "label"), [("--runs", "linear, 2 runs"), ("--folds", "linear, 2 folds")])
def test_train_and_plot_draw_the_same_curves(several, label, invoke, tiny, drawn, tmp_path):
    files = "--stats", "stats.json", "--plot", "trained.svg"
    result = invoke("train", "--model", "linear", "--epochs", "3", "--data", tiny, several, "2", *files)
    assert result.stdout.splitlines()[-1] == "picture: trained.svg"
    assert invoke("plot", "stats.json", "-o", "plotted.svg").stdout.splitlines()[0] == label
    (trained,), (plotted, _) = drawn
    assert trained == plotted
    assert [len(run) for run in trained[0].runs] == [3, 3]
    assert (tmp_path / "trained.svg").read_bytes() == (tmp_path / "plotted.svg").read_bytes()


def test_train_plots_with_json(invoke, tiny, tmp_path):
    result = invoke("train", "--model", "linear", "--epochs", "1", "--data", tiny, "--plot", "a.pdf", "--json")
    assert json.loads(result.stdout)["model"] == "linear"
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_without_options_the_figure_is_curves_png(invoke, trained, tmp_path):
    assert invoke("plot", trained).stdout.splitlines() == ["linear", "picture: curves.png"]
    assert (tmp_path / "curves.png").exists()


def test_labels(invoke, fails, trained, drawn):
    assert invoke("plot", trained, "--label", "a line").stdout.splitlines()[0] == "a line"
    assert drawn[0][0][0].label == "a line"
    fails(
        2, "Give a --label for each of the curves (linear): 1, not 2.", "plot", trained, "--label", "a", "--label", "b"
    )


def test_errors_that_the_user_can_fix(fails, trained, tmp_path):
    (tmp_path / "a.txt").write_text("no training")
    fails(2, "does not end with .png, .svg or .pdf", "plot", trained, "-o", "a.jpg")
    fails(2, "FILE", "plot", "-o", "a.png")
    fails(1, "has neither weights nor statistics", "plot", "a.txt", "-o", "a.png")
    fails(1, "does not exist", "plot", trained, "-o", "missing/a.png")
    fails(2, "does not end with .png", "train", "--plot", "a.jpg")
    fails(2, "name the same file", "train", "--plot", "a.png", "--output", "a.png")
    fails(1, "does not exist", "train", "--plot", "missing/a.png")
