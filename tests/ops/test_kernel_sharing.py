"""kernel.py holds what every device uses; cpu_kernel.py and cuda_kernel.py what only one of them does.

The source decides, so nothing is compiled and a GPU is not needed.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

from fastdigits import ops

ROOT = Path(ops.__file__).parent
PACKAGE = "fastdigits.ops"
DEVICE_FILES = {"cpu": ("cpu.py", "cpu_kernel.py"), "cuda": ("cuda.py", "cuda_kernel.py")}
KERNEL_FILES = ("kernel.py", "cpu_kernel.py", "cuda_kernel.py", "transforms.py", "math.py")
MIN_SHARED = 0.26  # of all kernel lines; raise it when more are shared

Function = tuple[str, str]  # module, name


def _module(path: Path) -> str:
    return ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


TREES = {_module(path): ast.parse(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}
FILES = {_module(path): path.name for path in sorted(ROOT.rglob("*.py"))}
KERNELS = {name for name, file in FILES.items() if file in KERNEL_FILES}
SHARED = {name for name, file in FILES.items() if file == "kernel.py"}


@cache
def _functions(module: str) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in TREES[module].body if isinstance(node, ast.FunctionDef)}


@cache
def _imported(module: str) -> dict[str, str | Function]:
    """What each imported name stands for: a module of kernels or one of its functions."""
    names = {}
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            for alias in node.names:
                target = f"{node.module}.{alias.name}"
                names[alias.asname or alias.name] = target if target in TREES else (node.module, alias.name)
    return names


def _used(module: str, node: ast.AST) -> set[Function]:
    """The functions of kernel files that a piece of a module's source names."""
    imported, own = _imported(module), _functions(module)
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            target = imported.get(part.value.id)
            if isinstance(target, str):
                found.add((target, part.attr))
        elif isinstance(part, ast.Name):
            target = imported.get(part.id)
            if isinstance(target, tuple):
                found.add(target)
            elif part.id in own:
                found.add((module, part.id))
    return {(where, name) for where, name in found if where in KERNELS and name in _functions(where)}


@cache
def _reached(device: str) -> set[Function]:
    """The kernel functions that a device's files use, directly or through other kernel functions."""
    waiting = set()
    for module, file in FILES.items():
        if file == DEVICE_FILES[device][0]:
            waiting |= _used(module, TREES[module])
    reached = set()
    while waiting:
        module, name = waiting.pop()
        reached.add((module, name))
        waiting |= _used(module, _functions(module)[name]) - reached
    return reached


def _lines(function: Function) -> int:
    """Lines of a kernel function without its docstring."""
    node = _functions(function[0])[function[1]]
    docstring = node.body[0] if ast.get_docstring(node) else None
    return node.end_lineno - node.lineno + 1 - (docstring.end_lineno - docstring.lineno + 1 if docstring else 0)


def count_lines() -> tuple[int, int]:
    """Lines of the kernel functions that both devices use, and of all of them."""
    both = _reached("cpu") & _reached("cuda")
    functions = [(module, name) for module in KERNELS for name in _functions(module)]
    return sum(map(_lines, both)), sum(map(_lines, functions))


@pytest.mark.parametrize("device", DEVICE_FILES)
@pytest.mark.parametrize("module", sorted(SHARED))
def test_every_device_uses_the_functions_of_kernel_py(module, device):
    reached = _reached(device)
    assert [name for name in _functions(module) if (module, name) not in reached] == []


@pytest.mark.parametrize(("device", "other"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_no_device_uses_the_kernels_of_another(device, other):
    foreign = f"{other}_kernel.py"
    assert {function for function in _reached(device) if FILES[function[0]] == foreign} == set()
    importing = [module for module, file in FILES.items() if file in (*DEVICE_FILES[device], "kernel.py")]
    found = {target for module in importing for target in _imported(module).values()}
    assert {t for t in found if FILES[t[0] if isinstance(t, tuple) else t] == foreign} == set()


@pytest.mark.parametrize("device", DEVICE_FILES)
def test_every_function_of_a_device_kernel_is_used(device):
    reached = _reached(device)
    own = [module for module, file in FILES.items() if file == f"{device}_kernel.py"]
    assert [(module, name) for module in own for name in _functions(module) if (module, name) not in reached] == []


def test_cpu_and_cuda_share_kernel_lines():
    shared, total = count_lines()
    assert shared / total > MIN_SHARED, f"{shared} of {total} kernel lines are shared"


if __name__ == "__main__":
    print("{} of {} kernel lines are shared by CPU and CUDA".format(*count_lines()))
