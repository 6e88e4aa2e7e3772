import numpy as np
import pytest

from fastdigits.data.preprocessing import UNPREPARED, Preparation
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
    ],
)
def test_values_out_of_range(name, value):
    with pytest.raises(UserError, match=f"setting {name} cannot be"):
        Preparation(**{name: value})
