"""Read untrusted JSON: every number is checked before it is used."""

import json
from math import isfinite
from typing import Any

# What reading a document with missing or unexpected parts may raise
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
MAX_NUMBER = 1e18  # no time, rate or count is larger, and sums of such numbers stay finite


def parse(content: str | bytes) -> Any:
    """Return the value of a JSON document; raise ValueError or RecursionError if it is not JSON or holds NaN."""
    return json.loads(content, parse_float=_finite, parse_constant=_finite)


def check_number(value: Any, least: float = -MAX_NUMBER, most: float = MAX_NUMBER, optional: bool = False) -> None:
    """Raise ValueError unless a value is a number in a range, or None if that is allowed."""
    if value is None and optional:
        return
    if type(value) not in (int, float) or not least <= value <= most:
        raise ValueError(f"{value!r:.50} is not a number from {least} to {most}")


def _finite(number: str) -> float:
    """Return a number of JSON text; raise ValueError if it is NaN, infinite or too large for a float."""
    if not isfinite(value := float(number)):
        raise ValueError(f"{number[:20]} is not a finite number")
    return value
