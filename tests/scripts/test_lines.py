"""Test the synthetic pictures of numbers."""

import importlib
import re

import numpy as np
import pytest

from fastdigits.data import load_part


@pytest.fixture(scope="module")
def digits():
    images, labels = load_part("mnist", "train")
    return images[:200], labels[:200]


@pytest.fixture(scope="module")
def lines(scripts):
    return {name: importlib.import_module(f"lines.{name}") for name in ("text", "writer", "picture")}


def test_numbers_have_digits_separators_and_final_strokes(lines):
    number, transcription = lines["text"].number, lines["text"].transcription
    texts = [number(np.random.default_rng(seed)) for seed in range(500)]
    for text in texts:
        assert re.fullmatch(r"-?\d+([., ]\d{3})*([.,]\d\d)?([.,]?[-=]|\.)?", text), text
    found = set("".join(map(transcription, texts)))
    assert found == set(lines["text"].SYMBOLS)


def test_digits_are_grouped_by_thousands(lines):
    assert [lines["text"]._grouped(digits, ".") for digits in ("1", "123", "1234", "1234567")] == [
        "1",
        "123",
        "1.234",
        "1.234.567",
    ]


def test_a_picture_depends_on_its_seed_alone(lines, digits):
    first, second, other = (lines["picture"].picture(np.random.default_rng(seed), *digits) for seed in (3, 3, 4))
    assert np.array_equal(first[0], second[0])
    assert first[1] == second[1]
    assert first[1] != other[1]


def test_longer_numbers_make_wider_lines(lines, digits):
    def mean_width(text):
        write = lines["writer"].write
        return np.mean(
            [np.ptp(np.flatnonzero(write(np.random.default_rng(k), text, *digits).max(0))) for k in range(9)]
        )

    assert mean_width("1111") < mean_width("8888") < mean_width("88888888")


def test_every_symbol_leaves_ink(lines, digits):
    for symbol in lines["text"].SYMBOLS + "=":
        ink = lines["writer"].write(np.random.default_rng(0), symbol, *digits)
        assert ink.max() == 1
        assert 0 < (ink > 0.5).mean() < 0.3


def test_framed_images_keep_their_gray_levels_sizes_and_places(lines):
    def rows(first, last):
        image = np.zeros((1, 28, 28), np.uint8)
        image[0, first:last, 8:20] = 200
        written = lines["writer"].write(np.random.default_rng(0), "7", image, np.array([7]), from_images=1, framed=1)
        assert written.max() == pytest.approx(200 / 255)
        return np.flatnonzero((written > 0.4).any(1))

    high, low = rows(4, 24), rows(10, 18)
    row = lines["writer"].HEIGHT / 20
    assert len(high) == pytest.approx(20 * row, abs=2)
    assert len(low) == pytest.approx(8 * row, abs=2)
    assert low[0] - high[0] == pytest.approx(6 * row, abs=2)
