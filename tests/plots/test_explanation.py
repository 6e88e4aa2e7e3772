"""Content of the figure of an explanation."""

import numpy as np
import pytest

from fastdigits.plots import style
from fastdigits.plots.explanation import draw

TIMES = "\N{MULTIPLICATION SIGN}"
RANDOM = np.random.default_rng(2)
IMAGE = RANDOM.integers(0, 256, (9, 8), np.uint8)
SALIENCY = RANDOM.standard_normal((9, 8)).astype(np.float32)
SMOOTHED = RANDOM.standard_normal((9, 8)).astype(np.float32)
PROBABILITIES = np.array([0.125, 0.5, 0.375], np.float32)
MAPS = {
    "conv2d_1, ReLU": RANDOM.random((20, 4, 5)).astype(np.float32),
    "dense_1": RANDOM.standard_normal(70).astype(np.float32),
    "dense_2": RANDOM.standard_normal(3).astype(np.float32),
}


@pytest.fixture(scope="module")
def figure():
    return draw(IMAGE, PROBABILITIES, MAPS, (SALIENCY, SMOOTHED), "a title")


@pytest.fixture
def panel(figure):
    return {axes.get_title(loc="left"): axes for axes in figure.axes}.__getitem__


def test_the_image_and_the_saliency(panel):
    np.testing.assert_array_equal(panel("what the network sees").images[0].get_array(), IMAGE)
    for title, saliency in {"gradient": SALIENCY, "smoothed gradient": SMOOTHED}.items():
        [image] = panel(title).images
        np.testing.assert_array_equal(image.get_array(), saliency)
        assert image.get_clim() == pytest.approx((-np.abs(saliency).max(), np.abs(saliency).max()))


def test_the_colors_of_the_saliency_are_explained():
    def notes(**options):
        figure = draw(IMAGE, PROBABILITIES, MAPS, (SALIENCY, SMOOTHED), "", ["a", "b", "c"], **options)
        return [text.get_text() for axes in figure.axes for text in axes.texts]

    assert "of the score of b\nblue: a brighter pixel raises it, red: a brighter pixel lowers it" in notes()
    signs = "blue: a brighter pixel speaks for b, red: a brighter pixel speaks for c"
    assert f"of the score of b minus the score of c\n{signs}" in notes(against=2)


def test_every_probability_is_a_bar_and_the_highest_is_highlighted(panel):
    axes = panel("probabilities")
    assert [bar.get_width() for bar in axes.patches] == PROBABILITIES.tolist()
    assert [text.get_text() for text in axes.texts] == ["12.5%", "50.0%", "37.5%"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("probability", "digit")
    colors = [bar.get_facecolor() for bar in axes.patches]
    assert colors[0] == colors[2] != colors[1]
    assert axes.get_xlim() == (0, 1)


def test_every_feature_map_is_drawn(panel):
    axes = panel(f"conv2d_1, ReLU: 20 {TIMES} 4 {TIMES} 5")
    shown = np.ma.filled(axes.images[0].get_array().astype(float), np.nan)
    assert shown.shape == (2 * 4 + 1, 10 * 5 + 9)  # two full rows
    np.testing.assert_allclose(shown[5:9, 42:47], MAPS["conv2d_1, ReLU"][17])
    assert axes.images[0].get_cmap().name == style.PIXELS  # no activation is negative
    assert axes.images[0].get_clim()[0] == 0


def test_every_neuron_is_drawn_and_short_layers_are_numbered(panel):
    axes = panel("dense_1: 70")
    shown = np.ma.filled(axes.images[0].get_array().astype(float), np.nan)
    assert np.isfinite(shown).sum() == 70
    np.testing.assert_allclose(shown[2, 5], MAPS["dense_1"][69])
    assert axes.images[0].get_cmap().name == style.DIVERGING
    assert not axes.texts
    assert [text.get_text() for text in panel("dense_2: 3").texts] == ["0", "1", "2"]


@pytest.mark.parametrize("names", [["a", "b", "c"], ["Ankle boot", "T-shirt/top", "Bag"]])
def test_the_neurons_of_the_last_layer_have_the_names_of_the_classes(names):
    figure = draw(IMAGE, PROBABILITIES, MAPS, (SALIENCY, SMOOTHED), "", names)
    axes = next(axes for axes in figure.axes if axes.get_title(loc="left") == "dense_2: 3")
    assert [text.get_text() for text in axes.texts] == names
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
    assert max(box.y1 for box in boxes) <= axes.get_window_extent().y1  # below the title


def test_panels_do_not_overlap(figure):
    boxes = [axes.get_position() for axes in figure.axes]
    assert len(boxes) == 4 + 2 + 1 + 2 * 3  # image, saliency maps and bars, their color bars, the note, the layers
    for i, one in enumerate(boxes):
        assert 0 <= one.x0 < one.x1 <= 1
        assert not any(one.overlaps(other) for other in boxes[:i])


@pytest.mark.parametrize("name", ["a$b.png", "$a$ and $b$.png", "", "\\frac$\\frac$"])
def test_any_file_name_can_be_the_title(name):
    figure = draw(IMAGE, PROBABILITIES, MAPS, (SALIENCY, SMOOTHED), name)
    assert style.encode_figure(figure, "png").startswith(b"\x89PNG")
