"""The import graph of the package, drawn from its sources: imports only go down, and never in a circle."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import fastdigits

PACKAGE = Path(fastdigits.__file__).parent
LOOSE = {"__init__", "__main__", "errors", "extend", "files", "sequential", "sklearn"}

# From top to bottom. A package may import those below its line, never its neighbours or those above.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("report",),
    ("bench",),
    ("importing",),
    ("export",),
    ("sklearn",),
    ("sequential",),
    ("extend", "plots", "serve", "check", "doctor", "sweeps", "tracking"),
    ("training",),
    ("inference",),
    ("storage",),
    ("config",),
    ("data",),
    ("imaging",),
    ("models",),
    ("inspection",),
    ("nn",),
    ("ops",),
    ("files",),
    ("errors",),
)
MAX_FLOORS = 12

# Third-party packages that only these parts may import
ROOMS = {
    "numba": ("ops",),
    "llvmlite": ("ops", "doctor"),
    "cupy": ("ops",),
    "h5py": ("storage", "training.checkpoint", "data.formats"),
    "matplotlib": ("plots", "bench.plot", "report.page"),
    "PIL": ("imaging", "data.placement", "data.conversion", "data.formats", "report.page"),
    "scipy": ("imaging", "data.placement", "data.formats", "sweeps.ranking"),
    "pyarrow": ("data.formats",),
    "rich": ("cli",),
    "click": ("cli",),
    "fastapi": ("serve",),
    "uvicorn": ("serve",),
    "onnx": ("export", "importing"),
    "safetensors": ("export", "importing"),
    "sklearn": ("sklearn",),
    "tensorboardX": ("tracking.event_files",),
    "mlflow": ("tracking.mlflow_runs",),
    "distributed": ("sweeps.dask_cluster", "sweeps.dask_worker"),
    "optuna": ("sweeps",),
    "pandas": ("sweeps",),
}


def module_names() -> dict[str, Path]:
    """Every module of the package without its first part: "" is the package itself."""
    names = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


MODULES = module_names()


def imported_names(tree: ast.Module) -> set[str]:
    """The full names that a file imports anywhere, also in programs that it keeps as strings.

    Names that only a type checker imports are left out: they cost nothing when the program runs.
    """
    names = set()
    for node in without_type_checking(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            for module, name in re.findall(r"from (fastdigits[\w.]*) import (\w+)", node.value):
                names.add(f"{module}.{name}")
    return names


def without_type_checking(node: ast.AST):
    """All nodes below, but for docstrings and the bodies of `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        yield child
        yield from without_type_checking(child)


def own_module(name: str) -> str | None:
    """The module of the package that an imported name is or belongs to; None for other packages."""
    if name.split(".")[0] != "fastdigits":
        return None
    parts = name.split(".")[1:]
    inner = ".".join(parts)
    return inner if inner in MODULES else ".".join(parts[:-1])


IMPORTS = {name: imported_names(ast.parse(path.read_text("utf8"))) for name, path in MODULES.items()}
GRAPH = {
    name: {module for imported in names if (module := own_module(imported)) is not None} - {name}
    for name, names in IMPORTS.items()
}


def part_of(module: str) -> str:
    """The package, or the loose module, that a module belongs to."""
    return module.split(".")[0]


PARTS = {
    part: {part_of(target) for name in GRAPH if part_of(name) == part for target in GRAPH[name]} - {part, ""}
    for part in {part_of(name) for name in GRAPH}
}


def circle(graph: dict[str, set[str]]) -> list[str] | None:
    """The first circle that a depth-first search finds."""
    done: set[str] = set()

    def search(path: list[str]) -> list[str] | None:
        for target in sorted(graph.get(path[-1], ())):
            if target in path:
                return [*path[path.index(target) :], target]
            if target not in done and (found := search([*path, target])):
                return found
        done.add(path[-1])
        return None

    return next((found for name in sorted(graph) if (found := search([name]))), None)


def test_graph_is_found():
    assert "training.loop" in GRAPH
    assert "inference.evaluate" in GRAPH["training.trainer"]
    assert "training.precompile" in GRAPH["training.precompile"] | GRAPH["training.loop"]


def test_programs_in_strings_count():
    tree = ast.parse("PROGRAM = 'import json; from fastdigits.training.loop import train'")
    assert imported_names(tree) == {"fastdigits.training.loop.train"}


def test_only_a_few_modules_are_loose():
    assert {path.stem for path in PACKAGE.glob("*.py")} == LOOSE


def test_every_part_has_a_layer():
    assert set(PARTS) - {""} == {part for layer in LAYERS for part in layer}


def test_imports_only_go_down():
    height = {part: number for number, layer in enumerate(LAYERS) for part in layer}
    upward = [
        f"{name} imports {target}"
        for name, targets in sorted(GRAPH.items())
        for target in sorted(targets)
        if name and target and part_of(name) != part_of(target) and height[part_of(target)] <= height[part_of(name)]
    ]
    assert upward == []


def test_no_circle():
    assert circle(GRAPH) is None


def test_circles_are_noticed():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_the_house_has_few_floors():
    @cache
    def floors(part: str) -> int:
        return 1 + max(map(floors, PARTS[part]), default=0)

    assert max(map(floors, set(PARTS) - {""})) <= MAX_FLOORS


@pytest.mark.parametrize("package", ROOMS)
def test_third_party_packages_stay_in_their_rooms(package):
    importers = [name for name, names in IMPORTS.items() if any(one.split(".")[0] == package for one in names)]
    assert importers, f"nothing imports {package}"
    rooms = tuple(ROOMS[package])
    outside = [name for name in importers if not any(name == room or name.startswith(f"{room}.") for room in rooms)]
    assert outside == []
