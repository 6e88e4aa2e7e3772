"""Judge texts by the digits that pieces of a line look like."""

from functools import cache

import numpy as np
import pytest

from fastdigits.imaging.pieces import Pieces
from fastdigits.inference.lattice import DISTRUST, MISSING, POWER, SIGN, SURPLUS, TOLERANCE, Lattice


def lattice(cuts, spans, probabilities):
    first, last = np.array(spans, int).reshape(-1, 2).T
    return Lattice(Pieces(cuts, first, last, np.zeros((len(spans), 28, 28), np.uint8)), np.array(probabilities))


def sure(digit):
    return np.eye(10)[digit]


def log(p):
    return np.log((p + DISTRUST) / (1 + DISTRUST))


def test_a_text_agrees_with_pieces_that_look_like_its_digits():
    line = lattice(3, [(0, 1), (1, 2), (0, 2)], [sure(1), sure(7), sure(0)])
    assert line.agreement("17") == pytest.approx(2 * log(1))
    assert line.agreement("0") == pytest.approx(log(1))
    assert line.agreement("18") == pytest.approx(log(1) + log(0))
    assert line.agreement("1.7") == pytest.approx(2 * log(1) + SIGN)


def test_ink_without_a_digit_is_possible():
    line = lattice(3, [(0, 1), (1, 2)], [sure(1), sure(7)])
    assert line.agreement("1") == line.agreement("7") == pytest.approx(log(1) + SURPLUS)


def test_two_digits_in_one_piece_are_possible():
    line = lattice(2, [(0, 1)], [sure(1)])
    assert line.agreement("11") == pytest.approx(log(1) + MISSING)


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_best_way_to_cut_the_line(seed):
    rng = np.random.default_rng(seed)
    cuts = int(rng.integers(2, 6))
    spans = [(i, j) for i in range(cuts) for j in range(i + 1, cuts) if rng.random() < 0.7]
    probabilities = rng.dirichlet(np.full(10, 0.3), len(spans))
    text = "".join(rng.choice(list("0123456789.-"), rng.integers(0, 5)))

    @cache
    def best(cut, rest):
        if cut == cuts - 1 and not rest:
            return 0.0
        ways = [SURPLUS + best(cut + 1, rest)] if cut < cuts - 1 else []
        if rest:
            digit = rest[0].isdigit()
            ways.append((MISSING if digit else SIGN) + best(cut, rest[1:]))
            for (first, last), p in zip(spans, probabilities, strict=True):
                if first == cut:
                    ways.append((log(p[int(rest[0])]) if digit else SIGN) + best(last, rest[1:]))
        return max(ways)

    assert lattice(cuts, spans, probabilities.reshape(-1, 10)).agreement(text) == pytest.approx(best(0, text))


def test_a_line_without_pieces_tells_nothing_of_equally_long_texts():
    line = lattice(0, [], np.empty((0, 10)))
    assert line.agreement("12") == line.agreement("34") == pytest.approx(2 * MISSING)


def test_only_texts_that_agree_with_all_pieces_are_worth_much_more():
    line = lattice(3, [(0, 1), (1, 2)], [sure(1), sure(7)])
    assert line.support("17") == pytest.approx(TOLERANCE**-POWER)
    assert line.support("17") > 100 * line.support("18")
    assert line.support("28") < line.support("18") < 3 * line.support("28")
