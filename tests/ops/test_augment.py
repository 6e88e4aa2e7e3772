"""Visible effects of augmentation on images."""

import numpy as np
import pytest

from fastdigits.data import load_digits
from fastdigits.ops import load
from fastdigits.ops.array import blocks
from fastdigits.ops.batch import Effects
from fastdigits.ops.batch.reference import affine, bilinear

pytestmark = pytest.mark.slow

IMAGE = np.arange(1.0, 36).reshape(1, 5, 7)
ZERO, HALF, ONE = np.zeros((1, 1, 1)), np.full((1, 1, 1), 0.5), np.ones((1, 1, 1))


@pytest.fixture(scope="module")
def digits():
    """The first 200 training images of MNIST."""
    return load_digits().train_images[:200]


def augmented(effects, images, rows=None, seed=1, epoch=1, device="cpu", start=0, count=None):
    """Return augmented images (n, H, W) with brightness 0 .. 1, for rows order[start : start + count]."""
    ops, (N, H, W) = load(device), images.shape
    order = np.arange(N, dtype=np.int32) if rows is None else np.asarray(rows, np.int32)
    count = len(order) - start if count is None else count
    shape = blocks(count, ops.lanes), H * W, ops.lanes
    x, targets, packed = ops.empty(shape), ops.empty((shape[0], ops.lanes)), np.empty((count, H * W), np.float32)
    labels = np.zeros((N, 1), np.uint8)
    at = np.array([start]), count, np.float32(1 / 255), np.float32(0)
    ops.augment_batch(images, labels, order, *at, seed, np.array([epoch]), effects, x, targets)
    ops.unpack(x, packed)
    return packed.reshape(-1, H, W)


def moved(image, effects, down=ZERO, right=ZERO, turn=ZERO, taller=ZERO, wider=ZERO, slant=ZERO):
    """Return an image under an affine map with the given parameters."""
    u, v = affine(*image.shape[1:], down, right, turn, taller, wider, slant, effects)
    return bilinear(image, np.zeros(1), u, v)


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize("size", [(28, 28), (5, 6), (1, 17)])
def test_without_effects_augment_equals_gather(device, size):
    ops, rng = load(device), np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (50, *size), np.uint8), rng.integers(0, 10, (50, 1), np.uint8)
    order, B = rng.permutation(50).astype(np.int32), blocks(37, ops.lanes)
    plain, changed = ((ops.zeros((B, size[0] * size[1], ops.lanes)), ops.zeros((B, ops.lanes))) for _ in range(2))
    at = labels, order, np.array([3]), 37, np.float32(1 / 78), np.float32(-0.42)
    ops.gather_batch(images.reshape(50, -1), *at, *plain)
    ops.augment_batch(images, *at, 1, np.array([1]), Effects(), *changed)
    np.testing.assert_allclose(changed[0], plain[0], atol=1e-6)
    assert changed[1].tobytes() == plain[1].tobytes()
    if device == "cpu":  # the definition sums in float64
        assert changed[0].tobytes() == plain[0].tobytes()


def test_shift_by_whole_pixels_is_exact():
    expected = np.zeros_like(IMAGE)
    expected[:, 2:, :-1] = IMAGE[:, :-2, 1:]
    assert np.array_equal(moved(IMAGE, Effects(shift_px=2), down=ONE, right=-HALF), expected)


def test_rotation_by_90_degrees_equals_numpy():
    square = np.random.default_rng(0).random((1, 6, 6))
    for turn, quarters in ((ONE, 1), (-ONE, -1)):
        turned = moved(square, Effects(rotate_deg=90), turn=turn)
        np.testing.assert_allclose(turned[0], np.rot90(square[0], quarters), atol=1e-12)


def test_scale_keeps_the_centre():
    ramp = np.tile(np.arange(5.0), (5, 1))[None]
    wider = moved(ramp, Effects(scale=1.0), wider=ONE)
    assert wider[0].tolist() == [[1, 1.5, 2, 2.5, 3]] * 5
    taller = moved(ramp.swapaxes(1, 2), Effects(scale=1.0), taller=ONE)
    assert taller[0].T.tolist() == [[1, 1.5, 2, 2.5, 3]] * 5


def test_shear_shifts_rows_by_their_distance_from_the_centre():
    line = np.zeros((1, 5, 5))
    line[:, :, 2] = 1
    sheared = moved(line, Effects(shear_deg=45), slant=ONE)
    np.testing.assert_allclose(sheared[0], np.eye(5)[::-1], atol=1e-12)


def test_pixels_outside_the_image_are_black():
    far = moved(IMAGE, Effects(shift_px=100), down=ONE)
    assert not far.any()
    half = moved(IMAGE, Effects(shift_px=1), down=HALF)  # half of the first row's ink lies on it
    assert np.array_equal(half[0, 0], IMAGE[0, 0] / 2)


