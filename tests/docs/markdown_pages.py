"""The project's Markdown pages, split into what the tests need: fenced blocks, commands, links and headings."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

# The info string of a block is a language and flags, as in ```console no-run or ```python file=squareplus/kernel.py
LANGUAGES = {
    "console": {"no-run"},  # no-run: too long, or needs a network, a GPU or another framework; parsed only
    "python": {"file", "source", "no-run"},  # file=PATH: saved under this name; source=PATH: quoted from this file
    "text": {"tree"},  # tree: the packages of fastdigits
    "toml": {"file"},
    "json": set(),
    "yaml": set(),
    "dockerfile": set(),
    "c": set(),
}


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    flags: dict[str, str]
    text: str

    @property
    def where(self) -> str:
        """The page and line, for messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    pattern = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    content = page.read_text("utf8")
    for found in pattern.finditer(content):
        language, *flags = found[1].split() or [""]
        named = {flag.partition("=")[0]: flag.partition("=")[2] for flag in flags}
        yield Block(page, content[: found.start()].count("\n") + 1, language, named, found[2])


def commands(block: Block) -> Iterator[list[str]]:
    """The command lines of a console block, split into words, without variables before and comments after them."""
    for line in block.text.replace("\\\n", " ").splitlines():
        for command in line.split(" && "):
            words = shlex.split(command, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield words


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf8"), flags=re.MULTILINE | re.DOTALL)


def inline_code(page: Path) -> list[str]:
    """What stands between backticks outside of fenced blocks."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def links(page: Path) -> list[str]:
    """The targets of links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """The names by which links reach the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
