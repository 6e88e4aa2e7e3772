"""The checks fail where they must: on kernels, gradients and operations with one fault each."""

import importlib
import inspect
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from fastdigits.ops import load
from fastdigits.ops.activation.reference import relu_forward
from fastdigits.ops.loss.reference import mean_squared_error, softmax_cross_entropy

LANES = 3
REFERENCE = load("reference")

FAULTS = [  # operation, its kernel, what the kernel says, the fault
    # the stride of the rows is ignored
    ("conv2d_forward", "conv2d.forward_tile", "i * stride - top", "i - top"),
    # zeros on the left are forgotten
    ("conv2d_forward", "conv2d.forward_tile", "j0 * stride - left", "j0 * stride"),
    # the last column is not written
    ("conv2d_forward", "conv2d.forward_tile", "j0 + m < J", "j0 + m < J - 1"),
    # each tile writes its first column only
    ("conv2d_forward", "conv2d.forward_tile", "j0 + m < J", "m < 1"),
    # the last kernel column is not summed
    ("conv2d_backward_input", "conv2d.backward_input_tile", "(Q - q0 + stride - 1) // stride", "(Q - q0) // stride"),
    # the last channel is not written
    ("conv2d_backward_input", "conv2d.backward_input_tile", "c0 + n < C", "c0 + n < C - 1"),
    # rows above the image are read from its end
    ("conv2d_backward_weight", "conv2d.backward_weight_tile", "rows_inside = 0 <= h", "rows_inside = -1 <= h"),
    # the bias gradient leaves out the last block
    ("conv2d_backward_weight", "conv2d.backward_bias", "range(B)", "range(B - 1)"),
    # the last feature is not summed
    ("dense_forward", "dense.forward_tile", "for k in range(K)", "for k in range(K - 1)"),
    # the second slab of images forgets the first
    ("dense_backward_weight", "dense.backward_weight_columns", "K if b0 > 0 else 0", "0"),
    # the first slab adds to what was there
    ("dense_backward_weight", "dense.backward_weight_columns", "K if b0 > 0 else 0", "K"),
    # the last of equal maxima gets the gradient
    ("maxpool2d_backward", "pool2d.first_maximum", "v > best", "v >= best"),
    # pixels that no window covers are not cleared
    ("avgpool2d_backward", "pool2d._clear_plane", "range(H)", "range(H - 1)"),
    # the gradient lacks that of the gate
    ("gelu_backward", "activation.gelu_backward", "fma(a * gate", "fma(splat(0.0) * gate"),
    ("silu_backward", "activation.silu_backward", "fma(a, splat(1.0) - gate", "fma(a, splat(0.0)"),
    # an empty lane has a loss
    ("softmax_cross_entropy", "loss.softmax_cross_entropy_block", "target >= splat(0.0)", "target >= splat(-1.0)"),
    # the last of equal scores counts
    ("accumulate_metrics", "loss.count_hits_block", "score > best", "score >= best"),
    # the empty lanes of a batch repeat an image that is not in it
    ("gather_batch", "batch.gather_pixel", "start + count - 1", "start + count"),
    # an augmented image turns the other way
    ("augment_batch", "batch._affine", "cos * slant - sin / rows", "cos * slant + sin / rows"),
    # the displacement lacks the knots beyond the first edge
    ("augment_batch", "batch._bend_row", "range(KNOTS)", "range(1, KNOTS)"),
    # the erased square is too narrow by a column
    ("augment_batch", "batch.augment_image", "splat(left + side) > column", "splat(left + side - 1) > column"),
    # noise of one sign
    ("augment_batch", "batch._fill_normal", "radius * sine_of_turns(turns))", "radius)"),
    # Nesterov's look ahead is left out
    ("nesterov_step", "optimizer.nesterov_step", "fma(splat(momentum), speed, g)", "speed"),
    # epsilon is left out
    ("adam_step", "optimizer._adam", "splat(epsilon)", "splat(0.0)"),
    # Winograd: the last channel is not summed
    ("conv2d_forward", "variants.winograd.multiply", "for r in range(R)", "for r in range(R - 1)"),
    # the bias goes to another point
    ("conv2d_relu_forward", "variants.winograd.finish", "if q == 1", "if q == 2"),
    # tiles of the input gradient replace what their neighbours added
    ("conv2d_backward", "variants.winograd.add_input_gradient", "load(dx, at_x) + d[p, q]", "d[p, q]"),
    # a second group of tiles forgets the first
    (
        "conv2d_backward",
        "variants.winograd.add_products",
        "acc[n, m] = load_row(sums, (part, k, min(r0 + n, R - 1), s0 + m * L), S, L)",
        "acc[n, m] = splat(0.0)",
    ),
    # the gradient goes to the pixel left of the largest
    ("conv2d_relu_maxpool_backward", "variants.winograd.transform_gradient", "2 * q + k % 2", "2 * q + (k + 1) % 2"),
    # the last vector of a part is not in the norm
    ("clip_norm", "optimizer.squares_of_part", "(s + 1) * V // S", "(s + 1) * V // S - 1"),
    # the average forgets at once
    ("average_step", "optimizer.average_step", "splat(step_weight)", "splat(1.0)"),
    # empty lanes count in the mean
    ("batchnorm_forward", "batchnorm._sum_channel", "select(filled, (acc[0]", "select(filled == filled, (acc[0]"),
    # the last pixels are left out of the variance
    ("batchnorm_forward", "batchnorm._sum_squares", "range(S - S % 4, S)", "range(S, S)"),
    # the running variance is the biased one
    ("batchnorm_forward", "batchnorm.forward_channel", "* n / max(n - 1, 1)", ""),
    # empty lanes get a gradient
    ("batchnorm_backward", "batchnorm.store_gradient", "select(filled, scale * d, splat(0.0))", "scale * d"),
    # the mean does not depend on the input
    ("batchnorm_backward", "batchnorm.backward_channel", "splat(dbeta[c] / n)", "splat(0.0)"),
    # the ReLU hands everything through
    ("batchnorm_relu_backward", "batchnorm.gradient", "load(y, (b, c, s)) > splat(0.0)", "d == d"),
    # the neighbour above is left out
    ("lrn_forward", "lrn.forward_pixel", "c + size // 2 + 1", "c + size // 2"),
    # the neighbours' gradients are left out
    ("lrn_backward", "lrn.backward_pixel", "min(C, c + size // 2 + 1)", "c"),
    # what is left is not raised
    ("dropout", "elementwise.dropout", " * splat(raise_by)", ""),
    # the images of a block share a mask
    ("random_mask", "random.mask_element", "(b * L + l) * K", "(b * L) * K"),
    # one round less
    ("random_uniform", "random.philox", "range(10)", "range(9)"),
]


