"""Content and layout of the drawing of a network."""

from itertools import combinations, pairwise

import pytest
from matplotlib.patches import FancyArrowPatch

from fastdigits.inspection.stages import stages_of
from fastdigits.models import MODELS, network_of
from fastdigits.nn import Conv2D, Dense, Flatten, Network, Residual
from fastdigits.plots import style
from fastdigits.plots.architecture import draw
from fastdigits.plots.architecture.bodies import Box, Neurons, Scale
from fastdigits.plots.architecture.labels import label_width
from fastdigits.plots.architecture.layout import WIDTH, Layout


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def blocks(*projections):
    """Make a network of residual blocks of one convolution each, with or without a projection."""
    layers = [Residual([Conv2D(2, 3, padding=1)], projection) for projection in projections]
    return Network([Conv2D(2, 3, padding=1), *layers, Flatten(), Dense(10)], (1, 8, 8))


def test_labels_of_lenet():
    found = texts(draw(network_of("lenet"), "my network"))
    times = "\N{MULTIPLICATION SIGN}"
    assert found[:2] == ["my network", "61,706 parameters, 416,520 multiply-adds per image"]
    start = found.index(f"16 {times} 10 {times} 10")
    assert found[start + 1 : start + 6] == ["Conv2D", f"5 {times} 5", "ReLU", "2,416", "parameters"]
    start = found.index("84")
    assert found[start + 1 : start + 5] == ["Dense", "ReLU", "10,164", "parameters"]
    assert found[-10:] == [*map(str, range(10))]


@pytest.mark.parametrize("name", ["Ankle boot", "a name that is as long as twenty-four"])
def test_names_of_classes_are_within_the_picture(name):
    names = ("T-shirt/top", name, *"abcdefgh")
    figure = draw(network_of("lenet", None, (1, 28, 28), names), "lenet")
    figure.draw_without_rendering()
    width = figure.get_window_extent().x1
    drawn = figure.axes[0].texts[-10:]
    assert [text.get_text() for text in drawn] == [style.class_label(one) for one in names]
    assert max(text.get_window_extent().x1 for text in drawn) < width


@pytest.mark.parametrize("model", MODELS)
def test_bodies_and_labels_do_not_overlap(model):
    layout = Layout(stages_of(network_of(model)))
    assert len(layout.places) == len(layout.stages)
    for one, other in combinations(layout.places, 2):
        assert one.row != other.row or one.right < other.x
        if one.row != other.row:
            assert one.label_top - len(one.label) * 11 > other.top
    for place in layout.places:
        middle, half = place.x + place.body.width / 2, label_width(place.label) / 2
        assert middle - half >= -1e-6
        assert middle + half <= layout.width + 1e-6 <= WIDTH + 1e-6
        others = [other for other in layout.places if other.row == place.row and other.x > place.x]
        for other in others[:1]:
            reach = label_width(other.label) / 2
            assert middle + half < other.x + other.body.width / 2 - reach


def test_boxes_are_to_scale():
    scale = Scale(pixel=2.0, channel=1.5)
    small, large = Box((10, 6, 5), scale), Box((20, 12, 10), scale)
    assert (small.front, small.rows) == (15, 12)
    assert (large.front, large.rows, large.depth) == (2 * small.front, 2 * small.rows, 2 * small.depth)
    window = large.right_face(0, 0, 3, 2, 4, 4)
    face = large.right_face(0, 0, 0, 0, 12, 10)
    assert window[3][1] - window[0][1] == pytest.approx(4 / 12 * (face[3][1] - face[0][1]))
    assert window[1][0] - window[0][0] == pytest.approx(4 / 10 * (face[1][0] - face[0][0]))
    assert face[2] == pytest.approx((large.width, large.height / 2))


@pytest.mark.parametrize(("units", "drawn"), [(1, 1), (10, 10), (12, 12), (13, 12), (128, 14), (9216, 22)])
def test_long_columns_of_neurons_are_truncated(units, drawn):
    body = Neurons(units)
    centers = body.centers(5, 7)
    assert (len(centers), body.truncated) == (drawn, units > drawn)
    assert all(x == centers[0][0] for x, _ in centers)
    assert sum(y for _, y in centers) / drawn == pytest.approx(7)
    steps = {round(a - b, 6) for (_, a), (_, b) in pairwise(centers)}
    assert len(steps) == (0 if units == 1 else 1 + body.truncated)


def test_lines_connect_all_drawn_neurons():
    axes = draw(network_of("neuron"), "").axes[0]
    counts = sorted(len(lines.get_segments()) for lines in axes.collections if hasattr(lines, "get_segments"))
    assert counts == [10, Neurons(784).drawn]


def test_skip_connections():
    figure = draw(blocks(False, True, True), "")
    skips = [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]
    assert [patch.get_edgecolor()[:3] == pytest.approx((0.835, 0.369, 0), abs=0.01) for patch in skips] == [True] * 3
    times = "\N{MULTIPLICATION SIGN}"
    assert texts(figure).count(f"Conv2D 1 {times} 1\n6 parameters") == 2
    assert texts(figure).count("+ skip") == 3


def test_nested_skip_connections_pass_below_outer_ones():
    nested = Residual([Residual([Conv2D(1, 3, 1, 1)], True), Conv2D(1, 3, 1, 1)])
    layout = Layout(stages_of(Network([nested, Flatten(), Dense(2)], (1, 4, 4))))
    heights = layout.heights([0, 1, 2])
    assert heights[2] > heights[1] + 2 * style.SMALL  # with room for the label of the inner one


def test_many_layers_continue_in_further_rows():
    layout = Layout(stages_of(blocks(*[True] * 24)))
    rows = [place.row for place in layout.places]
    assert rows == sorted(rows)
    assert max(rows) >= 2
    axes = draw(blocks(*[True] * 24), "").axes[0]
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == 24 + max(rows)
