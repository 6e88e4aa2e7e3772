"""Where the digits of training images lie is measured, and digits in the format of MNIST are moved there."""

import numpy as np
import pytest

from fastdigits.data import load_part, placement
from fastdigits.data.placement import AS_MNIST, Placement, measure, move
from fastdigits.data.preprocessing import UNPREPARED, Preparation
from fastdigits.imaging.mnist_format import DIGIT_SIDE
from fastdigits.imaging.types import IMAGE_SIDE
from tests.helpers.placement import filled

COUNT = 200


@pytest.fixture(scope="module")
def images():
    return load_part("mnist", "train")[0][:COUNT]


def bounds(image):
    rows, columns = (image > 255 * placement.INK_THRESHOLD).nonzero()
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


def test_the_format_is_that_of_pictures():
    assert (placement.IMAGE_SIDE, placement.DIGIT_SIDE) == (IMAGE_SIDE, DIGIT_SIDE)


def test_mnist_lies_as_mnist():
    for part in ("train", "test"):
        images, labels = load_part("mnist", part)
        assert measure(images) == AS_MNIST
        for digit in range(10):
            assert measure(images[labels == digit][:50]) == AS_MNIST
    assert UNPREPARED.following(images).placement == AS_MNIST
    assert UNPREPARED.following(255 - images) == Preparation(invert=True)


@pytest.mark.parametrize("side", [8, 12, 20, 24, 28])
@pytest.mark.parametrize("fit", ["box", "stretch"])
def test_digits_that_were_cut_out_and_scaled(images, side, fit):
    assert measure(filled(images, side, fit)) == Placement(side, 14.0, 14.0, fit)


def test_digits_in_a_corner(images):
    corner = np.roll(filled(images, 12), (-8, 5), (1, 2))
    assert measure(corner) == Placement(12, 6.0, 19.0, "box")
    assert measure(np.roll(images, (0, 3), (1, 2))) == Placement(20, 14.5, 17.5, "mass")


def test_specks_paper_and_noise_around_digits(images):
    random = np.random.default_rng(0)
    specks = np.where(random.random(images.shape) < 0.03, 255, 0).astype(np.uint8)
    assert measure(np.maximum(images, specks)) == AS_MNIST
    grainy = 25 + 0.8 * images + random.normal(0, 8, images.shape)
    assert measure(grainy.clip(0, 255).astype(np.uint8)) == AS_MNIST


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((50, 28, 28), np.uint8),
        np.full((50, 28, 28), 200, np.uint8),
        np.random.default_rng(0).integers(0, 256, (50, 28, 28), dtype=np.uint8),
        np.zeros((0, 28, 28), np.uint8),
        np.eye(12, dtype=np.uint8)[None],
    ],
    ids=["black", "gray", "noise", "none", "other size"],
)
def test_images_without_digits_count_as_mnist(images):
    assert measure(images) == AS_MNIST


@pytest.mark.parametrize(
    "goal",
    [
        *(Placement(side, 14.0, 14.0, fit) for side in (8, 12, 16, 24, 28) for fit in ("box", "stretch")),
        Placement(12, 14.5, 14.5, "mass"),
        Placement(24, 14.5, 14.5, "mass"),
        Placement(12, 8.5, 19.0, "mass"),
        Placement(12, 6.0, 20.0, "box"),
        Placement(12, 22.0, 8.0, "stretch"),
        Placement(20, 14.0, 14.0, "box"),
    ],
)
def test_digits_are_moved_to_where_those_of_a_set_lie(images, goal):
    found = measure(move(images, goal))
    assert found.fit == goal.fit
    assert found[:3] == pytest.approx(goal[:3], abs=1)


@pytest.mark.parametrize("side", [8, 16, 24, 28])
@pytest.mark.parametrize("center", [0.0, 3.0, 14.0, 28.0])
@pytest.mark.parametrize("fit", ["mass", "box"])
def test_no_ink_is_lost(images, side, center, fit):
    moved = move(images, Placement(side, center, 28 - center, fit))
    assert (moved.shape, moved.dtype) == (images.shape, np.uint8)
    assert moved.sum((1, 2)) == pytest.approx(images.sum((1, 2)) * (side / 20) ** 2, rel=0.1)


def test_ink_longer_than_that_of_mnist_is_kept_whole():
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, :, 10:14] = 255
    assert np.array_equal(bounds(move(image, Placement(28, 14.0, 14.0, "box"))[0])[:2], (0, 28))


def test_blank_images_stay_blank():
    blank = np.zeros((2, 28, 28), np.uint8)
    assert not move(blank, Placement(28, 14.0, 14.0, "stretch")).any()


def test_only_images_in_the_format_of_mnist_are_moved(images):
    tight = Preparation(pad=2, invert=True, digit_side=28, digit_fit="box")
    assert np.array_equal(tight.apply(255 - images), Preparation(pad=2).apply(images))
    of_pictures = tight.for_mnist_format()
    assert np.array_equal(
        of_pictures.apply(images), Preparation(pad=2).apply(move(images, Placement(*tight.placement)))
    )
    assert Preparation(pad=2, invert=True).for_mnist_format() == Preparation(pad=2)
    assert not Preparation(digit_side=28)
