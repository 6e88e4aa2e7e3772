"""The definitions against examples that can be checked on paper.

Arrays have one block of one lane unless a test says otherwise, so that images read like printed matrices.
"""

import math

import numpy as np
import pytest

from fastdigits.ops import array, conv2d, load, pool2d
from fastdigits.ops.random.reference import philox

OPS = load("reference")


def _images(*channels):
    """Return channels, given as rows of numbers, as float64 (1, C, H, W, 1)."""
    return np.array(channels, float)[None, ..., None]


def _unfilled(*shape, dtype=float):
    return np.full(shape, np.nan if dtype is float else -1, dtype)


def _classes(*scores):
    """Return the scores of each image as (1, K, images)."""
    return np.array(scores, float).T[None]


# conv2d: a 3 x 3 image, zeros before the first row and column, and a 2 x 2 kernel with stride 2

IMAGE = _images([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
KERNEL = np.array([[[[1.0, 2], [3, 4]]]])


def test_conv2d_forward():
    y = _unfilled(1, 1, 2, 2, 1)
    OPS.conv2d_forward(IMAGE, KERNEL, np.array([10.0]), 2, 1, 1, y)
    assert y[0, 0, ..., 0].tolist() == [
        [10 + 4 * 1, 10 + 3 * 2 + 4 * 3],
        [10 + 2 * 4 + 4 * 7, 10 + 1 * 5 + 2 * 6 + 3 * 8 + 4 * 9],
    ]


def test_conv2d_backward_input():
    dx = _unfilled(1, 1, 3, 3, 1)
    OPS.conv2d_backward_input(_images([[1, 10], [100, 1000]]), KERNEL, 2, 1, 1, dx)
    assert dx[0, 0, ..., 0].tolist() == [[4, 30, 40], [200, 1000, 2000], [400, 3000, 4000]]


def test_conv2d_backward_weight():
    dweight, dbias = _unfilled(1, 1, 2, 2), _unfilled(1)
    OPS.conv2d_backward_weight(IMAGE, _images([[1, 10], [100, 1000]]), 2, 1, 1, dweight, dbias)
    assert dweight[0, 0].tolist() == [[5000, 400 + 6000], [20 + 8000, 1 + 30 + 700 + 9000]]
    assert dbias.tolist() == [1111]


def test_conv2d_without_padding_or_stride():
    y = _unfilled(1, 1, 2, 2, 1)
    OPS.conv2d_forward(IMAGE, KERNEL, np.zeros(1), 1, 0, 0, y)
    assert y[0, 0, ..., 0].tolist() == [[1 + 4 + 12 + 20, 2 + 6 + 15 + 24], [4 + 10 + 21 + 32, 5 + 12 + 24 + 36]]


def test_conv2d_sums_channels_and_keeps_outputs_apart():
    x = _images([[1, 2]], [[10, 20]])
    weight = np.array([[1.0, 1], [3, -1], [0, 0]]).reshape(3, 2, 1, 1)
    y = _unfilled(1, 3, 1, 2, 1)
    OPS.conv2d_forward(x, weight, np.array([0.0, 0, 7]), 1, 0, 0, y)
    assert y[0, :, 0, :, 0].tolist() == [[11, 22], [-7, -14], [7, 7]]


def test_conv2d_keeps_images_apart():
    """Two blocks of two lanes: each image has its own output, and the weight gradient sums over all images."""
    x = np.array([1.0, 10, 100, 1000]).reshape(2, 1, 1, 1, 2)
    y, dweight, dbias = _unfilled(*x.shape), _unfilled(1, 1, 1, 1), _unfilled(1)
    OPS.conv2d_forward(x, np.full((1, 1, 1, 1), 3.0), np.ones(1), 1, 0, 0, y)
    assert y.ravel().tolist() == [4, 31, 301, 3001]
    OPS.conv2d_backward_weight(x, np.arange(1.0, 5).reshape(x.shape), 1, 0, 0, dweight, dbias)
    assert dweight.item() == 4321
    assert dbias.item() == 10


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "expected"),
    [
        (28, 5, 1, "valid", (24, 0)),
        (28, 5, 3, "valid", (8, 0)),  # the last kernel covers pixels 21 .. 25
        (28, 5, 1, "same", (28, 2)),
        (28, 2, 1, "same", (28, 0)),  # the single zero goes to the end
        (28, 4, 1, "same", (28, 1)),
        (28, 5, 2, "same", (14, 1)),  # three zeros: one before, two after
        (7, 3, 2, "same", (4, 1)),
        (7, 1, 3, "same", (3, 0)),  # the stride skips pixels, and no zeros are needed
        (28, 5, 1, "full", (32, 4)),
        (28, 2, 1, "full", (29, 1)),
        (28, 5, 2, "full", (16, 4)),
        (28, 3, 1, 1, (28, 1)),
        (28, 3, 2, 1, (14, 1)),
        (28, 1, 1, 0, (28, 0)),
        (5, 5, 1, "valid", (1, 0)),
    ],
)
def test_conv2d_output_size(size, kernel, stride, padding, expected):
    assert conv2d.output_size(size, kernel, stride, padding) == expected


