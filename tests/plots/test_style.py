"""One look, whatever the machine's own settings of matplotlib, and files that do not change by themselves."""

import io

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

from fastdigits.plots import style

BEGINNINGS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@style.figure_style()
def a_figure():
    figure = style.new_figure(4, 3)
    axes = figure.subplots()
    axes.plot([0, 1], [2, 3], **style.line_style(1))
    style.label_axes(axes, "time (s)", "loss", "a title")
    return figure


def test_the_figure_has_the_look_and_the_machine_keeps_its_own():
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 4, "axes.spines.top": True}):
        [axes] = a_figure().axes
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("time (s)", "loss", "a title")
    assert axes.xaxis.label.get_fontsize() == style.TEXT
    assert not axes.spines["top"].get_visible()
    assert axes.lines[0].get_color() == style.ORANGE
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("file_type", style.FILE_TYPES)
def test_the_same_figure_gives_the_same_bytes(file_type):
    one, two = (style.encode_figure(a_figure(), file_type) for _ in range(2))
    assert one.startswith(BEGINNINGS[file_type])
    assert one == two


@pytest.mark.parametrize("file_type", style.FILE_TYPES)
def test_names_that_are_no_text_are_drawn(file_type):
    figure = a_figure()
    figure.suptitle("caf\udce9")
    assert style.encode_figure(figure, file_type).startswith(BEGINNINGS[file_type])


def test_the_size_is_that_of_the_figure():
    assert imread(io.BytesIO(style.encode_figure(a_figure(), "png"))).shape[:2] == (3 * style.DPI, 4 * style.DPI)


def test_many_series_are_told_apart():
    looks = [tuple(style.line_style(number).items()) for number in range(28)]
    assert len(set(looks)) == 28
    assert style.line_style(28) == style.line_style(0)
    assert len({tuple(style.marker_style(number).items()) for number in range(28)}) == 28


def test_an_image_is_shown_pixel_by_pixel():
    image = np.arange(0, 120, 10, dtype=np.uint8).reshape(3, 4)
    axes = style.new_figure(2, 2).subplots()
    style.show_image(axes, image)
    [shown] = axes.images
    np.testing.assert_array_equal(shown.get_array(), image)
    assert shown.get_clim() == (0, 255)
