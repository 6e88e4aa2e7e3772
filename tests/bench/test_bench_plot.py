"""Test the figure of `bench --plot`."""

from fastdigits.bench.plot import draw


def test_each_network_and_mode_has_a_panel(row):
    rows = [row(mode, model) for model in ("mlp", "lenet") for mode in ("training", "inference")]
    figure = draw(rows, "a machine")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["mlp, training", "mlp, inference", "lenet, training", "lenet, inference"]
    assert figure.get_suptitle() == "a machine"


def test_each_batch_size_has_a_panel(row):
    figure = draw([row(batch_size=1), row(batch_size=8)], "")
    assert [axes.get_ylabel() for axes in figure.axes] == ["batch 1", "batch 8"]


def test_bars_are_images_per_second(row):
    (axes,) = draw([row(median=0.5), row(contender="torch", variant="eager", median=2.0)], "").axes
    assert axes.get_xlabel() == "images per second"
    assert axes.get_ylabel() == "batch 128"
    assert [bar.get_width() for bar in axes.patches] == [256, 64]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["fastdigits cpu", "torch\n(eager)"]
    assert {"256", "64"} <= {text.get_text().strip() for text in axes.texts}


def test_a_contender_has_one_colour_in_all_panels(row):
    rows = [row(model="mlp"), row(model="lenet"), row(model="lenet", contender="torch")]
    first, second = draw(rows, "").axes
    assert first.patches[0].get_facecolor() == second.patches[0].get_facecolor()
    assert second.patches[0].get_facecolor() != second.patches[1].get_facecolor()


def test_a_panel_may_be_empty(row):
    rows = [row("training", "mlp"), row("inference", "lenet")]
    assert [len(axes.patches) for axes in draw(rows, "").axes] == [1, 0, 0, 1]
