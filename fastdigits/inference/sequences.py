"""Find the most probable sequence of symbols in the output of a network trained with the loss of `ops.ctc`.

The network gives the log-probability of each symbol, and of the blank as the last class, at each time step. A path
chooses one class per step; it gives the text that remains without repetitions and blanks.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from fastdigits.errors import UserError

DIGITS = "0123456789"
BEAM_WIDTH = 16
MIN_PROBABILITY = 6e-6  # of a class at one step; paths through less probable ones are not followed
LEAST = -80.0  # log-probabilities below it count as this much


@dataclass(frozen=True)
class Restriction:
    """Which texts may be found.

    Parameters
    ----------
    digits : int, optional
        Exact number of digits; separators and signs do not count.
    pattern : str, optional
        The text with "d" for each digit, such as "d.ddd,dd".

    Raises
    ------
    UserError
        If `digits` is below 1, or the pattern has another character than "d", ".", "," and "-", or no "d".
    """

    digits: int | None = None
    pattern: str | None = None

    def __post_init__(self) -> None:
        if self.digits is not None and self.digits < 1:
            raise UserError(f"A number cannot have {self.digits} digits; give at least 1.")
        if self.pattern is not None and ("d" not in self.pattern or set(self.pattern) - set("d.,-")):
            raise UserError(f"The pattern '{self.pattern}' must consist of d for each digit, '.', ',' and '-'.")
        if self.pattern and self.digits not in (None, self.pattern.count("d")):
            raise UserError(f"The pattern '{self.pattern}' has {self.pattern.count('d')} digits, not {self.digits}.")

    def allows(self, text: str, symbol: str) -> bool:
        """Return whether a symbol may follow the beginning of a text."""
        if self.pattern is not None:
            wanted = self.pattern[len(text) : len(text) + 1]
            return symbol in DIGITS if wanted == "d" else symbol == wanted
        return self.digits is None or symbol not in DIGITS or count_digits(text) < self.digits

    def missing(self, text: str) -> int:
        """Return the number of symbols without which the text is not complete."""
        if self.pattern is not None:
            return len(self.pattern) - len(text)
        return 0 if self.digits is None else self.digits - count_digits(text)


class Reading(NamedTuple):
    """A text and the log of its probability."""

    text: str
    log_probability: float


def count_digits(text: str) -> int:
    """Return the number of digits in a text."""
    return sum(symbol in DIGITS for symbol in text)


def best_path(log_p: np.ndarray, symbols: str) -> str:
    """Return the text of the most probable path.

    Parameters
    ----------
    log_p : float (T, K)
    symbols : str
        The K - 1 symbols before the blank.
    """
    classes = log_p.argmax(1)
    changes = np.append(True, classes[1:] != classes[:-1])
    return "".join(symbols[k] for k in classes[changes] if k < len(symbols))


def beam_search(
    log_p: np.ndarray, symbols: str, restriction: Restriction | None = None, width: int = BEAM_WIDTH
) -> list[Reading]:
    """Find the most probable texts by prefix beam search, the most probable first.

    Each step extends the `width` most probable beginnings of a text. The probability of a beginning is the sum over
    the paths that give it.

    Parameters
    ----------
    log_p : float (T, K)
    symbols : str
        The K - 1 symbols before the blank.
    restriction : Restriction, optional
        Only these texts are followed. The result is empty if none of them fits into T steps.
    width : int

    References
    ----------
    Graves (2012), Supervised sequence labelling with recurrent neural networks, section 7.5;
    Hannun et al. (2014), First-pass large vocabulary continuous speech recognition using bi-directional recurrent DNNs.
    """
    restriction = restriction or Restriction()
    beams, scale = (
        {"": (1.0, 0.0)},
        0.0,
    )  # probability of the paths that end in a blank, and in the last symbol, / e^scale
    for t, row in enumerate(np.exp(np.maximum(log_p, LEAST)).tolist()):
        steps_left = len(log_p) - t - 1
        following: dict[str, tuple[float, float]] = {}
        for text, blank, symbol in _extensions(beams, row, symbols, restriction):
            if restriction.missing(text) <= steps_left:
                old_blank, old_symbol = following.get(text, (0.0, 0.0))
                following[text] = old_blank + blank, old_symbol + symbol
        best = sorted(following, key=lambda text: (-sum(following[text]), text))[:width]
        if not best:
            return []
        highest = sum(following[best[0]])
        beams = {text: (following[text][0] / highest, following[text][1] / highest) for text in best}
        scale += math.log(highest)
    totals = {text: sum(beams[text]) for text in beams if restriction.missing(text) <= 0}
    return [Reading(text, scale + math.log(total)) for text, total in totals.items() if total > 0]


def _extensions(
    beams: dict[str, tuple[float, float]], row: list[float], symbols: str, restriction: Restriction
) -> Iterator[tuple[str, float, float]]:
    """Yield each text that one more step can give, with what it adds to the paths ending in a blank and in a symbol."""
    to_blank = row[-1]
    probable = [(symbol, p) for symbol, p in zip(symbols, row, strict=False) if p > MIN_PROBABILITY]
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    for text, (blank, symbol) in beams.items():
        both, last = blank + symbol, text[-1:]
        yield text, both * to_blank, symbol * row[numbers[last]] if last else 0.0
        for next_symbol, p in probable:
            if restriction.allows(text, next_symbol):
                before = blank if next_symbol == last else both  # a repeated symbol needs a blank before it
                if before > 0:
                    yield text + next_symbol, 0.0, before * p


def required_steps(text: str) -> int:
    """Return the smallest number of time steps for a text: equal symbols need a blank between them."""
    return len(text) + sum(a == b for a, b in pairwise(text))


def align(log_p: np.ndarray, text: str, symbols: str) -> list[tuple[str, int, int]]:
    """Return each symbol of a text with the first and last time step at which the most probable path is in it.

    Parameters
    ----------
    log_p : float (T, K)
    text : str
        One that fits into T steps.
    symbols : str
        The K - 1 symbols before the blank.
    """
    states = np.full(2 * len(text) + 1, len(symbols))
    states[1::2] = [symbols.index(symbol) for symbol in text]
    may_skip = np.zeros(len(states), bool)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    best, came = np.full(len(states), -np.inf), np.zeros((len(log_p), len(states)), int)
    best[:2] = log_p[0, states[:2]]
    for t in range(1, len(log_p)):
        padded = np.concatenate([[-np.inf, -np.inf], best])
        choices = np.stack([padded[2:], padded[1:-1], np.where(may_skip, padded[:-2], -np.inf)])
        came[t] = choices.argmax(0)
        best = choices.max(0) + log_p[t, states]
    path = [len(states) - 1 if len(states) == 1 or best[-1] >= best[-2] else len(states) - 2]
    for t in range(len(log_p) - 1, 0, -1):
        path.append(path[-1] - came[t, path[-1]])
    visited = [np.flatnonzero(np.array(path[::-1]) == 2 * number + 1) for number in range(len(text))]
    return [(symbol, int(steps[0]), int(steps[-1])) for symbol, steps in zip(text, visited, strict=True)]
