"""Content of the figure of a comparison."""

import pytest

from fastdigits.inference.compare import ComparedModel
from fastdigits.plots import style
from fastdigits.plots.comparison import draw

LINEAR = ComparedModel("linear", 7_850, 7_840, 10, [0.92, 0.93], [0.3, 0.5], 3e-7)
LENET = ComparedModel("lenet", 61_706, 416_520, 10, [0.99], [5.0], 3e-6)
LOADED = ComparedModel("cnn (a.h5)", 1_000_000, 10**7, 20, [0.995], [], 5e-6)
FAILED = ComparedModel("mlp", 118_282, 118_016, 0, [], [], None)


def markers(axes):
    """Return the (x, y, area) of each marker of a panel by name."""
    return {
        marker.get_label(): (*marker.get_offsets()[0].tolist(), marker.get_sizes()[0])
        for marker in axes.collections
        if not marker.get_label().startswith("_")
    }


def test_accuracy_against_training_and_inference_times():
    training, inference = draw([LINEAR, LENET, LOADED, FAILED], "a title").axes
    assert (training.get_xlabel(), inference.get_xlabel()) == ("training (s)", "inference per image (µs)")
    assert training.get_ylabel() == "test accuracy (%)"
    assert [axes.get_xscale() for axes in (training, inference)] == ["log", "log"]
    assert {name: marker[:2] for name, marker in markers(training).items()} == {
        "linear": pytest.approx((0.4, 92.5)),
        "lenet": pytest.approx((5.0, 99)),
    }
    assert {name: marker[:2] for name, marker in markers(inference).items()} == {
        "linear": pytest.approx((0.3, 92.5)),
        "lenet": pytest.approx((3.0, 99)),
        "cnn (a.h5)": pytest.approx((5.0, 99.5)),
    }


def test_areas_are_proportional_to_the_root_of_the_parameters():
    areas = {name: marker[2] for name, marker in markers(draw([LINEAR, LENET, LOADED]).axes[1]).items()}
    assert areas["cnn (a.h5)"] / areas["lenet"] == pytest.approx((1_000_000 / 61_706) ** 0.5)


def test_equal_ratios_of_errors_are_equal_distances():
    figure = draw([LINEAR, LENET, LOADED])
    transform = figure.axes[0].transData
    ten, five, two_and_a_half = (transform.transform((1.0, 100 - error))[1] for error in (10, 5, 2.5))
    assert five - ten == pytest.approx(two_and_a_half - five)
    low, high = figure.axes[0].get_ylim()
    assert low < 92
    assert 99.5 < high < 100
    figure.draw_without_rendering()
    ticks = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert {"90", "95", "98", "99", "99.5"} <= set(ticks)


@pytest.mark.parametrize("accuracy", [0.4, 0.9, 0.985, 0.9899, 0.9931])
@pytest.mark.parametrize("seconds", [0.3, 1.01, 5.0, 99.0])
def test_a_single_network_has_several_ticks_on_each_axis(accuracy, seconds):
    axes = draw([ComparedModel("one", 10, 10, 1, [accuracy], [seconds], None)]).axes[0]
    for ticks, (low, high) in ((axes.get_xticks(), axes.get_xlim()), (axes.get_yticks(), axes.get_ylim())):
        assert sum(low <= tick <= high for tick in ticks) >= 3


def test_the_legend_names_the_parameters():
    [legend] = draw([LINEAR, LENET, FAILED], "a title").legends
    assert legend.get_title().get_text() == "a title"
    assert [text.get_text() for text in legend.get_texts()] == [
        "linear: 7,850 parameters",
        "lenet: 61,706 parameters",
    ]


def test_only_several_runs_have_error_bars():
    assert [len(draw([entry]).axes[0].containers) for entry in (LINEAR, LENET)] == [1, 0]


def test_weights_files_have_no_training_panel():
    [axes] = draw([LOADED]).axes
    assert axes.get_xlabel() == "inference per image (µs)"


def test_an_accuracy_of_1_is_drawn():
    style.encode_figure(draw([ComparedModel("perfect", 10, 10, 1, [1.0], [1.0], 1e-6)]), "png")
