"""How much a request may ask for, and how a request that asks for more is refused."""

from dataclasses import dataclass

from fastdigits.imaging import MAX_BYTES, MAX_PIXELS

MAX_JSON_BYTES = 2**18  # far beyond 784 numbers; more would hold up everybody else while it is parsed


@dataclass(frozen=True)
class Limits:
    """What one request may ask for, and how many there may be at a time.

    `seconds` holds for the arrival of a request and then, anew, for its answer.
    """

    body_bytes: int = min(20 * 2**20, MAX_BYTES)
    picture_pixels: int = min(25_000_000, MAX_PIXELS)
    seconds: float = 10.0
    requests: int = 256
    held_bytes: int = 256 * 2**20  # by the bodies of all requests together


@dataclass
class Held:
    """How many bytes the bodies of all requests have at the moment."""

    total: int = 0


class Refused(Exception):
    """A request that gets no answer: the HTTP status and a sentence that says why."""

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status, self.sentence = status, sentence
