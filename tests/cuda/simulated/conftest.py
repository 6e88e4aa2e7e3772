"""Calls on arrays so small that the simulator, with thousands of threads a second, is done in seconds."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from fastdigits.check import cases
from fastdigits.ops.launch import LANES

cases.DENSE = ((5, 7, 3), (1, 1, 1), (9, 35, 5))


def pytest_generate_tests(metafunc):
    """A test that takes a `call` runs for calls of every operation."""
    if "call" in metafunc.fixturenames:
        metafunc.parametrize("call", list(cases.calls(LANES)), ids=str)


@pytest.fixture(scope="session")
def checks():
    """What tests/ops/checks.py has."""
    spec = spec_from_file_location("ops_checks", Path(__file__).parents[2] / "ops" / "checks.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
