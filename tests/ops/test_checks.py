"""The checks detect faults: each test breaks one line of a kernel, gradient or operation."""

import importlib
import inspect
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from fastdigits.ops import load
from fastdigits.ops.activation.reference import relu_forward
from fastdigits.ops.loss.reference import mean_squared_error, softmax_cross_entropy

pytestmark = pytest.mark.slow

LANES = 3
REFERENCE = load("reference")

FAULTS = [  # operation, kernel, source text, faulty text
    # ignores the stride of the columns
    ("conv2d_forward", "conv2d.forward_row", "(j0 + m) * STRIDE", "(j0 + m)"),
    # leaves out the first column of the image
    ("conv2d_forward", "fused.pad_strip", "0 <= s - left", "0 < s - left"),
    # does not write the last column
    ("conv2d_forward", "conv2d.forward_row", "min(j, J - M)", "min(j, J - M - 1)"),
    # writes only the first column of each tile
    ("conv2d_forward", "conv2d.forward_row", "(b, o0 + n, i, j0 + m)", "(b, o0 + n, i, j0)"),
    # does not sum the last kernel column
    ("conv2d_backward_input", "conv2d.backward_input_tile", "(Q - q0 + stride - 1) // stride", "(Q - q0) // stride"),
    # does not write the last channel
    ("conv2d_backward_input", "conv2d.backward_input_tile", "c0 + n < C", "c0 + n < C - 1"),
    # skips a kernel column at the left edge
    ("conv2d_backward_input", "conv2d.backward_input_row", "w0 + left + M)", "w0 + left + M - 1)"),
    # shifts the gradient into the padding
    ("conv2d_backward_input", "conv2d.fill_strip", "E + j, o", "j, o"),
    # leaves out the last column of a padded image
    ("conv2d_backward_weight", "conv2d.pad_rows", "s - left < W", "s - left < W - 1"),
    # does not sum the last row that a kernel row meets
    ("conv2d_backward_weight", "conv2d.add_rows", "0 <= h < H", "0 <= h < H - 1"),
    # omits the last columns from the bias gradient
    ("conv2d_backward_weight", "conv2d.add_bias", "range(J - J % 4, J)", "range(J, J)"),
    # discards the second part of the batch
    ("conv2d_backward_weight", "conv2d.add_parts", "range(1, len(parts))", "range(2, len(parts))"),
    # gives the gradient to the next pixel of the window
    ("conv2d_relu_maxpool_backward_weight", "conv2d.unpooled", "1 << k", "2 << k"),
    # omits the first pooled row of each strip
    ("conv2d_relu_avgpool_backward_weight", "conv2d.unpool_rows", "range(i0 // 2,", "range(i0 // 2 + 1,"),
    # does not sum the last input
    ("dense_forward", "dense.forward_rows", "for k in range(K)", "for k in range(K - 1)"),
    # skips the blank between equal labels
    ("ctc_loss", "ctc._unless_equal", "s // 2 - 1", "s // 2 - 2"),
    # also ends paths one label too early
    ("ctc_loss", "ctc._fill_remaining", "last == splat(s + 1)", "last == splat(s + 2)"),
    # counts the paths of an image beyond its last step
    ("ctc_loss", "ctc._to_gradient", "> splat(t)", "> splat(t - 1)"),
    # discards the first slab of images at the second
    ("dense_backward_weight", "dense.backward_weight_strip", "K if b0 > 0 else 0", "0"),
    # adds the first slab to the old content of dweight
    ("dense_backward_weight", "dense.backward_weight_strip", "K if b0 > 0 else 0", "K"),
    # does not copy the last vector of weights
    ("dense_backward", "dense.backward_input_strip", "range(0, W, L)", "range(0, W - L, L)"),
    # does not write the last inputs of a strip
    ("dense_backward", "dense.backward_input_strip", "range(0, W, N)", "range(0, W - N, N)"),
    # does not write the last block of images
    ("dense_backward_input", "dense.backward_input_strip", "b0 + m < B", "b0 + m < B - 1"),
    # does not write the last bias gradient of each strip
    ("dense_backward", "dense.backward_strip", "(t + 1) * O // T", "(t + 1) * O // T - 1"),
    # sends the gradient to the last of equal maxima
    ("maxpool2d_backward", "pool2d.first_maximum", "exceeds(v, best)", "v >= best"),
    # does not clear pixels outside all windows
    ("avgpool2d_backward", "pool2d._clear_plane", "range(H)", "range(H - 1)"),
    # omits the gradient of the gate
    ("gelu_backward", "activation.gelu_backward", "fma(a * gate", "fma(splat(0.0) * gate"),
    ("silu_backward", "activation.silu_backward", "fma(a, splat(1.0) - gate", "fma(a, splat(0.0)"),
    # counts the loss of an empty lane
    ("softmax_cross_entropy", "loss.softmax_cross_entropy_block", "target >= splat(0.0)", "target >= splat(-1.0)"),
    # takes the weights of the images of the block before
    ("weigh_losses", "loss.weigh_losses_block", "first + b * L", "first + max(b - 1, 0) * L"),
    # predicts the last of equal scores
    ("accumulate_metrics", "loss.count_hits_block", "exceeds(score, best)", "score >= best"),
    # fills empty lanes with an image outside the batch
    ("gather_batch", "batch.gather_block", "count - 1)", "count)"),
    ("gather_batch", "batch.gather_pixel", "start + count - 1", "start + count"),
    # omits the pixels after the last square
    ("gather_batch", "batch.gather_block", "range(K - K % L, K)", "range(K, K)"),
    # rotates an augmented image the other way
    ("augment_batch", "batch._affine", "cos * slant - sin / rows", "cos * slant + sin / rows"),
    # omits the knots before the first edge from the displacement
    ("augment_batch", "batch._bend_row", "range(KNOTS)", "range(1, KNOTS)"),
    # erases one column too few
    ("augment_batch", "batch.augment_image", "splat(left + side) > column", "splat(left + side - 1) > column"),
    # draws noise of one sign
    ("augment_batch", "batch._fill_normal", "radius * sine_of_turns(turns))", "radius)"),
    # omits the look-ahead of Nesterov momentum
    ("nesterov_step", "optimizer.nesterov_step", "fma(splat(momentum), new_velocity, g)", "new_velocity"),
    # omits epsilon
    ("adam_step", "optimizer._adam", "splat(epsilon)", "splat(0.0)"),
    # Winograd: does not sum the last channel
    ("conv2d_forward", "variants.winograd.multiply", "for r in range(R)", "for r in range(R - 1)"),
    # adds the bias at another point
    ("conv2d_relu_forward", "variants.winograd._second_point", "if q == 1", "if q == 2"),
    # overwrites the input gradients of neighbouring tiles
    ("conv2d_backward", "variants.winograd._add_gradient", "load(dx, at) + ", ""),
    # discards the first group of tiles at the second
    (
        "conv2d_backward",
        "variants.winograd.add_products",
        "acc[n, m] = load_span(sums, (k, r0 + n, s0 + m * L), L)",
        "acc[n, m] = splat(0.0)",
    ),
    # sends the gradient to the pixel left of the maximum
    ("conv2d_relu_maxpool_backward", "variants.winograd._load_gradient", "2 * q + k % 2", "2 * q + (k + 1) % 2"),
    # omits the tiles with two columns of outputs
    ("conv2d_relu_maxpool_forward", "variants.winograd._store_outputs", "q < w", "q < w and w > 1"),
    # gives tiles with two rows the points of four
    ("conv2d_relu_maxpool_backward", "variants.winograd._transform_edge_gradient", "if rows == 4", "if rows > 0"),
    # omits the last vector of a part from the norm
    ("clip_norm", "optimizer.squares_of_part", "(s + 1) * V // S", "(s + 1) * V // S - 1"),
    # replaces the average by the current parameters
    ("average_step", "optimizer.average_step", "splat(step_weight)", "splat(1.0)"),
    # counts empty lanes in the mean
    ("batchnorm_forward", "batchnorm._sum_channel", "select(filled, (acc[0]", "select(filled == filled, (acc[0]"),
    # omits the last pixels from the variance
    ("batchnorm_forward", "batchnorm._sum_squares", "range(S - S % 4, S)", "range(S, S)"),
    # averages the biased variance
    ("batchnorm_forward", "batchnorm.forward_channel", "* n / max(n - 1, 1)", ""),
    # gives empty lanes a gradient
    ("batchnorm_backward", "batchnorm.store_gradient", "select(filled, scale * d, splat(0.0))", "scale * d"),
    # ignores that the mean depends on the input
    ("batchnorm_backward", "batchnorm.backward_channel", "splat(dbeta[c] / n)", "splat(0.0)"),
    # does not mask the gradient with the ReLU
    ("batchnorm_relu_backward", "batchnorm.gradient", "splat(0.0) >= load(y, (b, c, s))", "d > d"),
    # omits the channel above
    ("lrn_forward", "lrn.forward_pixel", "c + size // 2 + 1", "c + size // 2"),
    # omits the gradients of the channels above
    ("lrn_backward", "lrn.backward_pixel", "min(C, c + size // 2 + 1)", "c"),
    # does not scale the remaining elements
    ("dropout", "elementwise.dropout", " * splat(scale)", ""),
    # uses one mask for all images of a block
    ("random_mask", "random.mask_element", "(b * L + l) * K", "(b * L) * K"),
    # takes the same numbers for every step
    ("next_step", "steps.next_step", "taken[0] = row + 1", "taken[0] = row"),
    # begins again after the last row of a plan
    ("next_step", "steps.next_step", "row if row < last else last", "row if row < last else 0"),
    # runs one round too few
    ("random_uniform", "random.philox", "range(10)", "range(9)"),
]


