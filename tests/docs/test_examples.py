"""Every example in the documentation runs: Python blocks and commands, in order, in a new folder for each page.

The Python blocks of a page share one namespace. A block with file=PATH is saved under that name and can be imported.
A command runs unless its block says no-run; test_pages.py parses it then. Commands of other programs do not run.
"""

import importlib
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from markdown_pages import PAGES, Block, blocks, commands
from PIL import Image
from registrations import forgotten

from fastdigits.cli import cli
from fastdigits.data import load_digits


def _is_run(block: Block) -> bool:
    python = block.language == "python" and not block.flags
    command = block.language == "console" and any(words[0] == "fastdigits" for words in commands(block))
    return python or (command and "no-run" not in block.flags)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in, with the pictures that the pages mention; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    images = load_digits().test_images
    photo = Image.fromarray(255 - images[0]).resize((280, 280)).convert("RGB")
    photo.save("photo.jpg")
    (tmp_path / "scans").mkdir()
    photo.save("scans/first.png")
    page = np.full((60, 200), 255, np.uint8)
    for number, image in enumerate(images[:3]):
        page[16:44, 20 + 60 * number : 48 + 60 * number] -= image
    Image.fromarray(page).resize((800, 240)).save("page.jpg")
    for number in range(40):  # a set of two letters, which are digits turned
        (tmp_path / "letters" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rot90(images[number], 1 + number % 2)).save(f"letters/{'ab'[number % 2]}/{number}.png")
    before = set(sys.modules)
    with forgotten(monkeypatch):
        yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(map(_is_run, blocks(page)))], ids=lambda page: page.name
)
def test_examples_run(page, folder):
    namespace = {"__name__": "example"}
    for block in blocks(page):
        if "file" in block.flags:
            path = folder / block.flags["file"]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, "utf8")
            importlib.invalidate_caches()
        elif _is_run(block) and block.language == "python":
            lines = "\n" * block.line  # so that a traceback names the line of the page
            exec(compile(lines + block.text, str(block.page), "exec"), namespace)
        elif _is_run(block):
            for words in commands(block):
                if words[0] == "fastdigits":
                    result = CliRunner().invoke(cli, words[1:])
                    assert result.exit_code == 0, (block.where, words, result.output, result.exception)
