"""Cut lines of strokes and digits into pieces."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fastdigits.data import load_part
from fastdigits.imaging.mnist_format import to_mnist_format
from fastdigits.imaging.pieces import pieces, seams

SIZE = 60, 40  # columns and rows


def drawn(*strokes, size=SIZE, width=3):
    """Return the strength of ink (H, W) of strokes, each a list of points x, y."""
    picture = Image.new("L", size)
    for stroke in strokes:
        ImageDraw.Draw(picture).line(stroke, 255, width)
    return np.asarray(picture) / 255


def crossed(strength, path):
    """Return the ink under a path, and check that it is one."""
    assert (abs(np.diff(path)) <= 1).all()
    return float(strength[np.arange(len(path)), path].sum())


def test_a_seam_follows_the_gap_between_bent_strokes():
    strength = drawn([(10, 2), (26, 12), (12, 28), (18, 38)], [(24, 2), (40, 12), (26, 28), (32, 38)])
    assert strength.any(0)[10:40].all()  # no straight cut
    found = seams(strength)
    assert len(found) == 3  # before, between and after them
    assert [crossed(strength, path) for path in found] == [0, 0, 0]


def test_a_seam_cuts_strokes_apart_where_they_touch():
    """Two diamonds share the corner at (30, 20)."""
    diamonds = ([(left, 20), (left + 11, 6), (left + 22, 20), (left + 11, 34), (left, 20)] for left in (8, 30))
    strength = drawn(*diamonds)
    nearest = min(seams(strength), key=lambda path: abs(path[20] - 30))
    assert abs(nearest[20] - 30) <= 1
    assert 0 < crossed(strength, nearest) <= 6


@pytest.mark.parametrize("scale", [1, 3])
def test_every_run_of_strokes_is_a_piece(scale):
    strokes = [[(x, 4), (x, 36)] for x in (10, 30, 60)]
    strength = np.kron(drawn(*strokes, size=(80, 40)), np.ones((scale, scale)))
    found = pieces(strength)
    spans = set(zip(found.first.tolist(), found.last.tolist(), strict=True))
    assert found.cuts == 4
    assert spans == {(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)}  # all together are too wide for a digit


def test_a_piece_is_prepared_like_a_digit_alone():
    images, _ = load_part("mnist", "test")
    digits = images[:2] / 255
    found = pieces(np.concatenate([digits[0], np.zeros((28, 4)), digits[1]], 1))
    for digit in digits:
        rows, columns = (np.flatnonzero((digit > 0.5).any(axis)) for axis in (1, 0))
        area = digit[rows[0] - 1 : rows[-1] + 2, columns[0] - 1 : columns[-1] + 2]
        alone = to_mnist_format(area, area > 0.5)
        assert any(np.array_equal(image, alone) for image in found.images)


def test_low_ink_is_no_digit():
    found = pieces(drawn([(10, 4), (10, 36)], [(30, 30), (34, 34)], [(50, 4), (50, 36)]))
    assert found.cuts == 4
    assert (1, 2) not in set(zip(found.first.tolist(), found.last.tolist(), strict=True))


def test_a_line_without_ink_has_no_pieces():
    found = pieces(np.zeros((40, 60)))
    assert (found.cuts, found.images.shape) == (0, (0, 28, 28))
