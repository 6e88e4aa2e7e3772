"""What the picture of kernels shows: every weight once, in the right place."""

import numpy as np
import pytest

from fastdigits.plots.filters import draw

TIMES = "\N{MULTIPLICATION SIGN}"


def random(*shape):
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def panels(figure):
    """The axes with kernels, without the scales of their colors."""
    return [axes for axes in figure.axes if axes.images and axes.get_title(loc="left")]


def shown(axes):
    return np.ma.filled(axes.images[0].get_array().astype(float), np.nan)


def test_kernels_of_one_channel_with_their_numbers():
    weight = random(10, 1, 5, 4)
    [axes] = panels(draw({"conv2d_1": weight}, "a title"))
    assert axes.get_title(loc="left") == f"conv2d_1: 10 of 5 {TIMES} 4"
    assert [text.get_text() for text in axes.texts] == [*map(str, range(10))]
    image = shown(axes)
    assert np.isfinite(image).sum() == weight.size
    place = axes.texts[7]
    left, top = round(place.get_position()[0] - 1.5), round(place.get_position()[1] + 0.7)
    np.testing.assert_allclose(image[top : top + 5, left : left + 4], weight[7, 0])


def test_kernels_of_several_channels_as_a_matrix():
    weight = random(3, 2, 3, 3)
    [axes] = panels(draw({"conv2d_2": weight}, ""))
    image = shown(axes)
    assert image.shape == (3 * 4 - 1, 2 * 4 - 1)
    np.testing.assert_allclose(image[8:11, 4:7], weight[2, 1])
    assert np.isnan(image[3]).all()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("channel of its input", "filter")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "1", "2"]
    assert axes.get_yticks() == pytest.approx([1, 5, 9])


def test_white_is_zero_and_the_scale_says_so():
    figure = draw({"a": random(2, 1, 3, 3), "b": np.zeros((2, 1, 3, 3), np.float32)}, "")
    for axes, weight in zip(panels(figure), (random(2, 1, 3, 3), np.ones(1)), strict=True):
        low, high = axes.images[0].get_clim()
        assert high == -low == pytest.approx(np.abs(weight).max())
    bars = [axes for axes in figure.axes if axes not in panels(figure)]
    assert [bar.get_ylabel() for bar in bars] == ["weight", "weight"]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_panel_for_each_layer_none_upon_another(count):
    layers = {f"residual_{i}.conv2d_1": random(64, 32, 3, 3) for i in range(count)} | {"d": random(128, 1, 28, 28)}
    figure = draw(layers, "")
    assert len(panels(figure)) == count + 1
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[:i])
    assert figure.get_figwidth() < 13.5
