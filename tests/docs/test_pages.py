"""The documentation matches the project: links, paths, commands, options, packages and quoted code."""

import os
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from markdown_pages import LANGUAGES, PAGES, ROOT, anchors, blocks, commands, inline_code, links, prose

from fastdigits.cli import COMMANDS, cli

MAX_README_LINES = 160
# Other programs, whose command lines are not parsed
OTHER_PROGRAMS = {"cc", "cd", "curl", "dask", "git", "mypy", "pip", "pre-commit", "ruff", "source"}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf8").splitlines()) <= MAX_README_LINES


@each_page
def test_blocks_have_known_languages_and_flags(page):
    for block in blocks(page):
        assert block.language in LANGUAGES, block.where
        assert block.flags.keys() <= LANGUAGES[block.language], block.where


@each_page
def test_links_lead_somewhere(page):
    for link in links(page):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@each_page
def test_named_paths_exist(page):
    if page.name == "CHANGELOG.md":  # which also names what is gone
        return
    paths = [
        code for code in inline_code(page) if re.fullmatch(r"(fastdigits|tests|data|docs|scripts)/[a-z0-9_./*]+", code)
    ]
    assert [path for path in paths if not list(ROOT.glob(path.rstrip("/")))] == []


@each_page
def test_named_modules_exist(page):
    text = prose(page)
    if page.name == "CHANGELOG.md":  # the first column of its tables has the old names
        text = re.sub(r"^  \| [^|]* \|", "", text, flags=re.MULTILINE)
    for name in re.findall(r"`(fastdigits(?:\.\w+)+)`", text):
        module, _, attribute = name.rpartition(".")
        assert find_spec(module), name
        assert find_spec(name) or hasattr(import_module(module), attribute), name


@each_page
def test_command_lines_are_valid(page, monkeypatch):
    monkeypatch.chdir(ROOT)  # where `train --model data/models/residual.toml` finds its file
    for block in blocks(page):
        if block.language == "console":
            for words in commands(block):
                _check_command(words, block.where)


def _check_command(words: list[str], where: str) -> None:
    program, *arguments = words
    if program == "fastdigits":
        parse(arguments)
    elif program == "python" and arguments[0] == "-m":
        assert arguments[1] in ("venv", "pytest"), where
    elif program == "python":
        script = (ROOT / arguments[0]).read_text("utf8")
        options = [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]
        assert [option for option in options if f'"{option}"' not in script] == [], where
    elif program == "pytest":
        paths = [argument for argument in arguments if argument.startswith("tests")]
        assert [path for path in paths if not (ROOT / path.partition("::")[0]).exists()] == [], where
    else:
        assert program in OTHER_PROGRAMS or program.startswith("."), f"{where}: {program}"


def parse(arguments: list[str]) -> None:
    """Parse a command line completely, without running the command."""
    command, context, name = cli, click.Context(cli, info_name="fastdigits"), "fastdigits"
    while isinstance(command, click.Group):
        name, command, arguments = command.resolve_command(context, arguments)
    command.make_context(name, list(arguments), parent=context)


@pytest.mark.parametrize(
    "line", ["trian", "train --epochs few", "train --no-such-option", "predict", "data lisst", "train --model lent"]
)
def test_invalid_command_lines_are_noticed(line):
    with pytest.raises(click.UsageError):
        parse(line.split())


@each_page
def test_named_commands_and_options_exist(page):
    """Also where a command is only mentioned, such as `fastdigits describe lenet --picture`."""
    for code in inline_code(page):
        if code.startswith("fastdigits "):
            name, *rest = code.split()[1:]
            if name in ("COMMAND", "--help"):
                continue
            assert name in COMMANDS, code
            assert [word for word in rest if word.startswith("--") and word not in options_of(name)] == [], code


def options_of(name: str) -> set[str]:
    """All options of a command and of its subcommands."""
    command = cli.get_command(click.Context(cli), name)
    parts = [command, *command.commands.values()] if isinstance(command, click.Group) else [command]
    params = [param for part in parts for param in part.params]
    return {option for param in params for option in (*param.opts, *param.secondary_opts)} | {"--help"}


def test_every_command_is_described():
    headings = re.findall(r"^## (.*)$", prose(ROOT / "docs/commands.md"), re.MULTILINE)
    assert headings == list(dict.fromkeys(headings))
    assert set(headings) == set(COMMANDS)
    assert {code.split()[1] for code in inline_code(ROOT / "README.md") if code.startswith("fastdigits ")} == {
        *COMMANDS
    }


def test_options_of_the_commands_page_exist():
    for section in prose(ROOT / "docs/commands.md").split("\n## ")[1:]:
        name = section.split()[0]
        assert set(re.findall(r"`(--[a-z0-9-]+)", section)) - options_of(name) - options_of("train") == set(), name


def test_tree_lists_the_packages_that_exist():
    [tree] = [block for block in blocks(ROOT / "docs/architecture.md") if "tree" in block.flags]
    listed, parents = [], []
    for line in tree.text.splitlines():
        indent, name = re.match(r"( *)(\w+)/", line).groups()
        parents[len(indent) // 4 :] = [name]
        listed.append("/".join(parents))
    folders = {path.parent for path in (ROOT / "fastdigits").rglob("__init__.py")}
    assert sorted(listed) == sorted(folder.relative_to(ROOT).as_posix() for folder in folders)


@each_page
def test_quoted_code_is_that_of_the_sources(page):
    for block in blocks(page):
        if source := block.flags.get("source"):
            assert _unindented(block.text) in _unindented((ROOT / source).read_text("utf8")), f"{block.where}: {source}"


def _unindented(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines())


def test_pages_are_all_linked_from_the_readme():
    linked = {(ROOT / link).resolve() for link in links(ROOT / "README.md") if link.endswith(".md")}
    assert {page for page in PAGES if page.name != "README.md"} <= linked


def test_pictures_are_all_shown():
    shown = {Path(os.path.normpath(page.parent / link)) for page in PAGES for link in links(page)}
    assert [picture for picture in (ROOT / "docs/images").iterdir() if picture not in shown] == []
