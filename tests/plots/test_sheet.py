"""Content and layout of sheets of images."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from fastdigits.plots import style
from fastdigits.plots.sheet import Row, draw


def image(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


@pytest.fixture
def figure():
    rows = [Row("first", [image(28, 28), image(28, 28, 1)], ["a", "b"]), Row("second", [image(32, 32, 2)])]
    return draw(rows, ["one", "two"], "a title")


def test_all_images_and_texts_are_drawn(figure):
    [axes] = figure.axes
    assert [shown.get_array().shape for shown in axes.images] == [(28, 28), (28, 28), (32, 32)]
    np.testing.assert_array_equal(axes.images[1].get_array(), image(28, 28, 1))
    assert {text.get_text() for text in axes.texts} == {"a title", "one", "two", "first", "second", "a", "b"}


def test_images_are_aligned_and_smaller_ones_centered(figure):
    (a, b, c) = (shown.get_extent() for shown in figure.axes[0].images)  # left, right, bottom, top
    assert a[2:] == b[2:]
    assert a[1] < b[0]
    assert a[2] < c[3]
    assert (a[0] + a[1]) / 2 == (c[0] + c[1]) / 2
    assert (c[1] - c[0]) / (a[1] - a[0]) == 32 / 28


def test_every_pixel_of_an_image_is_a_square_of_equal_dots():
    pixels = image(28, 28)
    picture = imread(io.BytesIO(style.encode_figure(draw([Row("", [pixels])]), "png")))[..., 0]
    zoom = 4
    for top in range(20):  # the margins decide where the image starts
        for left in range(20):
            part = picture[top : top + 28 * zoom, left : left + 28 * zoom]
            if np.allclose(part, np.kron(pixels, np.ones((zoom, zoom))) / 255, atol=1 / 255):
                return
    pytest.fail("the image is not in the figure")


def test_a_long_title_is_not_cut():
    figure = draw([Row("", [image(28, 28)])], title="x" * 40)
    figure.draw_without_rendering()
    title = figure.axes[0].texts[0].get_window_extent()
    assert title.x1 <= figure.bbox.x1


def test_labels_are_not_cut():
    figure = draw([Row("all together WWW", [image(28, 28)])])
    figure.draw_without_rendering()
    assert min(text.get_window_extent().x0 for text in figure.axes[0].texts) >= 0
