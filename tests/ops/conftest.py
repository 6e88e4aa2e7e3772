"""Fixtures of the tests of the operations."""

import importlib
import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType, SimpleNamespace

import checks as checks_module
import pytest
from new_memory import FilledNumPy, huge_numbers

from fastdigits.check import cases
from fastdigits.ops import FAMILIES, lanes


def _module(spec) -> ModuleType:
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pytest_generate_tests(metafunc):
    """Parametrize tests that take a `call` by calls of all operations, or of OPS of their module, with its LANES.

    Those that take a `compiled_call` get the operations of FEW_SIZES with fewer sizes, to compile fewer kernels.
    """
    for name in {"call", "compiled_call"} & set(metafunc.fixturenames):
        module = metafunc.module
        calls, few = cases.calls(module.LANES), set(map(str, cases.calls(module.LANES, few=True)))
        rarely = module.FEW_SIZES if name == "compiled_call" else ()
        wanted = getattr(module, "OPS", None)
        chosen = [call for call in calls if not wanted or call.op in wanted]
        metafunc.parametrize(name, [call for call in chosen if call.op not in rarely or str(call) in few], ids=str)


@pytest.fixture(scope="session")
def checks():
    """The module helpers/checks.py."""
    return checks_module


@pytest.fixture(scope="session")
def calls():
    """The function calls(lanes) of check/cases.py."""
    return cases.calls


@pytest.fixture
def plain_ops(monkeypatch):
    """plain_ops() returns the functions of every cpu.py in plain Python; plain_ops(*variants) adds those of variants.

    Kernels run uncompiled and parallel loops serially, with three lanes and tiles that divide no size. What is read
    before it is filled makes a test fail.
    """

    def load(*variants: str) -> SimpleNamespace:
        families = (*FAMILIES, *(variants or ("variants.winograd",)))
        names = {family: importlib.import_module(f"fastdigits.ops.{family}").OPS for family in families}
        modules = {}
        for family in families:  # a later family may import an earlier one
            plain = {f"fastdigits.ops.{earlier}.cpu": module for earlier, module in modules.items()}
            modules[family] = _plain_module(family, SUBSTITUTES | plain)
        return SimpleNamespace(**{name: getattr(modules[f], name) for f in families for name in names[f]})

    def _plain_module(family: str, substitutes: dict) -> ModuleType:
        for part in (
            "kernel",
            "cpu_kernel",
            "reference",
        ):  # must not be imported for the first time among the substitutes
            if find_spec(f"fastdigits.ops.{family}.{part}"):
                importlib.import_module(f"fastdigits.ops.{family}.{part}")
        with monkeypatch.context() as substituted:
            for name, substitute in substitutes.items():
                substituted.setitem(sys.modules, name, substitute)
                package, _, module = name.rpartition(".")
                if package:  # `from package import module` looks there first
                    substituted.setattr(importlib.import_module(package), module, substitute, raising=False)
            substituted.setattr(lanes, "bind", lambda kernel, meanings, inline=False: kernel)
            module = _module(find_spec(f"fastdigits.ops.{family}.cpu"))
        if hasattr(module, "np"):
            module.np = FilledNumPy(huge_numbers)
        return module

    return load


SUBSTITUTES = {
    "numba": SimpleNamespace(
        get_num_threads=lambda: 1, njit=lambda f=None, **options: f or (lambda f: f), prange=range
    ),
    "fastdigits.ops.lanes.cpu": SimpleNamespace(parallel=lambda f: f, serial=lambda f: f),
    "fastdigits.ops.lanes.vector_unit": SimpleNamespace(LANES=3, REGISTERS=16),
    "fastdigits.ops.lanes.tiling": SimpleNamespace(
        LOAD_INSIDE=4,
        forward_tile=lambda channels, columns, taps: (min(2, channels), min(3, columns)),
        tile_shape=lambda rows, columns, column_cost=1: (2, 3),
        weight_gradient_tile=lambda channels, kernel_columns: (2, 2),
        input_gradient_tile=lambda channels: (2, 2),
        NEW_LINE=4,
        pool_tile_rows=lambda channels: 2,
        tile_rows=lambda rows, columns: 2,
        strip_columns=lambda columns, threads: 2,
        most_rows=lambda columns: 2,
        strip_tile=lambda rows, columns: (3, 2),
        single_tile=lambda channels, rows, columns, taps, pool, adjacent: (
            "columns" if taps > 40 and adjacent else "channels",
            2,
            2,
        ),
        single_winograd_pays=lambda inputs, outputs, rows, columns, pool: min(inputs, outputs) > 10,
        single_winograd_tile=lambda vectors, rows, columns: (2, 3),
        transposes_inputs=lambda inputs, outputs: inputs > outputs,
        winograd_pays=lambda inputs, outputs, rows, columns: min(inputs, outputs) > 10 and rows * columns >= 48,
        winograd_tile=lambda channels, rows, columns: (2, 3, 1),
        product_tile=lambda rows, channels: (2, 2),
    ),
}
