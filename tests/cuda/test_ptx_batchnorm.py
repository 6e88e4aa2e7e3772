"""Batch normalization as compiled for a GPU, in one kernel and in parts, against float64."""

from types import SimpleNamespace

import numpy as np
import pytest

from fastdigits.ops import load
from fastdigits.ops.batchnorm import cuda as batchnorm

pytestmark = pytest.mark.slow

EPSILON, MOMENTUM = 1e-5, 0.25
# images, channels, pixels: sizes that no part and no warp divides, single images and pixels, more channels than
# multiprocessors
SIZES = [(1, 2, 1031), (33, 3, 521), (70, 150, 3), (1, 200, 1), (40, 1, 17), (97, 2, 256)]


@pytest.fixture(scope="module")
def ops(gpu):
    return load("cuda")


@pytest.fixture(params=["one kernel", "parts"])
def way(request, monkeypatch):
    """Compute channels in one kernel, or in parts, whatever their size."""
    monkeypatch.setattr(batchnorm, "MAX_VECTORS", 0 if request.param == "parts" else 1 << 30)
    return request.param


def packed(images):
    """Return images (N, C, S) as blocks (B, C, S, 32); the empty lanes hold numbers that must have no effect."""
    N, C, S = images.shape
    blocks = np.full((-(-N // 32) * 32, C, S), 1e6, np.float32)
    blocks[:N] = images
    return np.ascontiguousarray(blocks.reshape(-1, 32, C, S).transpose(0, 2, 3, 1))


def unpacked(blocks, count):
    B, C, S, L = blocks.shape
    return blocks.transpose(0, 3, 1, 2).reshape(-1, C, S)[:count].astype(np.float64)


def forward(ops, images, relu=""):
    """Normalize images (N, C, S) with gamma 2 and beta 0.5, and return all that is filled."""
    N, C, S = images.shape
    x = ops.upload(packed(images))
    gamma, beta, running_mean, running_var = (ops.upload(np.full(C, one, np.float32)) for one in (2, 0.5, 0, 1))
    mean, var, y = ops.empty((C,)), ops.empty((C,)), ops.empty(x.shape)
    settings = gamma, beta, N, EPSILON, MOMENTUM
    getattr(ops, f"batchnorm_{relu}forward")(x, *settings, running_mean, running_var, mean, var, y)
    found = {"mean": mean, "var": var, "running_mean": running_mean, "running_var": running_var}
    found = {name: ops.download(array) for name, array in found.items()}
    return SimpleNamespace(**found, y=unpacked(ops.download(y), N), arrays=(x, y, gamma, mean, var))


def backward(ops, done, gradients, relu=""):
    """Return dgamma, dbeta and dx (N, C, S) for the gradients of what `forward` has filled."""
    x, y, gamma, mean, var = done.arrays
    C = x.shape[1]
    dgamma, dbeta, dx = ops.empty((C,)), ops.empty((C,)), ops.empty(x.shape)
    inputs = (x, y) if relu else (x,)
    settings = len(gradients), EPSILON
    getattr(ops, f"batchnorm_{relu}backward")(
        *inputs, ops.upload(packed(gradients)), gamma, mean, var, *settings, dgamma, dbeta, dx
    )
    dx = ops.download(dx)
    assert not dx.transpose(0, 3, 1, 2).reshape(-1, *gradients.shape[1:])[len(gradients) :].any()
    return ops.download(dgamma), ops.download(dbeta), unpacked(dx, len(gradients))


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("relu", ["", "relu_"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sizes_that_no_part_divides(ops, way, size, relu):
    N, C, S = size
    images, gradients = normal(2, *size)
    images += np.arange(C)[:, None]  # each channel has another mean
    done = forward(ops, images, relu)
    exact = images.astype(np.float64)
    mean, var, n = exact.mean((0, 2)), exact.var((0, 2)), N * S
    z = (exact - mean[:, None]) / np.sqrt(var + EPSILON)[:, None]
    y = np.maximum(2 * z + 0.5, 0) if relu else 2 * z + 0.5
    np.testing.assert_allclose(done.mean, mean, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(done.var, var, rtol=2e-6, atol=1e-12)
    np.testing.assert_allclose(done.running_mean, MOMENTUM * mean, rtol=2e-6, atol=2e-6)
    unbiased = var * n / max(n - 1, 1)
    np.testing.assert_allclose(done.running_var, 1 + MOMENTUM * (unbiased - 1), rtol=2e-6)
    if n > 1:
        np.testing.assert_allclose(done.y, y, rtol=0, atol=1e-4)
    dgamma, dbeta, dx = backward(ops, done, gradients, relu)
    d = np.where(done.y > 0, gradients, 0) if relu else gradients.astype(np.float64)
    z = (exact - done.mean[:, None]) / np.sqrt(done.var.astype(np.float64) + EPSILON)[:, None]
    sums = d.sum((0, 2)), (d * z).sum((0, 2))
    np.testing.assert_allclose(dbeta, sums[0], rtol=0, atol=1e-6 * n)
    np.testing.assert_allclose(dgamma, sums[1], rtol=0, atol=1e-6 * n)
    scale = 2 / np.sqrt(done.var.astype(np.float64) + EPSILON)[:, None]
    expected = scale * (d - sums[0][:, None] / n - z * sums[1][:, None] / n)
    np.testing.assert_allclose(dx / scale, expected / scale, rtol=0, atol=2e-6)


def test_variance_of_a_large_mean(ops, way):
    """A tenth around 1000: the difference of the mean square and the squared mean would have no correct digit."""
    images = 1000 + normal(33, 2, 530) / 10
    done, exact = forward(ops, images), images.astype(np.float64)
    naive = (images * images).mean((0, 2)) - images.mean((0, 2)) ** 2
    assert (np.abs(naive - 0.01) > 0.01).all()
    np.testing.assert_allclose(done.mean, exact.mean((0, 2)), rtol=2e-7)
    np.testing.assert_allclose(done.var, exact.var((0, 2)), rtol=1e-5)


def test_parts_that_differ(ops, way):
    """The variance is almost only between parts of the pixels, whose means differ by 2000."""
    images = normal(5, 2, 1060) + np.where(np.arange(1060) < 400, -800, 1200)
    done, exact = forward(ops, images.astype(np.float32)), images.astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(done.mean, exact.mean((0, 2)), rtol=1e-6)
    np.testing.assert_allclose(done.var, exact.var((0, 2)), rtol=1e-6)


@pytest.mark.parametrize("level", [0.0, 1 / 3, -300.0])
def test_constant_channels(ops, way, level):
    done = forward(ops, np.full((33, 2, 530), level, np.float32))
    np.testing.assert_allclose(done.mean, level, rtol=2.5e-7)
    assert (done.var <= (2.5e-7 * level) ** 2).all()
    np.testing.assert_allclose(done.y, 0.5, rtol=0, atol=2 * 2.5e-7 * abs(level) / np.sqrt(EPSILON))


def test_repeats_all_bits(ops, way):
    images, gradients = normal(2, 33, 3, 530)
    found = []
    for _ in range(2):
        done = forward(ops, images, "relu_")
        found.append((done.mean, done.var, done.y, *backward(ops, done, gradients, "relu_")))
        ops.dense_forward(*(ops.zeros(shape) for shape in ((1, 4, 32), (4, 4), (4,), (1, 4, 32))))  # between both
    assert [one.tobytes() for one in found[0]] == [one.tobytes() for one in found[1]]


def test_large_channels_are_computed_in_parts(gpu, ops):
    """Of a network of 8 channels and 784 pixels on an H200, one block for each would use 8 of 132 multiprocessors."""
    gpu.launches.clear()
    done = forward(ops, normal(33, 2, 530))
    backward(ops, done, normal(33, 2, 530))
    names = ["batchnorm_moments", "batchnorm_normalise", "batchnorm_gradient_sums", "batchnorm_backward_input"]
    assert [launch.name for launch in gpu.launches] == names
    assert [launch.grid[:2] for launch in gpu.launches] == [(27, 2)] * 4
    gpu.launches.clear()
    forward(ops, normal(33, 2, 49))
    assert [launch.name for launch in gpu.launches] == ["batchnorm_forward"]
