"""Change files at random, their bytes or the values of their JSON, and check how readers take it."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from fastdigits.errors import UserError

LONGEST_MESSAGE = 1000  # characters
STATUS = Path("/proc/self/status")
FORGET_PEAK = Path("/proc/self/clear_refs")
NESTED = json.loads("[" * 400 + "]" * 400)
ODD = [
    *(None, True, False, 0, -1, 1, 0.5, -0.0, 10**30, 10**400, 1e308, -1e308, 1e-320, float("nan"), float("inf")),
    *("", "0", "text", "\ud800", "\x1b[2J", [], {}, [None], [[]], {"": 0}, {"a": 1}, NESTED, "x" * 10_000),
]


def counts(few: int, many: int = 10_000) -> list[Any]:
    """Return how many mutants are tried by default, and how many with -m long, as values for `parametrize`."""
    return [few, pytest.param(many, marks=[pytest.mark.slow, pytest.mark.long])]


def changed_bytes(content: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """Set, flip, repeat, insert, remove or cut off bytes, or go on with the end of another file, one to four times."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at, size = chance.randrange(len(changed) + 1), chance.choice((1, 2, 4, 8, 16))
        change = chance.choice(["set"] * 5 + ["flip"] * 3 + ["repeat", "insert", "remove", "copy", "cut", "splice"])
        if change == "set":
            changed[at : at + 1] = bytes([chance.choice([0, 1, 127, 128, 255, chance.randrange(256)])])
        elif change == "flip" and at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
        elif change == "repeat":
            changed[at:at] = changed[at : at + size]
        elif change == "insert":
            changed[at:at] = chance.randbytes(size)
        elif change == "remove":
            del changed[at : at + size]
        elif change == "copy":
            source = chance.randrange(len(changed) + 1)
            changed[at : at + size] = changed[source : source + size]
        elif change == "cut":
            del changed[at:]
        elif change == "splice":
            other = chance.choice(others)
            changed[at:] = other[chance.randrange(len(other)) :]
    return bytes(changed)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return (container, key) of every value inside a JSON value."""
    found = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += [(value, key), *places(inner)]
    return found


def changed_json(document: Any, chance: random.Random) -> Any:
    """Return a copy in which one to three values are removed, repeated elsewhere, or replaced with an odd one."""
    document = [deepcopy(document)]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        container, key = chance.choice(places(document) or [(document, 0)])
        change = chance.randrange(8)
        if change == 0 and container is not document:
            del container[key]
        elif change == 1:
            _, other = chance.choice([(c, c[k]) for c, k in places(document)])
            container[key] = deepcopy(other)
        else:
            container[key] = chance.choice(ODD)
    return document[0]


def answer(read: Callable[[], Any]) -> Any:
    """Return what a reader returns, or the UserError, which must be one sentence of a length that people read."""
    try:
        return read()
    except UserError as error:
        message = str(error)
        assert message.endswith("."), message
        assert message.isprintable(), message
        assert len(message) < LONGEST_MESSAGE, message
        return error


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    """Assert that the process needs at most `limit` bytes more within the block, where Linux tells the peak."""
    if not FORGET_PEAK.exists():
        yield
        return
    FORGET_PEAK.write_text("5")
    before = _memory("VmRSS")
    yield
    needed = _memory("VmHWM") - before
    assert needed < limit, f"{needed / 2**20:.0f} MiB"


def _memory(field: str) -> int:
    return next(int(line.split()[1]) * 1024 for line in STATUS.read_text().splitlines() if line.startswith(field))
