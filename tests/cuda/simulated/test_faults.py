"""The comparison with the definitions fails where it must: on warps with one fault each."""

import inspect
from importlib import import_module

import pytest

from fastdigits.check import cases
from fastdigits.ops import load
from fastdigits.ops.cuda.launch import LANES, Kernel

REFERENCE = load("reference")

FAULTS = [  # operation, the module and function that does a warp's part, what it says, the fault
    # the last kernel column is not summed
    ("conv2d_forward", "conv2d.add_channel", "q0 + t < Q", "q0 + t < Q - 1"),
    # what the first warp has summed is all
    ("conv2d_forward", "conv2d.sum_parts", "range(1, PARTS)", "range(1, 1)"),
    # the columns of the kernel are not flipped
    ("conv2d_backward_input", "conv2d.add_channel", "q0 + t, FLIPPED)", "Q - 1 - q0 - t, FLIPPED)"),
    # where columns are left at the end of a row, the last one counts several times
    ("conv2d_backward_weight", "conv2d.add_row", "j0 + m, PADDED", "min(j0 + m, J - 1), PADDED"),
    # a bias gets the gradient of one column only
    ("conv2d_backward_weight", "conv2d.add_row", "acc[n, R * T] + ds[n, m]", "ds[n, m]"),
    # the gradient goes to the pixel left of the largest
    ("conv2d_relu_maxpool_backward_weight", "conv2d.add_row", "i, j0 + m,", "i, j0 + m + 1,"),
    # the sums of the last warp are left out
    ("dense_forward", "dense.sum_parts", "range(1, PARTS)", "range(1, PARTS - 1)"),
    # all inputs get the gradient of the first
    ("dense_backward_input", "dense.add_outputs", "ws[o, n]", "ws[o, 0]"),
    # the normal numbers are those of the neighbour
    ("augment_batch", "batch.normal", "pair = e % half", "pair = (e + 1) % half"),
    # an image turns the other way
    ("augment_batch", "batch.affine", "cos * slant - sin / rows", "cos * slant + sin / rows"),
]


@pytest.fixture
def altered(monkeypatch):
    """altered(module, name, right, wrong) gives a function of a cuda.py a fault, and its kernels are made anew."""
    modules = []

    def forget(module):
        for attribute, value in list(vars(module).items()):
            if hasattr(value, "cache_clear"):
                value.cache_clear()
            elif isinstance(value, Kernel):
                monkeypatch.setattr(module, attribute, Kernel(value.__wrapped__, value.grid, value.block[1]))

    def alter(module, name, right, wrong):
        source = inspect.getsource(getattr(module, name))
        assert right in source, f"{name} no longer says {right}"
        names = dict(getattr(module, name).__globals__)
        exec(source.replace(right, wrong), names)
        monkeypatch.setattr(module, name, names[name])
        modules.append(module)
        forget(module)

    yield alter
    for module in modules:
        forget(module)


@pytest.mark.parametrize(("op", "function", "right", "wrong"), FAULTS)
def test_fault_in_a_warp_is_noticed(checks, altered, op, function, right, wrong):
    family, name = function.split(".")
    altered(import_module(f"fastdigits.ops.{family}.cuda"), name, right, wrong)
    faulty = getattr(load("cuda"), op)

    def check_all():
        for call in cases.calls(LANES):
            if call.op == op:
                checks.check(faulty, getattr(REFERENCE, op), call)

    with pytest.raises(AssertionError):
        check_all()