# dense: three outputs of two features


def test_dense_forward():
    y = _unfilled(1, 3, 1)
    OPS.dense_forward(_classes([1, 2]), np.array([[3.0, 4], [5, 6], [7, 8]]), np.array([10.0, 20, 30]), y)
    assert y.ravel().tolist() == [21, 37, 53]


def test_dense_backward_input():
    dx = _unfilled(1, 2, 1)
    OPS.dense_backward_input(_classes([1, 10, 100]), np.array([[3.0, 4], [5, 6], [7, 8]]), dx)
    assert dx.ravel().tolist() == [753, 864]


def test_dense_backward_weight_sums_over_images():
    dweight, dbias = _unfilled(3, 2), _unfilled(3)
    OPS.dense_backward_weight(_classes([1, 2], [1, 0]), _classes([1, 10, 100], [5, 0, 0]), dweight, dbias)
    assert dweight.tolist() == [[1 + 5, 2], [10, 20], [100, 200]]
    assert dbias.tolist() == [6, 10, 100]


# pool2d


def test_maxpool_takes_the_first_of_equal_maxima():
    x = _images([[1, 2, 3, 0], [4, 4, 0, 5], [9, 9, 9, 9]])  # no window covers the last row
    y, dx = _unfilled(1, 1, 1, 2, 1), _unfilled(*x.shape)
    OPS.maxpool2d_forward(x, (2, 2), 2, y)
    assert y.ravel().tolist() == [4, 5]
    OPS.maxpool2d_backward(x, _images([[10, 20]]), (2, 2), 2, dx)
    assert dx[0, 0, ..., 0].tolist() == [[0, 0, 0, 0], [10, 0, 0, 20], [0, 0, 0, 0]]


def test_maxpool_of_negative_numbers():
    y = _unfilled(1, 1, 1, 1, 1)
    OPS.maxpool2d_forward(_images([[-3, -1]]), (1, 2), 1, y)
    assert y.item() == -1


def test_maxpool_with_overlapping_windows_sums_gradients():
    x, dx = _images([[3, 7, 5]]), _unfilled(1, 1, 1, 3, 1)
    OPS.maxpool2d_backward(x, _images([[1, 10]]), (1, 2), 1, dx)
    assert dx.ravel().tolist() == [0, 11, 0]