@pytest.mark.parametrize(("op", "kernel", "right", "wrong"), FAULTS)
def test_fault_in_a_kernel_is_noticed(checks, calls, plain_ops, monkeypatch, op, kernel, right, wrong):
    family, _, name = kernel.rpartition(".")
    function = _kernel_function(family, name)
    altered = _altered(function, right, wrong)
    for path, module in list(sys.modules.items()):
        if path.startswith("fastdigits.ops.") and vars(module).get(name) is function:  # where it is defined or imported
            monkeypatch.setattr(module, name, altered)
    faulty = getattr(plain_ops(), op)

    def check_all():
        for call in calls(LANES):
            if call.op == op:
                checks.check(faulty, getattr(REFERENCE, op), call)

    with pytest.raises(AssertionError):
        check_all()


@pytest.mark.parametrize(
    ("definition", "right", "wrong"),
    [
        (mean_squared_error, "2 * difference /", "difference /"),
        (mean_squared_error, "2 * difference /", "-2 * difference /"),
        (mean_squared_error, "/ (count * K)", "/ count"),
        (softmax_cross_entropy, "- goal, 0) / count", "+ goal, 0) / count"),
        (softmax_cross_entropy, "- goal, 0) / count", "- goal, 0) / (count + 1)"),
        (softmax_cross_entropy, "np.where(filled[:, None],", "np.where(True,"),
    ],
)
def test_fault_in_a_gradient_is_noticed(checks, definition, right, wrong):
    def check_gradient(function):
        rng = np.random.default_rng(0)
        scores, targets = rng.normal(size=(1, 3, 4)), np.array([[2.0, 0, 1, -1]])
        losses, dscores = np.empty((1, 4)), np.empty_like(scores)
        function(scores, targets, 3, 0.1, losses, dscores)

        def loss():
            function(scores, targets, 3, 0.1, losses, np.empty_like(scores))
            return losses.sum() / 3

        checks.assert_gradient(loss, scores, dscores)

    check_gradient(definition)
    with pytest.raises(AssertionError):
        check_gradient(_altered(definition, right, wrong))


def _leaves_one_unfilled(x, y):
    relu_forward(x[:-1], y[:-1])
    relu_forward(x[-1, :-1], y[-1, :-1])


def _changes_its_input(x, y):
    relu_forward(x, y)
    x[0, 0] += 1


def _writes_beyond(x, y):
    relu_forward(x, y)
    np.lib.stride_tricks.as_strided(y, (y.size + 1,), (y.itemsize,))[-1] = 0


def _errs_by_one_unit(x, y):
    relu_forward(x, y)
    y[...] = np.nextafter(y, np.inf)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (_leaves_one_unfilled, "nan"),
        (_changes_its_input, "changed its input x"),
        (_writes_beyond, "changed its input y or memory beside it"),
        (_errs_by_one_unit, "Not equal to tolerance"),  # nothing is rounded, so that every bit counts
    ],
)
def test_fault_in_what_is_filled_is_noticed(checks, calls, broken, message):
    call = next(call for call in calls(LANES) if call.op == "relu_forward")
    checks.check(relu_forward, relu_forward, call)
    with pytest.raises(AssertionError, match=message):
        checks.check(broken, relu_forward, call)


def test_unfilled_is_not_excused_by_an_unfilled_definition(checks):
    with pytest.raises(AssertionError):
        checks.assert_close(np.full(2, np.nan), np.full(2, np.nan), terms=1)


def _kernel_function(family, name):
    """A function of a family's kernel.py or cpu_kernel.py."""
    modules = [f"fastdigits.ops.{family}.{part}" for part in ("kernel", "cpu_kernel")]
    found = [getattr(importlib.import_module(path), name, None) for path in modules if find_spec(path)]
    return next(function for function in found if function)


def _altered(function, right, wrong):
    """The function with a fault in its source."""
    source = inspect.getsource(function)
    assert right in source, f"{function.__name__} no longer says {right}"
    namespace = dict(function.__globals__)
    exec(source.replace(right, wrong), namespace)
    return namespace[function.__name__]