@pytest.mark.parametrize(
    "effects", [Effects(shift_px=3), Effects(rotate_deg=30), Effects(shear_deg=20), Effects(elastic_px=0.7)]
)
def test_geometric_effects_keep_the_amount_of_ink(effects, digits):
    before, after = digits.mean((1, 2)) / 255, augmented(effects, digits).mean((1, 2))
    assert after.mean() == pytest.approx(before.mean(), rel=0.02)
    assert np.abs(after / before - 1).max() < 0.5


@pytest.mark.parametrize("field", Effects._fields)
def test_each_effect_changes_most_images(field, digits):
    limit = {"shift_px": 2.0, "rotate_deg": 15.0, "shear_deg": 15.0, "elastic_px": 1.0, "erase_px": 12}.get(field, 0.3)
    plain, changed = augmented(Effects(), digits), augmented(Effects(**{field: limit}), digits)
    difference = np.abs(changed - plain).mean((1, 2))
    assert (difference > 1e-3).mean() > 0.5  # an erased square can miss the digit


def test_shifts_are_uniform_over_their_range():
    """The shift is measured by the centre of one bright pixel."""
    images = np.zeros((2000, 15, 15), np.uint8)
    images[:, 7, 7] = 255
    changed = augmented(Effects(shift_px=4.0), images)
    for axis in (1, 2):
        shift = (changed.sum(3 - axis) * np.arange(15)).sum(1) - 7
        assert np.abs(shift).max() <= 4.0001
        assert np.histogram(shift, 4, (-4, 4))[0].tolist() == pytest.approx([500] * 4, abs=90)


def test_elastic_displacements_are_smooth_and_have_the_given_size():
    ramp = np.tile(np.arange(0, 252, 9, dtype=np.uint8), (300, 28, 1))
    inner = (augmented(Effects(elastic_px=0.5), ramp) * 255 / 9 - np.arange(28))[:, 4:-4, 4:-4]
    assert inner.std() == pytest.approx(0.48, abs=0.03)
    assert np.abs(np.diff(inner, axis=2)).max() < 0.5
    assert np.abs(np.diff(inner, axis=1)).max() < 0.5
    assert np.corrcoef(inner[:, 5, 5], inner[:, 5, 6])[0, 1] > 0.95


@pytest.mark.parametrize("field", ["contrast", "gamma"])
def test_brightness_stays_in_range_and_monotonic(field):
    levels = np.tile(np.arange(256, dtype=np.uint8), (40, 1))[:, None]
    changed = augmented(Effects(**{field: 0.7}), levels)[:, 0]
    assert changed.min() >= 0
    assert changed.max() <= 1.000001
    assert (np.diff(changed, axis=1) >= -1e-6).all()
    middle = changed[:, 51] - 0.2
    assert middle.min() < -0.05
    assert middle.max() > 0.05


def test_noise_is_normal_and_independent_for_each_pixel():
    noise = augmented(Effects(noise=0.2), np.full((100, 28, 28), 128, np.uint8)) - 128 / 255
    assert noise.mean() == pytest.approx(0, abs=0.003)
    assert noise.std() == pytest.approx(0.2, rel=0.01)
    assert (np.abs(noise) > 0.4).mean() == pytest.approx(0.0455, abs=0.004)
    flat = noise.reshape(100, -1)
    for one, other in ((flat[:, :-1], flat[:, 1:]), (flat[:, :392], flat[:, 392:]), (flat[:-1], flat[1:])):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] == pytest.approx(0, abs=0.015)


def test_erased_squares_have_every_size_and_position():
    white = np.full((1000, 9, 11), 255, np.uint8)
    erased = augmented(Effects(erase_px=4), white) == 0
    sides = np.sqrt(erased.sum((1, 2)))
    assert np.bincount(sides.astype(int)).tolist() == pytest.approx([200] * 5, abs=60)
    assert np.array_equal(sides, erased.any(1).sum(1))
    assert np.array_equal(sides, erased.any(2).sum(1))
    assert erased.any(0).all()
    assert (augmented(Effects(erase_px=100), white[:50]) == 0).sum() > 0


def test_augmented_image_does_not_depend_on_its_place_in_a_batch(digits):
    everything = Effects(2.0, 15.0, 0.1, 10.0, 0.7, 0.2, 0.2, 0.1, 5)
    rows = np.random.default_rng(0).permutation(200)
    whole = augmented(everything, digits, rows)
    for start, count in ((0, 1), (3, 50), (100, 17), (199, 1)):
        part = augmented(everything, digits, rows, start=start, count=count)
        assert part.tobytes() == whole[start : start + count].tobytes()
    assert augmented(everything, digits)[rows].tobytes() == whole.tobytes()


@pytest.mark.parametrize("other", [{"seed": 2}, {"seed": 1 + 2**40}, {"epoch": 2}])
def test_augmentation_depends_on_seed_and_epoch(other, digits):
    effects = Effects(shift_px=2.0, elastic_px=0.5)
    one, two = augmented(effects, digits), augmented(effects, digits, **other)
    assert (np.abs(one - two).mean((1, 2)) > 1e-3).all()
