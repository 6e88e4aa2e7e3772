"""Output files, whose type follows from the extension."""

import click
import pytest

from fastdigits.cli.actions.common import write_figure
from fastdigits.cli.options.figure_files import FigureFile
from fastdigits.plots.style import new_figure


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense"])
def test_the_backend_of_a_notebook_does_not_matter(process, environment, tiny, backend):
    arguments = "show", "--data", tiny, "--output", "digits.svg"
    result = process(*arguments, env=environment | {"MPLBACKEND": backend})
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("name", ["a.png", "a.b.SVG", "folder/a.pdf"])
def test_known_extensions(name):
    assert FigureFile().convert(name, None, None) == name


@pytest.mark.parametrize("name", ["a.jpg", "png", "a", "a.md", "a.png/"])
def test_unknown_extensions(name):
    with pytest.raises(click.BadParameter, match=r"does not end with \.png, \.svg or \.pdf\."):
        FigureFile().convert(name, None, None)


def test_further_extensions():
    assert FigureFile("md", "csv").convert("a.md", None, None) == "a.md"
    with pytest.raises(click.BadParameter, match=r"\.pdf, \.md or \.csv\."):
        FigureFile("md", "csv").convert("a.txt", None, None)


@pytest.mark.parametrize(("name", "beginning"), [("a.PNG", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")])
def test_extension_chooses_the_type(name, beginning, tmp_path):
    write_figure(str(tmp_path / name), new_figure(1, 1))
    assert (tmp_path / name).read_bytes().startswith(beginning)
