"""The definitions of all gradients against central differences over every element, in float64.

The loss is the inner product of the output with fixed random numbers dy, so dy is the gradient of the output.
"""

import numpy as np
import pytest

from fastdigits.ops import conv2d, load

OPS = load("reference")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "before", "after"),
    [
        ((5, 4), (1, 1), 1, (0, 0), (0, 0)),
        ((5, 4), (3, 2), 1, (0, 0), (0, 0)),
        ((5, 4), (3, 2), 1, (2, 0), (0, 1)),
        ((5, 6), (5, 5), 1, (2, 2), (2, 2)),
        ((2, 3), (5, 5), 1, (2, 2), (2, 2)),
        ((3, 4), (5, 5), 1, (4, 4), (4, 4)),
        ((6, 7), (3, 2), 2, (1, 0), (0, 1)),
        ((6, 7), (1, 1), 2, (0, 0), (0, 0)),
        ((7, 8), (3, 2), 3, (0, 1), (1, 1)),
        ((7, 8), (5, 5), 3, (4, 1), (3, 0)),
        ((4, 4), (1, 1), 1, (2, 1), (1, 3)),
    ],
    ids=str,
)
def test_conv2d(checks, rng, size, kernel, stride, before, after):
    B, C, O, L = 2, 2, 3, 2
    rows, columns = ((n + b + a - k) // stride + 1 for n, k, b, a in zip(size, kernel, before, after, strict=True))
    x, weight, bias = rng.normal(size=(B, C, *size, L)), rng.normal(size=(O, C, *kernel)), rng.normal(size=O)
    dy = rng.normal(size=(B, O, rows, columns, L))
    y, dx, dweight, dbias = (np.full_like(a, np.nan) for a in (dy, x, weight, bias))

    def loss():
        OPS.conv2d_forward(x, weight, bias, stride, *before, y)
        return (y * dy).sum()

    OPS.conv2d_backward_input(dy, weight, stride, *before, dx)
    OPS.conv2d_backward_weight(x, dy, stride, *before, dweight, dbias)
    checks.assert_gradient(loss, x, dx)
    checks.assert_gradient(loss, weight, dweight)
    checks.assert_gradient(loss, bias, dbias)


@pytest.mark.parametrize("padding", ["valid", "same", "full"])
@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_conv2d_with_named_padding(checks, rng, kernel, stride, padding):
    size = 5
    rows, top = conv2d.output_size(size, kernel, stride, padding)
    x, weight, bias = rng.normal(size=(1, 1, size, size, 1)), rng.normal(size=(1, 1, kernel, kernel)), np.zeros(1)
    dy = rng.normal(size=(1, 1, rows, rows, 1))
    y, dx = np.full_like(dy, np.nan), np.full_like(x, np.nan)

    def loss():
        OPS.conv2d_forward(x, weight, bias, stride, top, top, y)
        return (y * dy).sum()

    OPS.conv2d_backward_input(dy, weight, stride, top, top, dx)
    checks.assert_gradient(loss, x, dx)


def test_dense(checks, rng):
    B, K, O, L = 2, 5, 3, 4
    x, weight, bias, dy = (rng.normal(size=s) for s in ((B, K, L), (O, K), O, (B, O, L)))
    y, dx, dweight, dbias = (np.full_like(a, np.nan) for a in (dy, x, weight, bias))

    def loss():
        OPS.dense_forward(x, weight, bias, y)
        return (y * dy).sum()

    OPS.dense_backward_input(dy, weight, dx)
    OPS.dense_backward_weight(x, dy, dweight, dbias)
    checks.assert_gradient(loss, x, dx)
    checks.assert_gradient(loss, weight, dweight)
    checks.assert_gradient(loss, bias, dbias)


@pytest.mark.parametrize(("window", "stride"), [((2, 2), 2), ((3, 2), 1), ((2, 3), 4), ((1, 1), 1)], ids=str)
def test_pool2d(checks, rng, window, stride):
    shape = (2, 2, 6, 7, 2)
    x = rng.permutation(np.prod(shape)).reshape(shape) / 100  # all differences exceed a step
    rows, columns = ((n - k) // stride + 1 for n, k in zip(shape[2:4], window, strict=True))
    dy = rng.normal(size=(2, 2, rows, columns, 2))
    y, dx = np.full_like(dy, np.nan), np.full_like(x, np.nan)

    def loss(forward):
        forward(x, window, stride, y)
        return (y * dy).sum()

    OPS.maxpool2d_backward(x, dy, window, stride, dx)
    checks.assert_gradient(lambda: loss(OPS.maxpool2d_forward), x, dx)
    OPS.avgpool2d_backward(dy, window, stride, dx)
    checks.assert_gradient(lambda: loss(OPS.avgpool2d_forward), x, dx)


@pytest.mark.parametrize(("name", "options"), [("relu", ()), ("leaky_relu", (0.1,)), ("sigmoid", ()), ("tanh", ())])
def test_activation(checks, rng, name, options):
    x = np.linspace(-5, 5, 20).reshape(4, 5)  # 0 is not among them
    dy = rng.normal(size=x.shape)
    y, dx = np.full_like(x, np.nan), np.full_like(x, np.nan)
    forward, backward = getattr(OPS, f"{name}_forward"), getattr(OPS, f"{name}_backward")

    def loss():
        forward(x, *options, y)
        return (y * dy).sum()

    loss()
    backward(y.copy(), dy, *options, dx)
    checks.assert_gradient(loss, x, dx)


@pytest.mark.parametrize("name", ["gelu", "silu"])
def test_activation_whose_gradient_takes_the_input(checks, rng, name):
    x = np.linspace(-5, 5, 20).reshape(4, 5)
    dy = rng.normal(size=x.shape)
    y, dx = np.full_like(x, np.nan), np.full_like(x, np.nan)
    forward, backward = getattr(OPS, f"{name}_forward"), getattr(OPS, f"{name}_backward")

    def loss():
        forward(x, y)
        return (y * dy).sum()

    backward(x.copy(), dy, dx)
    checks.assert_gradient(loss, x, dx)


@pytest.mark.parametrize("relu", ["", "relu_"])
def test_batchnorm(checks, rng, relu):
    """Five images of three pixels; the content of the three empty lanes has no effect."""
    B, C, S, L, count = 2, 2, 3, 4, 5
    x, dy = rng.normal(size=(2, B, C, S, L))
    gamma, beta = rng.normal(size=(2, C))
    mean, var, dgamma, dbeta = np.full((4, C), np.nan)
    y, dx = np.full((2, B, C, S, L), np.nan)
    filled = np.arange(B * L).reshape(B, 1, 1, L) < count
    forward, backward = getattr(OPS, f"batchnorm_{relu}forward"), getattr(OPS, f"batchnorm_{relu}backward")

    def loss():
        forward(x, gamma, beta, count, 0.01, 0.1, np.zeros(C), np.ones(C), mean, var, y)
        return (y * dy * filled).sum()

    loss()
    output = (y.copy(),) if relu else ()
    backward(x, *output, dy, gamma, mean.copy(), var.copy(), count, 0.01, dgamma, dbeta, dx)
    checks.assert_gradient(loss, x, dx)
    checks.assert_gradient(loss, gamma, dgamma)
    checks.assert_gradient(loss, beta, dbeta)


@pytest.mark.parametrize(("channels", "size"), [(7, 5), (4, 3), (2, 5), (3, 1)])
def test_lrn(checks, rng, channels, size):
    x, dy = rng.normal(size=(2, 2, channels, 2, 2))
    y, base, dx = np.full((3, 2, channels, 2, 2), np.nan)

    def loss():
        OPS.lrn_forward(x, size, 0.5, 0.75, 2.0, base, y)
        return (y * dy).sum()

    loss()
    OPS.lrn_backward(x, y.copy(), dy, base.copy(), size, 0.5, 0.75, dx)
    checks.assert_gradient(loss, x, dx)


def test_dropout(checks, rng):
    """The gradient of x is dropout of the gradient of y."""
    x, dy = rng.normal(size=(2, 4, 5))
    mask, y, dx = rng.integers(0, 2, (4, 5)).astype(np.uint8), np.empty((4, 5)), np.empty((4, 5))

    def loss():
        OPS.dropout(x, mask, 0.3, y)
        return (y * dy).sum()

    OPS.dropout(dy, mask, 0.3, dx)
    checks.assert_gradient(loss, x, dx)


def test_ctc_loss(checks, rng):
    """The gradient is that of the mean over three images of different lengths; one lane is empty."""
    B, K, T, S, L = 1, 3, 6, 3, 4
    scores, steps = rng.normal(size=(B, K, T, L)), np.array([[6.0, 4, 5, 0]])
    labels = np.array([[[0.0, 1, 0, 0], [0, -1, 1, 1], [1, -1, 0, 0]]])
    states = [np.empty((B, T, 2 * S + 1, L)) for _ in range(2)]
    losses, dscores = np.full((B, L), np.nan), np.full_like(scores, np.nan)

    def loss():
        OPS.ctc_loss(scores, labels, steps, 3, *states, losses, np.empty_like(scores))
        return losses.sum() / 3

    OPS.ctc_loss(scores, labels, steps, 3, *states, losses, dscores)
    checks.assert_gradient(loss, scores, dscores)
    assert not dscores[0, :, 4:, 1].any()
    assert not dscores[..., 3].any()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("name", ["softmax_cross_entropy", "mean_squared_error"])
def test_loss(checks, rng, name, smoothing):
    """The gradient is that of the mean over five images; three lanes are empty."""
    scores, targets = rng.normal(size=(2, 4, 4)), np.array([[2.0, 0, 3, 1], [2, -1, -1, -1]])
    losses, dscores = np.full((2, 4), np.nan), np.full_like(scores, np.nan)

    def loss():
        getattr(OPS, name)(scores, targets, 5, smoothing, losses, np.empty_like(scores))
        return losses.sum() / 5

    getattr(OPS, name)(scores, targets, 5, smoothing, losses, dscores)
    checks.assert_gradient(loss, scores, dscores)
    assert not losses[targets < 0].any()
    assert not dscores.swapaxes(1, 2)[targets < 0].any()


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "mean_squared_error"])
def test_weighted_loss(checks, rng, name):
    """The gradient is that of the weighted sum over five images, divided by their number."""
    scores, targets = rng.normal(size=(2, 4, 4)), np.array([[2.0, 0, 3, 1], [2, -1, -1, -1]])
    losses, dscores = np.full((2, 4), np.nan), np.full_like(scores, np.nan)
    weights, start = np.array([7, 0.5, 2, 0, 1, 3]), np.array([1])

    def fill(gradient):
        getattr(OPS, name)(scores, targets, 5, 0.1, losses, gradient)
        OPS.weigh_losses(weights, start, 0, losses, gradient)
        return losses.sum() / 5

    fill(dscores)
    checks.assert_gradient(lambda: fill(np.empty_like(scores)), scores, dscores)