@pytest.mark.parametrize(("op", "kernel", "right", "wrong"), FAULTS)
def test_fault_in_a_kernel_is_detected(checks, calls, plain_ops, monkeypatch, op, kernel, right, wrong):
    family, _, name = kernel.rpartition(".")
    function = _kernel_function(family, name)
    altered = _altered(function, right, wrong)
    for path, module in list(sys.modules.items()):
        if path.startswith("fastdigits.ops.") and vars(module).get(name) is function:  # where it is defined or imported
            monkeypatch.setattr(module, name, altered)
    faulty = getattr(plain_ops(), op)

    def check_all():
        called = [call for call in calls(LANES) if call.op == op]
        for call in reversed(called) if family == "variants.winograd" else called:  # its cases are the last ones
            checks.check(faulty, getattr(REFERENCE, op), call)

    # A fault may leave memory as it was, in which any number can be
    with pytest.raises(AssertionError), np.errstate(over="ignore", invalid="ignore"):
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
def test_fault_in_a_gradient_is_detected(checks, definition, right, wrong):
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
        (_writes_beyond, "changed its input y or memory next to it"),
        (_errs_by_one_unit, "Not equal to tolerance"),  # nothing is rounded, so every bit must agree
    ],
)
def test_fault_in_the_outputs_is_detected(checks, calls, broken, message):
    call = next(call for call in calls(LANES) if call.op == "relu_forward")
    checks.check(relu_forward, relu_forward, call)
    with pytest.raises(AssertionError, match=message):
        checks.check(broken, relu_forward, call)


def test_nan_fails_even_if_the_definition_gives_nan(checks):
    with pytest.raises(AssertionError):
        checks.assert_close(np.full(2, np.nan), np.full(2, np.nan), terms=1)


def _kernel_function(family, name):
    """Return a function of kernel.py or cpu_kernel.py of a family."""
    modules = [f"fastdigits.ops.{family}.{part}" for part in ("kernel", "cpu_kernel")]
    found = [getattr(importlib.import_module(path), name, None) for path in modules if find_spec(path)]
    return next(function for function in found if function)


def _altered(function, right, wrong):
    """Return the function with one text of its source replaced."""
    source = inspect.getsource(function)
    assert right in source, f"{function.__name__} no longer says {right}"
    namespace = dict(function.__globals__)
    exec(source.replace(right, wrong), namespace)
    return namespace[function.__name__]
