"""Content of the figure of filters: every weight is drawn once, in the right place."""

import numpy as np
import pytest

from fastdigits.plots.filters import draw

TIMES = "\N{MULTIPLICATION SIGN}"


def random(*shape):
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def panels(figure):
    """Return the axes with kernels, without the color bars."""
    return [axes for axes in figure.axes if axes.images and axes.get_title(loc="left")]


def shown(axes):
    return np.ma.filled(axes.images[0].get_array().astype(float), np.nan)


def test_kernels_of_one_channel_are_a_numbered_list():
    weight = random(10, 1, 5, 4)
    [axes] = panels(draw({"conv2d_1": weight}, "a title"))
    assert axes.get_title(loc="left") == f"conv2d_1: 10 of 5 {TIMES} 4"
    assert [text.get_text() for text in axes.texts] == [*map(str, range(10))]
    image = shown(axes)
    assert np.isfinite(image).sum() == weight.size
    x, y = axes.texts[7].get_position()
    left, top = round(x - 1.5), round(y + 0.7)
    np.testing.assert_allclose(image[top : top + 5, left : left + 4], weight[7, 0])


@pytest.mark.parametrize(("count", "shape"), [(6, (2, 3)), (10, (2, 5)), (16, (4, 4)), (24, (4, 6)), (32, (4, 8))])
def test_the_grid_of_a_list_is_full_and_nearly_square(count, shape):
    [axes] = panels(draw({"conv2d_1": random(count, 1, 5, 5)}, ""))
    places = [text.get_position() for text in axes.texts]
    assert (len({y for _, y in places}), len({x for x, _ in places})) == shape


def test_kernels_of_several_channels_are_a_matrix():
    weight = random(3, 2, 3, 3)
    [axes] = panels(draw({"conv2d_2": weight}, ""))
    image = shown(axes)
    assert image.shape == (3 * 4 - 1, 2 * 4 - 1)
    np.testing.assert_allclose(image[8:11, 4:7], weight[2, 1])
    assert np.isnan(image[3]).all()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("input channel", "filter")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "1", "2"]
    assert axes.get_yticks() == pytest.approx([1, 5, 9])


def test_zero_is_the_middle_of_the_color_scale():
    figure = draw({"a": random(2, 1, 3, 3), "b": np.zeros((2, 1, 3, 3), np.float32)}, "")
    for axes, weight in zip(panels(figure), (random(2, 1, 3, 3), np.ones(1)), strict=True):
        low, high = axes.images[0].get_clim()
        assert high == -low == pytest.approx(np.abs(weight).max())
    bars = [axes for axes in figure.axes if axes not in panels(figure)]
    assert [bar.get_ylabel() for bar in bars] == ["weight", "weight"]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_every_layer_has_a_panel_and_panels_do_not_overlap(count):
    layers = {f"residual_{i}.conv2d_1": random(64, 32, 3, 3) for i in range(count)} | {"d": random(128, 1, 28, 28)}
    figure = draw(layers, "")
    assert len(panels(figure)) == count + 1
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[:i])
    assert figure.get_figwidth() < 13.5
