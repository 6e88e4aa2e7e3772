"""Files to draw into: the extension decides."""

import click
import pytest

from fastdigits.cli.options.figure_files import PictureFile, write
from fastdigits.plots.style import new_figure


@pytest.mark.parametrize("name", ["a.png", "a.b.SVG", "folder/a.pdf"])
def test_files_that_can_be_drawn(name):
    assert PictureFile().convert(name, None, None) == name


@pytest.mark.parametrize("name", ["a.jpg", "png", "a", "a.md", "a.png/"])
def test_files_that_cannot(name):
    with pytest.raises(click.BadParameter, match=r"does not end with \.png, \.svg or \.pdf\."):
        PictureFile().convert(name, None, None)


def test_a_command_may_write_more():
    assert PictureFile("md", "csv").convert("a.md", None, None) == "a.md"
    with pytest.raises(click.BadParameter, match=r"\.pdf, \.md or \.csv\."):
        PictureFile("md", "csv").convert("a.txt", None, None)


@pytest.mark.parametrize(("name", "beginning"), [("a.PNG", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")])
def test_the_extension_is_the_type(name, beginning, tmp_path):
    write(str(tmp_path / name), new_figure(1, 1))
    assert (tmp_path / name).read_bytes().startswith(beginning)