def test_avgpool():
    x = _images([[1, 2, 3, 0], [4, 5, 0, 5]])
    y, dx = _unfilled(1, 1, 1, 2, 1), _unfilled(*x.shape)
    OPS.avgpool2d_forward(x, (2, 2), 2, y)
    assert y.ravel().tolist() == [3, 2]
    OPS.avgpool2d_backward(_images([[4, 8]]), (2, 2), 2, dx)
    assert dx[0, 0, ..., 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


def test_avgpool_with_overlapping_windows_sums_gradients():
    dx = _unfilled(1, 1, 1, 3, 1)
    OPS.avgpool2d_backward(_images([[1, 10]]), (1, 2), 1, dx)
    assert dx.ravel().tolist() == [0.5, 5.5, 5]


@pytest.mark.parametrize(
    ("size", "window", "stride", "expected"), [(28, 2, 2, 14), (7, 2, 2, 3), (7, 3, 1, 5), (7, 3, 2, 3), (3, 3, 2, 1)]
)
def test_pool2d_output_size(size, window, stride, expected):
    assert pool2d.output_size(size, window, stride) == expected


# batchnorm: one channel of two images with two pixels, 1 3 5 7: the mean is 4, the variance 5


def _two_images(first, second, third):
    """Return one channel of two pixels in two blocks of two lanes; the last lane repeats the third, as in a batch."""
    return np.array([[first, second], [third, third]], float).swapaxes(1, 2)[:, None]


def test_batchnorm_forward(checks):
    """The third and fourth lane are empty: `count` is 2."""
    x = _two_images([1, 3], [5, 7], [100, 200])
    running_mean, running_var = np.array([2.0]), np.array([1.0])
    mean, var, y = _unfilled(1), _unfilled(1), _unfilled(*x.shape)
    OPS.batchnorm_forward(
        x, np.array([3.0]), np.array([10.0]), 2, 4.0, 0.5, running_mean, running_var, mean, var, y
    )  # the square root of 5 + 4 is 3
    assert (mean.item(), var.item()) == (4, 5)
    assert running_mean.item() == 2 + 0.5 * (4 - 2)
    checks.assert_close(running_var, [1 + 0.5 * (5 * 4 / 3 - 1)], terms=4)
    checks.assert_close(y, x + 6, terms=4, scale=200)


def test_batchnorm_of_a_single_number():
    """Its variance is 0, biased or not."""
    running_mean, running_var, y = np.array([0.0]), np.array([1.0]), _unfilled(1, 1, 1, 1)
    x, one, filled = np.full((1, 1, 1, 1), 8.0), np.ones(1), _unfilled(2, 1)
    OPS.batchnorm_forward(x, one, one * 7, 1, 0.25, 0.5, running_mean, running_var, *filled, y)
    assert (y.item(), running_mean.item(), running_var.item()) == (7, 4, 0.5)


def test_batchnorm_inference():
    y = _unfilled(1, 1, 1, 2)
    given = (np.array([a]) for a in (6.0, 1.0, 2.0, 8.0))
    OPS.batchnorm_inference(np.array([2.0, 5]).reshape(y.shape), *given, 1.0, y)
    assert y.ravel().tolist() == [1, 1 + (5 - 2) / 3 * 6]


def test_batchnorm_backward_ignores_empty_lanes(checks):
    """z is -1 -1/3 1/3 1, so a gradient of 1 at the last pixel gives dgamma 1 and dbeta 1."""
    x, dy = _two_images([1, 3], [5, 7], [100, 200]), _two_images([0, 0], [0, 1], [9, 9])
    dgamma, dbeta, dx = _unfilled(1), _unfilled(1), _unfilled(*x.shape)
    OPS.batchnorm_backward(x, dy, *map(np.array, ([6.0], [4.0], [5.0])), 2, 4.0, dgamma, dbeta, dx)
    assert (dgamma.item(), dbeta.item()) == (1, 1)
    inner = [[-1 / 4 + 1 / 4, -1 / 4 + 1 / 12], [-1 / 4 - 1 / 12, 1 - 1 / 4 - 1 / 4]]
    checks.assert_close(dx[0, 0].T, 2 * np.array(inner), terms=4)
    assert not dx[1].any()


def test_batchnorm_folds_into_the_preceding_layer(checks):
    rng = np.random.default_rng(0)
    x, weight, bias = rng.normal(size=(1, 5, 4)), rng.normal(size=(3, 5)), rng.normal(size=3)
    gamma, beta, mean = rng.normal(size=(3, 3))
    var = np.array([0.5, 1, 2])
    y, expected, folded = _unfilled(1, 3, 4), _unfilled(1, 3, 1, 4), _unfilled(1, 3, 4)
    OPS.dense_forward(x, weight, bias, y)
    OPS.batchnorm_inference(y[:, :, None], gamma, beta, mean, var, 0.25, expected)
    folded_weight, folded_bias = _unfilled(3, 5), _unfilled(3)
    OPS.batchnorm_fold(weight, bias, gamma, beta, mean, var, 0.25, folded_weight, folded_bias)
    OPS.dense_forward(x, folded_weight, folded_bias, folded)
    checks.assert_close(folded, expected[:, :, 0], terms=20)


# ctc


def _ctc(scores, labels, count=1):
    """Return the loss and the gradient of one image: scores (T, K), labels (S,)."""
    scores, labels = np.array(scores, float).T[None, :, :, None], np.array(labels, float)[None, :, None]
    (_, K, T, _), M = scores.shape, 2 * labels.shape[1] + 1
    loss, dscores = _unfilled(1, 1), _unfilled(1, K, T, 1)
    OPS.ctc_loss(scores, labels, np.array([[T]]), count, _unfilled(1, T, M, 1), _unfilled(1, T, M, 1), loss, dscores)
    return loss[0, 0], dscores[0, :, :, 0].T


def test_ctc_sums_over_all_paths(checks):
    """Of 16 equally likely paths of two steps, three give "0": 00, 0 and blank, blank and 0."""
    loss, dscores = _ctc(np.zeros((2, 4)), [0, -1])
    checks.assert_close(loss, math.log(16 / 3), terms=8)
    checks.assert_close(dscores, [[1 / 4 - 2 / 3, 1 / 4, 1 / 4, 1 / 4 - 1 / 3]] * 2, terms=8)


def test_ctc_needs_a_blank_between_equal_labels(checks):
    """In three steps, only one path gives "00" and five give "01"."""
    loss, dscores = _ctc(np.zeros((3, 3)), [0, 0], count=2)
    checks.assert_close(loss, math.log(27), terms=8)
    checks.assert_close(dscores[1], [1 / 6, 1 / 6, 1 / 6 - 1 / 2], terms=8)
    checks.assert_close(_ctc(np.zeros((3, 3)), [0, 1])[0], math.log(27 / 5), terms=8)


def test_ctc_of_no_label_is_the_probability_of_blanks(checks):
    loss, dscores = _ctc([[LN2, 0], [0, 0]], [-1])
    checks.assert_close(loss, math.log(3) + math.log(2), terms=8)
    checks.assert_close(dscores, [[2 / 3, -2 / 3], [1 / 2, -1 / 2]], terms=8)


def test_ctc_of_labels_that_do_not_fit_is_infinite():
    loss, dscores = _ctc(np.zeros((2, 3)), [0, 0])
    assert loss == math.inf
    assert not dscores.any()


# lrn


def test_lrn_forward():
    """Three neighbours, two at the first and last channel; the first value is divided by 8 = 4^(3/2)."""
    x = np.array([1.0, 1, 2]).reshape(1, 3, 1, 1)
    base, y = _unfilled(*x.shape), _unfilled(*x.shape)
    OPS.lrn_forward(x, 3, 1.0, 1.5, 2.0, base, y)
    assert base.ravel().tolist() == [4, 8, 7]
    assert y.ravel()[0] == 1 / 8
    OPS.lrn_forward(x, 1, 1.0, 0.5, 0.0, base, y)  # each channel alone
    assert y.ravel().tolist() == [1, 1, 1]


# elementwise: copies, sums and dropout


def test_copy():
    y = _unfilled(1, 3)
    OPS.copy(np.array([[1.0, -0.0, np.inf]]), y)
    assert y.tolist() == [[1, 0, np.inf]]
    assert np.signbit(y[0, 1])


def test_add():
    y = _unfilled(1, 2)
    OPS.add(np.array([[1.0, 2]]), np.array([[10.0, -5]]), y)
    assert y.tolist() == [[11, -3]]
    OPS.add(y, y, y)
    assert y.tolist() == [[22, -6]]


def test_dropout_scales_the_remaining_elements():
    y = _unfilled(1, 3)
    OPS.dropout(np.array([[1.0, 2, -3]]), np.array([[1, 0, 1]], np.uint8), 0.75, y)
    assert y.tolist() == [[4, 0, -12]]


# activation: x, y and the gradient where dy is 16

LN2, LN3, LN5 = math.log(2), math.log(3), math.log(5)


@pytest.mark.parametrize(
    ("name", "options", "x", "y", "dx"),
    [
        ("relu", (), [-2, 0, 3], [0, 0, 3], [0, 0, 16]),
        ("leaky_relu", (0.25,), [-2, 0, 3], [-0.5, 0, 3], [4, 4, 16]),
        ("sigmoid", (), [-LN3, 0, LN3], [1 / 4, 1 / 2, 3 / 4], [3, 4, 3]),
        ("tanh", (), [-LN2, 0, LN3], [-0.6, 0, 0.8], [16 * 0.64, 16, 16 * 0.36]),
    ],
)
def test_activation(checks, name, options, x, y, dx):
    x, y, dx = (np.array([a], float) for a in (x, y, dx))
    filled, gradient = _unfilled(1, 3), _unfilled(1, 3)
    getattr(OPS, f"{name}_forward")(x, *options, filled)
    checks.assert_close(filled, y, terms=4)
    getattr(OPS, f"{name}_backward")(y, np.full((1, 3), 16.0), *options, gradient)
    checks.assert_close(gradient, dx, terms=4, scale=16)


def test_silu(checks):
    y, dx = _unfilled(1, 3), _unfilled(1, 3)
    x = np.array([[-LN3, 0, LN3]])
    OPS.silu_forward(x, y)
    checks.assert_close(y, [[-LN3 / 4, 0, 3 * LN3 / 4]], terms=4)
    OPS.silu_backward(x, np.full((1, 3), 16.0), dx)
    checks.assert_close(dx, [[4 - 3 * LN3, 8, 12 + 3 * LN3]], terms=4, scale=16)


def test_gelu_is_near_the_exact_form(checks):
    """x times the probability that a standard normal variable is below x."""
    x, y, dx = np.linspace(-6, 6, 49)[None], _unfilled(1, 49), _unfilled(1, 49)
    OPS.gelu_forward(x, y)
    exact = [z * (1 + math.erf(z / math.sqrt(2))) / 2 for z in x[0]]
    assert 1e-4 < np.abs(y[0] - exact).max() < 5e-4
    checks.assert_close(y - y[:, ::-1], x, terms=4, scale=6)  # as x P(x) - (-x) P(-x) = x
    OPS.gelu_backward(x, np.full((1, 49), 16.0), dx)
    checks.assert_close(dx[:, 24], [8], terms=4, scale=16)


# loss


def test_softmax(checks):
    probabilities = _unfilled(1, 3, 1)
    OPS.softmax(_classes([0, LN2, LN5]), probabilities)
    checks.assert_close(probabilities.ravel(), [1 / 8, 2 / 8, 5 / 8], terms=3)


def test_softmax_cross_entropy_counts_only_images(checks):
    """Two of four lanes are images: `count` is 2."""
    scores, targets = _classes([0, LN2, LN5], [0, LN2, LN5], [1, 2, 3], [9, 0, 0]), np.array([[2.0, 0, -1, -1]])
    loss, dscores = _unfilled(1, 4), _unfilled(1, 3, 4)
    OPS.softmax_cross_entropy(scores, targets, 2, 0.0, loss, dscores)
    checks.assert_close(loss[0, :2], [math.log(8 / 5), math.log(8)], terms=3)
    checks.assert_close(dscores[0, :, 0], [1 / 16, 2 / 16, -3 / 16], terms=3)
    checks.assert_close(dscores[0, :, 1], [-7 / 16, 2 / 16, 5 / 16], terms=3)
    assert not loss[0, 2:].any()
    assert not dscores[0, :, 2:].any()


def test_mean_squared_error_counts_only_images(checks):
    scores, targets = _classes([1, 0.5, -0.5], [0, 0, 2], [5, 5, 5]), np.array([[0.0, 2, -1]])
    loss, dscores = _unfilled(1, 3), _unfilled(1, 3, 3)
    OPS.mean_squared_error(scores, targets, 2, 0.0, loss, dscores)
    checks.assert_close(loss, [[0.5 / 3, 1 / 3, 0]], terms=3)
    checks.assert_close(dscores[0].T, [[0, 1 / 6, -1 / 6], [0, 0, 1 / 3], [0, 0, 0]], terms=3)


def test_smoothing_spreads_part_of_the_target(checks):
    """A target of 1 at the first of four classes becomes 0.85 there and 0.05 elsewhere."""
    scores, targets = _classes([0, 0, 0, 0]), np.array([[0.0]])
    loss, dscores = _unfilled(1, 1), _unfilled(1, 4, 1)
    OPS.softmax_cross_entropy(scores, targets, 1, 0.2, loss, dscores)
    checks.assert_close(loss, [[math.log(4)]], terms=4)
    checks.assert_close(dscores.ravel(), [-0.6, 0.2, 0.2, 0.2], terms=4)
    OPS.mean_squared_error(scores, targets, 1, 0.2, loss, dscores)
    checks.assert_close(loss, [[(0.85**2 + 3 * 0.05**2) / 4]], terms=4)
    checks.assert_close(dscores.ravel(), [-0.425, -0.025, -0.025, -0.025], terms=4)


def test_weigh_losses(checks):
    """Image i of the step has the weight i + 3; the third lane of the second block is empty."""
    weights, start = np.array([9.0, 9, 9, 3, 4, 5, 6, 7]), np.array([1])
    loss, dscores = np.array([[1.0, 10, 2], [1, 1, 0]]), np.ones((2, 2, 3))
    dscores[1, :, 2] = 0
    OPS.weigh_losses(weights, start, 2, loss, dscores)
    checks.assert_close(loss, [[3, 40, 10], [6, 7, 0]], terms=1)
    checks.assert_close(dscores, [[[3, 4, 5]] * 2, [[6, 7, 0]] * 2], terms=1)


def test_accumulate_metrics():
    scores = _classes([1, 3, 2], [3, 1, 3], [3, 1, 3], [1, 0, 0])  # the first of equal scores is the prediction
    hits, totals = _unfilled(1, 4), np.array([0.5, 10])
    OPS.accumulate_metrics(scores, np.array([[1.0, 0, 2, -1]]), np.array([[1.0, 2, 4, 0]]), hits, totals)
    assert hits.tolist() == [[1, 1, 0, 0]]
    assert totals.tolist() == [7.5, 12]


# optimizer: one parameter


def _one(number):
    return np.array([[number]], float)


def test_sgd_step(checks):
    parameter = _one(1)
    OPS.sgd_step(parameter, _one(2), np.array([0.1]), 0.5)
    checks.assert_close(parameter, _one(1 - 0.1 * (2 + 0.5 * 1)), terms=3)


def test_momentum_and_nesterov_differ_by_the_look_ahead(checks):
    """Two steps with the gradient 1, rate 0.1 and momentum 0.9; the velocities are 1 and 1.9 for both."""
    for step, way in ((OPS.momentum_step, [0.1, 0.19]), (OPS.nesterov_step, [0.19, 0.271])):
        parameter, velocity = _one(1), _one(0)
        for speed, so_far in zip((1, 1.9), np.cumsum(way), strict=True):
            step(parameter, _one(1), velocity, np.array([0.1]), 0.9, 0)
            checks.assert_close(velocity, _one(speed), terms=3)
            checks.assert_close(parameter, _one(1 - so_far), terms=6)


def test_weight_decay_joins_the_gradient(checks):
    """With decay 0.5 at parameter 2 the gradient 1 becomes 2."""
    for step, after in ((OPS.momentum_step, 2 - 0.1 * 2), (OPS.nesterov_step, 2 - 0.1 * (2 + 0.9 * 2))):
        parameter, velocity = _one(2), _one(0)
        step(parameter, _one(1), velocity, np.array([0.1]), 0.9, 0.5)
        checks.assert_close(velocity, _one(2), terms=3)
        checks.assert_close(parameter, _one(after), terms=6)


def test_adam_step(checks):
    parameter, mean, square = _one(1), _one(0), _one(0)
    options = {"rate": np.array([0.25]), "beta1": 0.5, "beta2": 0.75, "epsilon": 1.0, "weight_decay": 0.0}
    OPS.adam_step(parameter, _one(4), mean, square, step=np.array([1]), **options)
    assert (mean.item(), square.item()) == (2, 4)  # (1 - 1/2) 4 and (1 - 3/4) 4^2
    checks.assert_close(parameter, _one(1 - 0.25 * 4 / (4 + 1)), terms=3)  # unbiased, they are 4 and 4^2
    OPS.adam_step(parameter, _one(0), mean, square, step=np.array([2]), **options)
    assert (mean.item(), square.item()) == (1, 3)
    unbiased_mean, unbiased_square = 1 / (1 - 1 / 4), 3 / (1 - 9 / 16)
    checks.assert_close(parameter, _one(0.8 - 0.25 * unbiased_mean / (math.sqrt(unbiased_square) + 1)), terms=6)


def test_a_mean_that_shrinks_without_gradients_becomes_0(checks):
    checks.check_shrinking_means(OPS)


def test_adamw_decays_the_parameter_and_adam_the_gradient(checks):
    """At parameter 4, with decay 0.5 and no gradient, AdamW shrinks the parameter by 5 %; Adam sees a gradient of 2."""
    options = {"rate": np.array([0.1]), "step": np.array([1]), "beta1": 0.9, "beta2": 0.99, "epsilon": 0.0}
    parameter, mean, square = _one(4), _one(0), _one(0)
    OPS.adam_step(parameter, _one(0), mean, square, **options, weight_decay=0.5)
    checks.assert_close(parameter, _one(4 - 0.1 * 1), terms=8)
    parameter, mean, square = _one(4), _one(0), _one(0)
    OPS.adamw_step(parameter, _one(0), mean, square, **(options | {"epsilon": 1e-8}), weight_decay=0.5)
    checks.assert_close(parameter, _one(4 * 0.95), terms=8)
    assert (mean.item(), square.item()) == (0, 0)


def test_clip_norm_keeps_the_direction(checks):
    """(3, 0, 4) has norm 5: a limit of 1 divides it by 5, a limit of 6 does not change it."""
    for limit, shrunk in ((1.0, 0.2), (6.0, 1.0)):
        gradient, sums, factor = np.array([[3.0], [0], [4]]), _unfilled(2), _unfilled(1)
        OPS.clip_norm(gradient, limit, sums, factor)
        assert sums.tolist() == [9, 16]  # of one vector and of two
        checks.assert_close(factor, [shrunk], terms=2)
        checks.assert_close(gradient, np.array([[3.0], [0], [4]]) * shrunk, terms=4)


def test_clip_norm_of_no_gradient():
    gradient, sums, factor = np.zeros((2, 1)), _unfilled(3), _unfilled(1)
    OPS.clip_norm(gradient, 1.0, sums, factor)
    assert (gradient.tolist(), factor.tolist()) == ([[0], [0]], [1])


def test_average_step_weighs_by_age(checks):
    """With decay 1/2 the weights after three steps are 1/7, 2/7 and 4/7, whatever the initial average."""
    average = _one(99)
    for step, (parameter, so_far) in enumerate([(7, 7), (10, 9), (3, (7 + 2 * 10 + 4 * 3) / 7)], 1):
        OPS.average_step(_one(parameter), np.array([step]), 0.5, average)
        checks.assert_close(average, _one(so_far), terms=8, scale=10)


# steps, batch and array


def test_next_step_takes_a_row_and_then_the_following_one():
    plan, rates = np.array([[1, 0, 7], [1, 128, 8], [2, 0, 9]]), np.array([0.5, 0.25, 0.125])
    taken, (epoch, start, step), rate = np.array([1]), np.full((3, 1), -1), _unfilled(1)
    found = []
    for _ in range(3):
        OPS.next_step(plan, rates, taken, epoch, start, step, rate)
        found.append([*epoch, *start, *step, *rate, *taken])
    assert found == [[1, 128, 8, 0.25, 2], [2, 0, 9, 0.125, 3], [2, 0, 9, 0.125, 4]]  # the last row again


def test_gather_batch_repeats_the_last_image_without_a_target():
    images = np.array([[0, 1], [10, 11], [20, 21], [30, 255]], np.uint8)
    labels = np.array([[5], [6], [7], [8]], np.uint8)
    order, start = np.array([0, 3, 1, 2], np.int32), np.array([1])
    x, targets = _unfilled(2, 2, 2), _unfilled(2, 2)
    OPS.gather_batch(images, labels, order, start, 3, 2.0, -1.0, x, targets)
    assert x.tolist() == [[[59, 19], [509, 21]], [[39, 39], [41, 41]]]  # images 3, 1 and 2, 2; pixels times 2 less 1
    assert targets.tolist() == [[8, 6], [7, -1]]


def test_pack_and_unpack():
    images = np.array([[1.0, 2], [3, 4], [5, 6]])
    x, back = _unfilled(2, 2, 2), _unfilled(3, 2)
    OPS.pack(images, x)
    assert x.tolist() == [[[1, 3], [2, 4]], [[5, 0], [6, 0]]]
    OPS.unpack(x, back)
    assert np.array_equal(back, images)


def test_blocks():
    assert [array.blocks(images, 16) for images in (1, 15, 16, 17, 32, 33)] == [1, 1, 1, 2, 2, 3]


def test_accumulate_adds_to_the_total():
    total = np.array([0.5])
    OPS.accumulate(np.array([[1, 2], [3, 4]], np.float32), total)
    assert total.item() == 10.5


def test_accumulate_in_float64():
    """float32 cannot represent 2^24 + 1."""
    total = np.array([2.0**24])
    OPS.accumulate(np.array([2**24, 1], np.float32), total)
    assert total.item() == 2**25 + 1


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.int32])
def test_arrays_begin_at_a_cache_line(dtype):
    for make in (OPS.empty, OPS.zeros):
        a = make((3, 5, 7), dtype)
        assert a.shape == (3, 5, 7)
        assert a.dtype == dtype
        assert a.flags.c_contiguous
        assert a.ctypes.data % 64 == 0
    assert not OPS.zeros((3, 5, 7), dtype).any()


