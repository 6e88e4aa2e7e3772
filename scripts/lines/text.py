"""Numbers as people write them on forms: amounts, with separators and final strokes, and any digits."""

import numpy as np

Rng = np.random.Generator

SYMBOLS = "0123456789.,-"
AMOUNTS, SIGNED = 0.65, 0.03  # fractions of the numbers on paper
GROUPED = 0.6  # of the amounts of at least four digits: with thousands separators
DECIMALS, ENDED = 0.12, 0.3  # of the amounts: with two decimals, and closed by a stroke, so that nobody adds a digit
MAX_DIGITS = 8


def number(rng: Rng, amounts: float = AMOUNTS) -> str:
    """Return a number: digits with separators ".", "," or " ", a minus sign "-" and final strokes "-" or "=".

    `amounts` is the fraction of amounts; the others are any digits.
    """
    text = _amount(rng) if rng.random() < amounts else _any_digits(rng)
    return f"-{text}" if rng.random() < SIGNED else text


def transcription(text: str) -> str:
    """Return the symbols that a reader is to find: no spaces, and a dash for any final stroke."""
    return text.replace(" ", "").replace("=", "-")


def _amount(rng: Rng) -> str:
    count = int(rng.choice([2, 3, 4, 5, 6, 7], p=[0.06, 0.17, 0.3, 0.32, 0.11, 0.04]))
    digits = _digits(rng, count)
    zeros = min(int(rng.choice([0, 1, 2, 3, 4], p=[0.45, 0.2, 0.17, 0.13, 0.05])), count - 1)
    digits = digits[: count - zeros] + "0" * zeros
    separator = str(rng.choice([".", ",", " "], p=[0.72, 0.16, 0.12])) if rng.random() < GROUPED else ""
    text = _grouped(digits, separator)
    if rng.random() < DECIMALS:
        text += ("," if separator != "," else ".") + str(rng.choice(["00", "50", _digits(rng, 2)]))
    if rng.random() < ENDED:
        text += str(rng.choice(["-", "=", ".", ".-", ",-", ".="], p=[0.25, 0.25, 0.2, 0.14, 0.08, 0.08]))
    return text


def _any_digits(rng: Rng) -> str:
    return "".join(map(str, rng.integers(0, 10, rng.integers(1, MAX_DIGITS + 1))))


def _digits(rng: Rng, count: int) -> str:
    return "".join(map(str, [rng.integers(1, 10), *rng.integers(0, 10, count - 1)]))


def _grouped(digits: str, separator: str) -> str:
    first = len(digits) % 3 or 3
    return separator.join([digits[:first], *(digits[k : k + 3] for k in range(first, len(digits), 3))])
