import numpy as np
import pytest

from fastdigits.data import load_part
from fastdigits.data.preprocessing import (
    UNPREPARED,
    Normalisation,
    Preparation,
    dark_ink_fraction,
    polarity_note,
    polarity_warning,
)
from fastdigits.errors import UserError

LEVELS = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)


def test_the_default_preparation_leaves_images_unchanged():
    assert UNPREPARED.apply(LEVELS) is LEVELS
    assert UNPREPARED.input_shape(LEVELS) == (1, 16, 16)


def test_pad_adds_zeros_on_every_side():
    padded = Preparation(pad=3).apply(LEVELS[:, :5])
    assert padded.shape == (1, 11, 22)
    assert Preparation(pad=3).input_shape(LEVELS[:, :5]) == (1, 11, 22)
    assert np.array_equal(padded[:, 3:-3, 3:-3], LEVELS[:, :5])
    assert padded.sum() == LEVELS[:, :5].sum()


@pytest.mark.parametrize(
    ("preparation", "formula"),
    [
        (Preparation(contrast=4.0), lambda g: np.clip((g - 0.5) * 4 + 0.5, 0, 1)),
        (Preparation(contrast=0.5), lambda g: g / 2 + 0.25),
        (Preparation(gamma=0.7), lambda g: g**0.7),
        (Preparation(contrast=4.0, gamma=0.7), lambda g: np.clip((g - 0.5) * 4 + 0.5, 0, 1) ** 0.7),
        (Preparation(binarize=0.5), lambda g: g > 0.5),
        (Preparation(gamma=2.0, binarize=0.25), lambda g: g**2 > 0.25),
        (Preparation(binarize=0.0), lambda g: g > 0),
    ],
)
def test_pixels_follow_the_formula_to_half_a_level(preparation, formula):
    exact = 255 * formula(LEVELS / 255)
    assert np.abs(preparation.apply(LEVELS) - exact).max() <= 0.5 + 1e-9


def test_padding_has_the_level_of_the_background():
    padded = Preparation(pad=1, contrast=0.5).apply(np.zeros((1, 2, 2), np.uint8))
    assert (padded == 64).all()


@pytest.mark.parametrize("settings", [{}, {"pad": 2}, {"contrast": 0.5, "gamma": 0.7}, {"pad": 1, "binarize": 0.4}])
def test_inverted_images_are_prepared_like_the_others(settings):
    prepared = Preparation(**settings, invert=True).apply(255 - LEVELS)
    assert np.array_equal(prepared, Preparation(**settings).apply(LEVELS))


@pytest.fixture(scope="module")
def mnist():
    return load_part("mnist", "train")


# Images that leave less and less room around the digit; in the last, digits are cut off
@pytest.mark.parametrize("edge", [0, 4, 5])
def test_polarity_follows_the_training_images(mnist, edge):
    images = mnist[0][:, edge : 28 - edge, edge : 28 - edge]
    assert not UNPREPARED.following(images).invert
    assert UNPREPARED.following(255 - images).invert
    assert polarity_note(images) == ""
    assert "dark ink on a light background" in polarity_note(255 - images)


def test_polarity_can_be_given(mnist):
    images = mnist[0][:100]
    assert UNPREPARED.following(images, ink="dark").invert
    assert not UNPREPARED.following(255 - images, ink="light").invert
    assert not UNPREPARED.following(images, ink="light").invert


@pytest.mark.parametrize("background", [0, 60])
def test_polarity_of_each_digit_and_of_weak_ink(mnist, background):
    images, labels = mnist
    for digit in range(10):
        weak = (background + 0.3 * images[labels == digit][:50]).astype(np.uint8)
        assert dark_ink_fraction(weak) == 0
        assert dark_ink_fraction(255 - weak) == 1


def test_polarity_is_taken_from_the_given_rows(mnist):
    images = mnist[0][:100].copy()
    images[40:] = 255 - images[40:]
    assert UNPREPARED.following(images, np.arange(40, 100)).invert
    assert not UNPREPARED.following(images, np.arange(40)).invert
    assert "60% of the images have dark ink" in polarity_note(images)


def test_other_polarity_than_in_training_is_noticed(mnist):
    images = mnist[0]
    light, dark = Normalisation(0.13, 0.31), Normalisation(0.13, 0.31, Preparation(invert=True))
    of_dark_before_inversion = Normalisation(0.87, 0.31)
    assert polarity_warning(images, light) == polarity_warning(255 - images, dark) == ""
    assert "have dark ink, but the network was trained on light ink" in polarity_warning(255 - images, light)
    assert "have light ink, but the network was trained on dark ink" in polarity_warning(images, dark)
    assert polarity_warning(255 - images, of_dark_before_inversion) == ""
    assert polarity_warning(np.full((7, 28, 28), 200, np.uint8), dark) == ""


@pytest.mark.parametrize("level", [0, 200, 255])
def test_images_without_ink_count_as_light_ink(level):
    blank = np.full((7, 28, 28), level, np.uint8)
    assert not UNPREPARED.following(blank).invert
    assert polarity_note(blank) == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pad", -1),
        ("pad", 65),
        ("pad", 1.0),
        ("contrast", 0.0),
        ("contrast", float("inf")),
        ("gamma", 0.0),
        ("gamma", float("nan")),
        ("binarize", 1.0),
        ("binarize", -0.1),
        ("invert", 1),
    ],
)
def test_values_out_of_range(name, value):
    with pytest.raises(UserError, match=f"setting {name} cannot be"):
        Preparation(**{name: value})
