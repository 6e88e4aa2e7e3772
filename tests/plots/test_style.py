"""The figure style does not depend on local settings of matplotlib, and equal figures have equal bytes."""

import io

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

from fastdigits.plots import style

SIGNATURES = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@style.figure_style()
def a_figure():
    figure = style.new_figure(4, 3)
    axes = figure.subplots()
    axes.plot([0, 1], [2, 3], **style.line_style(1))
    style.label_axes(axes, "time (s)", "loss", "a title")
    return figure


def test_figures_have_the_style_and_local_settings_stay_as_they_are():
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 4, "axes.spines.top": True}):
        [axes] = a_figure().axes
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("time (s)", "loss", "a title")
    assert axes.xaxis.label.get_fontsize() == style.TEXT
    assert not axes.spines["top"].get_visible()
    assert axes.lines[0].get_color() == style.ORANGE
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("file_type", style.FILE_TYPES)
def test_equal_figures_have_equal_bytes(file_type):
    one, two = (style.encode_figure(a_figure(), file_type) for _ in range(2))
    assert one.startswith(SIGNATURES[file_type])
    assert one == two


@pytest.mark.parametrize("file_type", style.FILE_TYPES)
@pytest.mark.parametrize("name", ["caf\udce9", "red \x1b[31m", "two\nlines", "\u56fe"])
def test_any_file_name_is_drawn(file_type, name):
    figure = a_figure()
    figure.suptitle(name)
    assert style.encode_figure(figure, file_type).startswith(SIGNATURES[file_type])


def test_a_png_file_has_the_size_of_the_figure():
    assert imread(io.BytesIO(style.encode_figure(a_figure(), "png"))).shape[:2] == (3 * style.DPI, 4 * style.DPI)


def test_28_series_are_distinct():
    assert len({tuple(style.line_style(number).items()) for number in range(28)}) == 28
    assert style.line_style(28) == style.line_style(0)
    assert len({tuple(style.marker_style(number).items()) for number in range(28)}) == 28


def test_an_image_is_drawn_pixel_by_pixel():
    image = np.arange(0, 120, 10, dtype=np.uint8).reshape(3, 4)
    axes = style.new_figure(2, 2).subplots()
    style.show_image(axes, image)
    [shown] = axes.images
    np.testing.assert_array_equal(shown.get_array(), image)
    assert shown.get_clim() == (0, 255)