def test_upload_and_download_copy():
    host = np.arange(6, dtype=np.float32).reshape(2, 3)
    device = OPS.upload(host)
    host[0, 0] = 9
    back = OPS.download(device)
    device[0, 1] = 9
    assert back.dtype == np.float32
    assert back.tolist() == [[0, 1, 2], [3, 4, 5]]


# random


def _philox4x32_10(counter, key):
    """Philox4x32-10 in Python integers, after Salmon et al. (2011), section 4.3."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p2 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p2 >> 32 ^ c[1] ^ k[0], p2 % 2**32, p0 >> 32 ^ c[3] ^ k[1], p0 % 2**32]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


def _hex(words):
    return " ".join(f"{int(word):08x}" for word in words)


def test_philox_known_answers():
    """The vectors of the Random123 distribution; two of them use a fourth counter word, which `philox` lacks."""
    assert _hex(_philox4x32_10([0] * 4, [0] * 2)) == "6627e8d5 e169c58d bc57ac4c 9b00dbd8"
    assert _hex(_philox4x32_10([2**32 - 1] * 4, [2**32 - 1] * 2)) == "408f276d 41c83b0e a20bc7c6 6d5451fd"
    digits_of_pi = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0]
    assert _hex(_philox4x32_10(*digits_of_pi)) == "d16cfe09 94fdcceb 5001e420 24126ea1"
    assert _hex(philox(0, 0, 0, 0)) == "6627e8d5 e169c58d bc57ac4c 9b00dbd8"


def test_philox_counts_elements_steps_and_streams():
    seed = 0x299F31D0A4093822
    for element, step, stream in ((0x243F6A88, 0x85A308D3, 0x13198A2E), (1, 2, 3), (2**32 - 1, 0, 2**32 - 1)):
        expected = _philox4x32_10([element, step, stream, 0], [seed % 2**32, seed >> 32])
        assert _hex(philox(element, step, stream, seed)) == _hex(expected)


def test_random_uniform_is_the_first_word_of_philox():
    values = np.full(3, np.nan, np.float32)
    OPS.random_uniform(7, 5, 4, values)
    assert values.tolist() == [(_philox4x32_10([e, 4, 5, 0], [7, 0])[0] >> 8) / 2**24 for e in range(3)]


def test_random_uniform_is_uniform():
    """Statistics of a million numbers are within five standard deviations of their expected values."""
    n = 10**6
    values = np.full(n, np.nan, np.float32)
    OPS.random_uniform(1, 0, 0, values)
    values = values.astype(float)
    assert values.min() >= 0
    assert values.max() < 1
    assert abs(values.mean() - 1 / 2) < 5 / math.sqrt(12 * n)
    assert abs(values.var() - 1 / 12) < 5 / math.sqrt(180 * n)
    for apart in (1, 2, 16):
        assert abs(np.corrcoef(values[:-apart], values[apart:])[0, 1]) < 5 / math.sqrt(n)
    shares = np.bincount((values * 100).astype(int), minlength=100)
    assert _chi_square(shares) < 99 + 5 * math.sqrt(2 * 99)


@pytest.mark.parametrize("other", [(2, 0, 0), (1 + 2**32, 0, 0), (1, 1, 0), (1, 0, 1)])
def test_random_uniform_of_other_seeds_streams_and_steps(other):
    n = 10**5
    one, two = np.empty(n, np.float32), np.empty(n, np.float32)
    OPS.random_uniform(1, 0, 0, one)
    OPS.random_uniform(*other, two)
    assert abs(np.corrcoef(one, two)[0, 1]) < 5 / math.sqrt(n)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 1000, 60000])
def test_random_permutation_has_every_number_once(n):
    assert np.array_equal(np.sort(_permutation(n)), np.arange(n))


@pytest.mark.parametrize("n", [1000, 60000])
def test_random_permutation_of_other_seeds_and_steps(n):
    """Two independent permutations agree in one place on average."""
    orders = [np.arange(n), *(_permutation(n, *of) for of in ((1, 0), (1, 1), (2, 0), (1 + 2**32, 0)))]
    for i, one in enumerate(orders):
        for two in orders[:i]:
            assert (one == two).sum() < 8


def test_random_mask_drops_the_given_fraction():
    mask = _mask(1000, 8, 2, rate=0.25)
    assert set(np.unique(mask)) == {0, 1}
    assert abs(mask.mean() - 0.75) < 5 * math.sqrt(0.25 * 0.75 / mask.size)


def test_random_mask_does_not_depend_on_the_number_of_lanes():
    """Images have the same masks in any number of lanes: random_uniform compared with the rate."""
    by_image = [np.moveaxis(_mask(24 // lanes, 5, lanes), -1, 1).reshape(24, 5) for lanes in (1, 3, 8)]
    assert all(np.array_equal(by_image[0], other) for other in by_image[1:])
    values = _unfilled(24 * 5)
    OPS.random_uniform(1, 9, 4, values)
    assert np.array_equal(by_image[0].ravel(), values >= 0.5)


@pytest.mark.parametrize("other", [{"seed": 2}, {"stream": 10}, {"step": 5}])
def test_random_mask_depends_on_seed_stream_and_step(other):
    assert 0.4 < (_mask(50, 8, 2) == _mask(50, 8, 2, **other)).mean() < 0.6


def _mask(*shape, seed=1, stream=9, step=4, rate=0.5):
    mask = np.full(shape, 99, np.uint8)
    OPS.random_mask(seed, stream, np.array([step]), rate, mask)
    return mask


def _permutation(n, seed=1, step=0):
    order = _unfilled(n, dtype=np.int32)
    OPS.random_permutation(seed, step, order)
    return order


def _chi_square(counts):
    """Return the chi-squared statistic for equal counts, about len(counts) - 1 if they are equally likely."""
    expected = counts.sum() / len(counts)
    return ((counts - expected) ** 2 / expected).sum()
