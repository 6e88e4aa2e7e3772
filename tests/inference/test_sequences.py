"""Find texts in the scores of a network at a row of time steps."""

from itertools import groupby, product

import numpy as np
import pytest

from fastdigits.errors import UserError
from fastdigits.inference.sequences import Restriction, align, beam_search, best_path, count_digits, required_steps

SYMBOLS = "01."


def random_log_p(steps, seed, symbols=SYMBOLS):
    scores = 2 * np.random.default_rng(seed).normal(size=(steps, len(symbols) + 1))
    return scores - np.log(np.exp(scores).sum(1, keepdims=True))


def all_texts(log_p):
    """Return the probability of every text, summed over all paths one by one."""
    texts = {}
    for path in product(range(len(SYMBOLS) + 1), repeat=len(log_p)):
        text = "".join(SYMBOLS[k] for k, _ in groupby(path) if k < len(SYMBOLS))
        texts[text] = texts.get(text, 0) + np.exp(sum(row[k] for row, k in zip(log_p, path, strict=True)))
    return texts


@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_every_text_and_its_probability(seed):
    log_p = random_log_p(5, seed)
    expected = all_texts(log_p)
    found = beam_search(log_p, SYMBOLS, width=10_000)
    assert {reading.text for reading in found} == set(expected)
    for text, log_probability in found:
        assert np.exp(log_probability) == pytest.approx(expected[text])
    assert [reading.text for reading in found] == sorted(expected, key=lambda text: (-expected[text], text))


def test_a_narrow_beam_finds_the_most_probable_text():
    for seed in range(20):
        expected = all_texts(random_log_p(5, seed))
        [first, *_] = beam_search(random_log_p(5, seed), SYMBOLS, width=8)
        assert first.text == max(expected, key=expected.get)


def test_the_best_text_need_not_be_that_of_the_best_path():
    """The path of two blanks has probability 0.36, the three paths of "0" 0.64 (Graves 2012, figure 7.6)."""
    log_p = np.log([[0.4, 0.6], [0.4, 0.6]])
    assert best_path(log_p, "0") == ""
    [first, second] = beam_search(log_p, "0")
    assert (first.text, second.text) == ("0", "")
    assert np.exp(first.log_probability) == pytest.approx(0.64)


def test_repetitions_need_a_blank_between_them():
    log_p = np.log(np.full((4, 4), 0.01) + 0.96 * np.eye(4)[[1, 1, 3, 1]])
    assert best_path(log_p, SYMBOLS) == "11"
    assert beam_search(log_p, SYMBOLS)[0].text == "11"


@pytest.mark.parametrize(
    "restriction", [Restriction(digits=2), Restriction(digits=3), Restriction(pattern="d.d"), Restriction(pattern="dd")]
)
def test_a_restriction_finds_the_most_probable_of_the_texts_it_allows(restriction):
    for seed in range(10):
        expected = all_texts(random_log_p(5, seed))
        allowed = [text for text in expected if fits(text, restriction)]
        found = beam_search(random_log_p(5, seed), SYMBOLS, restriction, width=10_000)
        assert {reading.text for reading in found} == set(allowed)
        assert found[0].text == max(allowed, key=expected.get)


def fits(text, restriction):
    if restriction.pattern:
        return "".join("d" if symbol in "01" else symbol for symbol in text) == restriction.pattern
    return count_digits(text) == restriction.digits


def test_a_restriction_steers_a_narrow_beam():
    """Two digits are nearly certain, but three were asked for."""
    log_p = np.log(np.full((6, 4), 0.001) + 0.996 * np.eye(4)[[0, 3, 1, 1, 3, 3]])
    assert beam_search(log_p, SYMBOLS, width=2)[0].text == "01"
    [first, *_] = beam_search(log_p, SYMBOLS, Restriction(digits=3), width=2)
    assert count_digits(first.text) == 3


def test_nothing_is_found_if_the_steps_are_too_few():
    assert beam_search(random_log_p(2, 0), SYMBOLS, Restriction(digits=3)) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"digits": 0}, "cannot have 0 digits"),
        ({"pattern": "dxd"}, "must consist of d"),
        ({"pattern": "..."}, "must consist of d"),
        ({"pattern": "dd", "digits": 3}, "has 2 digits, not 3"),
    ],
)
def test_bad_restrictions_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        Restriction(**settings)


def test_symbols_are_aligned_with_their_steps():
    log_p = np.log(np.full((7, 4), 0.01) + 0.96 * np.eye(4)[[3, 1, 1, 3, 1, 2, 3]])
    assert align(log_p, "11.", SYMBOLS) == [("1", 1, 2), ("1", 4, 4), (".", 5, 5)]
    assert align(log_p, "", SYMBOLS) == []


def test_equal_symbols_need_a_step_between_them():
    assert [required_steps(text) for text in ("", "1", "12", "11", "112.11")] == [0, 1, 2, 3, 8]


def test_very_improbable_steps_are_searched_all_the_same():
    """One step forbids all but a probability of e^-1000; the log-probability is bounded there."""
    log_p = np.full((3, 4), -1000.0)
    log_p[:, 3] = log_p[1, 0] = 0
    log_p[2] = -1000
    [reading, *_] = beam_search(log_p, SYMBOLS)
    assert reading.text in ("", "0")
    assert reading.log_probability == pytest.approx(-80, abs=1)


def test_equal_symbols_are_not_aligned_next_to_each_other():
    """The best path of "11" in three equal steps needs a blank in the middle."""
    log_p = np.log(np.full((3, 4), 0.25))
    assert align(log_p, "11", SYMBOLS) == [("1", 0, 0), ("1", 2, 2)]
