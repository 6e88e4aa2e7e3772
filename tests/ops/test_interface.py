"""What all devices promise: the same operations, with the same parameters, fixed once loaded."""

import importlib
import inspect
import os
import re
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from types import FunctionType

import numba
import numpy as np
import pytest

from fastdigits.errors import UserError
from fastdigits.ops import DEVICES, FAMILIES, choose_device, load, why_unavailable
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime import numba_setup

load("cpu")  # sets numba up before the modules below are imported

# tests/cuda fails where numba-cuda ought to be there, but is not
COMPUTING = ("cpu", "cuda") if find_spec("numba_cuda") else ("cpu",)
MODULES = {
    (family, part): importlib.import_module(f"fastdigits.ops.{family}.{part}")
    for family in FAMILIES
    for part in ("reference", *COMPUTING)
}
NAMES = {family: importlib.import_module(f"fastdigits.ops.{family}").OPS for family in FAMILIES}
OPERATIONS = [(family, name) for family in FAMILIES for name in NAMES[family]]
# Parts of definitions that others need
NOT_OPERATIONS = {"random": {"philox"}, "batch": {"affine", "bilinear"}, "pool2d": {"first_maximum"}}

each_operation = pytest.mark.parametrize(("family", "name"), OPERATIONS)
each_device = pytest.mark.parametrize("part", COMPUTING)


def _parameters(function) -> list[str]:
    return list(inspect.signature(function).parameters)


def _function(family, part, name) -> FunctionType:
    function = getattr(MODULES[family, part], name)
    return getattr(function, "py_func", function)  # what a compiled function was compiled from


@each_device
@each_operation
def test_same_parameters_in_the_same_order(family, name, part):
    assert _parameters(_function(family, part, name)) == _parameters(_function(family, "reference", name))


@pytest.mark.parametrize("family", FAMILIES)
def test_definitions_are_the_operations(family):
    module = MODULES[family, "reference"]
    public = {n for n, f in vars(module).items() if isinstance(f, FunctionType) and f.__module__ == module.__name__}
    public = {name for name in public if not name.startswith("_")} - NOT_OPERATIONS.get(family, set())
    assert public == set(NAMES[family])


def test_no_two_operations_share_a_name():
    names = [name for _, name in OPERATIONS]
    assert sorted(names) == sorted(set(names))


@each_operation
def test_definition_describes_every_parameter(family, name):
    definition = _function(family, "reference", name)
    assert [p for p in _parameters(definition) if not re.search(rf"\b{p}\b", definition.__doc__ or "")] == []


@each_device
@each_operation
def test_every_device_refers_to_the_definition(family, name, part):
    definition, function = _function(family, "reference", name), _function(family, part, name)
    if function is not definition:  # the CPU's arrays are NumPy's
        assert function.__doc__.startswith(f"See reference.{name}.")


def test_protocol_has_the_operations_of_all_families():
    methods = {name for name, value in vars(Ops).items() if isinstance(value, FunctionType) and name[0] != "_"}
    assert methods == {name for _, name in OPERATIONS}


@each_operation
def test_protocol_has_the_parameters_of_the_definition(family, name):
    protocol, definition = (
        inspect.signature(getattr(Ops, name)),
        inspect.signature(_function(family, "reference", name)),
    )
    assert list(protocol.parameters)[1:] == list(definition.parameters)  # all but self
    assert _optional(protocol) == _optional(definition)
    assert all(p.annotation is not inspect.Parameter.empty for p in list(protocol.parameters.values())[1:])


def _optional(signature: inspect.Signature) -> set[str]:
    return {name for name, p in signature.parameters.items() if p.default is not inspect.Parameter.empty}


@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_loaded_operations_satisfy_the_protocol(device):
    ops = load(device)
    assert [name for name in Ops.__annotations__ if not hasattr(ops, name)] == []
    for _, name in OPERATIONS:
        function = getattr(ops, name)
        assert _parameters(getattr(function, "py_func", function)) == _parameters(getattr(Ops, name))[1:]


@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_loaded_operations(device):
    ops = load(device)
    assert ops.device == device
    assert all(callable(getattr(ops, name)) for _, name in OPERATIONS)


def test_two_devices_at_once():
    cpu, reference = load("cpu"), load("reference")
    assert cpu.dense_forward is not reference.dense_forward
    assert (cpu.device, reference.device) == ("cpu", "reference")
    assert reference.lanes == 1
    assert cpu.lanes in (4, 8, 16)


def test_the_simulator_is_a_device_but_never_chosen_by_itself(monkeypatch):
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "0")
    assert why_unavailable("cuda")
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
    assert why_unavailable("cuda") is None
    assert choose_device() == ("cpu", "cpu, because cuda cannot be used: it is only simulated")


def test_operations_cannot_be_changed():
    ops = load("reference")
    before = ops.relu_forward
    for name in ("relu_forward", "lanes", "something_new"):
        with pytest.raises(AttributeError, match=name):
            setattr(ops, name, None)
    assert ops.relu_forward is before
    assert not hasattr(ops, "something_new")


def test_unknown_device():
    with pytest.raises(UserError, match=f"no device 'abacus'; choose one of {', '.join(DEVICES)}"):
        load("abacus")


def test_missing_function_fails_at_load(monkeypatch):
    monkeypatch.delattr(MODULES["dense", "reference"], "dense_forward")
    with pytest.raises(NotImplementedError, match=r"ops/dense/reference\.py does not define dense_forward"):
        load("reference")


def test_threads():
    """Each keeps its own number, in every Python thread."""
    most = numba.config.NUMBA_NUM_THREADS
    one, all_of_them = load("cpu", threads=1), load("cpu")
    assert (one.threads, all_of_them.threads) == (1, most)

    def threads_of(ops):
        x = np.zeros((2, ops.lanes), np.float32)
        ops.relu_forward(x, np.empty_like(x))
        return numba.get_num_threads()

    def all_counts():
        return [threads_of(ops) for ops in (one, all_of_them, one)]

    assert all_counts() == [1, most, 1]
    with ThreadPoolExecutor(1) as other:
        assert other.submit(all_counts).result() == [1, most, 1]
    threads_of(all_of_them)


def test_cores_are_those_that_numba_takes():
    assert numba_setup.cores() == numba.config.NUMBA_NUM_THREADS


def test_cores_without_numba(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    assert numba_setup.cores() == 3
    monkeypatch.setenv("NUMBA_NUM_THREADS", "many")
    assert 1 <= numba_setup.cores() <= os.cpu_count()


@pytest.mark.parametrize("threads", [-1, 0, numba.config.NUMBA_NUM_THREADS + 1])
def test_impossible_threads(threads):
    with pytest.raises(UserError, match=f"between 1 and {numba.config.NUMBA_NUM_THREADS}.* not {threads}"):
        load("cpu", threads=threads)
