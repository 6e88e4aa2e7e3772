"""The comparison with the definitions detects faults: each test breaks one line of a warp's work."""

import inspect
from importlib import import_module

import pytest

from fastdigits.check import cases
from fastdigits.ops import load
from fastdigits.ops.cuda.launch import LANES, Kernel

REFERENCE = load("reference")

FAULTS = [  # operation, family, module if it is not cuda.py, and function, source text, faulty text
    # does not sum the last kernel column
    ("conv2d_forward", "conv2d.cuda_kernel._add_kernel_row", "q0 + t < Q", "q0 + t < Q - 1"),
    # uses the sums of the first warp only
    ("conv2d_forward", "conv2d.sum_parts", "range(1, PARTS)", "range(1, 1)"),
    # does not flip the columns of the kernel
    (
        "conv2d_backward_input",
        "conv2d.cuda_kernel._add_kernel_row",
        "q0 + t, FLIPPED, RAGGED)",
        "Q - 1 - q0 - t, FLIPPED, RAGGED)",
    ),
    # counts the last column several times at the end of a row
    ("conv2d_backward_weight", "conv2d.add_row", "j0 + m, PADDED_DY", "min(j0 + m, J - 1), PADDED_DY"),
    # uses one column only for the gradient of the bias
    ("conv2d_backward_weight", "conv2d.add_row", "acc[n, R * T] + ds[n, m]", "ds[n, m]"),
    # sends the gradient to the pixel next to the maximum
    ("conv2d_relu_maxpool_backward_weight", "conv2d.unpool_row", "1 << k", "1 << (k ^ 1)"),
    # omits the sums of the last warp
    ("dense_forward", "dense.sum_parts", "range(1, PARTS)", "range(1, PARTS - 1)"),
    # gives all inputs the gradient of the first
    ("dense_backward_input", "dense.add_outputs", "ws[o, n]", "ws[o, 0]"),
    # does not transpose images and inputs
    ("dense_backward_weight", "dense.share_inputs", "inputs[part, lane, r]", "inputs[part, r, lane]"),
    # forgets that the means of the parts differ
    ("batchnorm_forward", "batchnorm.combine_moments", "fma(d, d, part_var)", "part_var"),
    # weighs the last part like the others
    ("batchnorm_forward", "batchnorm.combine_moments", "S - lane * PART", "PART"),
    # draws the normal number of the neighbour
    ("augment_batch", "batch.normal", "pair = e % half", "pair = (e + 1) % half"),
    # rotates an image the other way
    ("augment_batch", "batch.affine", "cos * slant - sin / rows", "cos * slant + sin / rows"),
]


@pytest.fixture
def altered(monkeypatch):
    """altered(function, right, wrong) puts a fault into a function and rebuilds the kernels of its family."""
    modules = []

    def rebuild_kernels(module):
        for attribute, value in list(vars(module).items()):
            if hasattr(value, "cache_clear"):
                value.cache_clear()
            elif isinstance(value, Kernel):
                monkeypatch.setattr(module, attribute, Kernel(value.__wrapped__, value.grid, value.block[1]))

    def inject(function, right, wrong):
        family, *file, name = function.split(".")
        package = f"fastdigits.ops.{family}"
        kernels, module = (import_module(f"{package}.{part}") for part in ("cuda", *(file or ["cuda"])))
        source = inspect.getsource(getattr(module, name))
        assert right in source, f"{name} no longer says {right}"
        names = dict(getattr(module, name).__globals__)
        exec(source.replace(right, wrong), names)
        monkeypatch.setattr(module, name, names[name])
        modules.append(kernels)
        rebuild_kernels(kernels)

    yield inject
    for module in modules:
        rebuild_kernels(module)


@pytest.mark.parametrize(("op", "function", "right", "wrong"), FAULTS)
def test_fault_in_a_warp_is_detected(checks, altered, op, function, right, wrong):
    altered(function, right, wrong)
    faulty = getattr(load("cuda"), op)

    def check_all():
        for call in cases.calls(LANES):
            if call.op == op:
                checks.check(faulty, getattr(REFERENCE, op), call)

    with pytest.raises(AssertionError):
        check_all()
