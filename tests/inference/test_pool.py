"""A pool of copies of a network gives the same probabilities for an image, however many images it is given with."""

import numpy as np
import pytest

from fastdigits import ops as devices
from fastdigits.data.preprocessing import Normalisation
from fastdigits.inference.pool import FEW_IMAGES, NetworkPool
from fastdigits.nn import Conv2D, Dense, Flatten, MaxPool2D, Network, ReLU
from fastdigits.nn.network import INFERENCE_MICRO_BATCH

pytestmark = pytest.mark.slow

MOST = 2 * INFERENCE_MICRO_BATCH + FEW_IMAGES
SIZES = [
    *(1, 4, FEW_IMAGES, FEW_IMAGES + 1),
    *(INFERENCE_MICRO_BATCH, INFERENCE_MICRO_BATCH + 1, 2 * INFERENCE_MICRO_BATCH - 1, MOST),
]


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (MOST, 12, 12), np.uint8)


@pytest.fixture
def pool():
    network = Network([Conv2D(5, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(7)], (1, 12, 12))
    network.build(devices.load("cpu"), 1, training=False)
    network.initialise(3)
    return NetworkPool(network, Normalisation(0.4, 0.3))


def test_the_number_of_images_changes_no_bits(pool, images):
    """The first calls run the operations, the later ones replay them."""
    expected = pool.probabilities(images)
    for _ in range(3):
        for size in SIZES:
            np.testing.assert_array_equal(pool.probabilities(images[-size:]), expected[-size:], err_msg=size)
    np.testing.assert_allclose(expected.sum(1), 1, rtol=1e-6)


def test_few_images_need_no_large_copy(pool, images):
    pool.probabilities(images[:FEW_IMAGES])
    assert [*pool._copies._idle] == [pool.ops.lanes]


def test_no_images_have_no_probabilities(pool, images):
    assert pool.probabilities(images[:0]).shape == (0, 7)
