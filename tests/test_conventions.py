"""Rules that the sources keep: who may import what, who may print, what the wheel must hold."""

import ast
import configparser
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastdigits

PACKAGE = Path(fastdigits.__file__).parent
ROOT = PACKAGE.parent
SOURCES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf8")) for path in PACKAGE.rglob("*.py")}
DEFINITIONS = [name for name in SOURCES if name.startswith("ops/") and name.endswith("/reference.py")]


def _imports(tree: ast.Module) -> set[str]:
    """The full names of all modules that are imported, anywhere in a file."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return names


def _prints(tree: ast.Module) -> bool:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(isinstance(called, ast.Name) and called.id == "print" for called in calls)


def test_there_is_something_to_check():
    assert "ops/__init__.py" in SOURCES
    assert "ops/conv2d/reference.py" in DEFINITIONS


@pytest.mark.parametrize("name", DEFINITIONS)
def test_definitions_import_only_numpy(name):
    family = f"fastdigits.{Path(name).parent.as_posix().replace('/', '.')}"
    allowed = {"numpy", "math", family}
    if family == "fastdigits.ops.fused":  # defined as the calls of the plain operations
        allowed |= {f"fastdigits.{Path(other).with_suffix('').as_posix().replace('/', '.')}" for other in DEFINITIONS}
    if family == "fastdigits.ops.batch":  # its augmentation draws random numbers
        allowed.add("fastdigits.ops.random.reference")
    assert _imports(SOURCES[name]) <= allowed


def test_only_commands_print():
    printing = {name for name, tree in SOURCES.items() if _prints(tree)}
    assert {name for name in printing if not name.startswith("cli/")} == set()


@pytest.mark.parametrize(
    "program",
    ["import fastdigits", "import sys; sys.argv[1:] = ['--help']; from fastdigits.cli import main; main()"],
    ids=["import", "--help"],
)
def test_start_is_light(program):
    """Neither importing the package nor asking for help waits for numpy or numba."""
    report = "import atexit, sys; atexit.register(lambda: sys.stderr.write(' '.join(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"{report}; {program}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    modules = set(done.stderr.split())
    assert "fastdigits" in modules
    assert modules & {"numpy", "numba", "h5py", "matplotlib"} == set()


def test_every_package_is_in_the_wheel():
    sources = Path(__file__).parents[1]
    config = configparser.ConfigParser()
    config.read(sources / "setup.cfg", encoding="utf8")
    listed = config["options"]["packages"].split()
    folders = {path.parent.relative_to(sources) for path in (sources / "fastdigits").rglob("__init__.py")}
    assert {".".join(folder.parts) for folder in folders} - set(listed) == set()


def test_every_other_file_is_in_the_wheel():
    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[1] / "setup.cfg", encoding="utf8")
    patterns = config["options.package_data"]
    others = [path for path in PACKAGE.rglob("*.*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    missing = []
    for path in others:
        package = next(parent for parent in path.parents if (parent / "__init__.py").exists())
        globs = patterns.get(".".join(package.relative_to(ROOT).parts), "").split(", ")
        if not any(path.relative_to(package).match(glob) for glob in globs if glob):
            missing.append(path)
    assert missing == []
    assert PACKAGE / "py.typed" in others
