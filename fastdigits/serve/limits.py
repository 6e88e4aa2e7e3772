"""Limits on what requests may use, and the error of a request that exceeds them."""

from dataclasses import dataclass

from fastdigits.imaging import MAX_BYTES, MAX_PIXELS

MAX_JSON_BYTES = 2**18  # ample for 784 numbers; parsing blocks the event loop, and with it every other request


@dataclass(frozen=True)
class Limits:
    """Limits of one server.

    Attributes
    ----------
    body_bytes : int
        Length of a request's body; JSON has a lower limit, MAX_JSON_BYTES.
    picture_pixels : int
        Pixels of a picture.
    seconds : float
        Time for a request to arrive, and the same again to answer it.
    requests : int
        Requests in progress.
    buffered_bytes : int
        Length of the bodies of all requests in progress.
    """

    body_bytes: int = min(20 * 2**20, MAX_BYTES)
    picture_pixels: int = min(25_000_000, MAX_PIXELS)
    seconds: float = 10.0
    requests: int = 256
    buffered_bytes: int = 256 * 2**20


@dataclass
class BufferedBytes:
    """Count the bytes of the bodies of all requests in progress."""

    total: int = 0


class RequestError(Exception):
    """A request that cannot be answered: the HTTP status, and a sentence that says what is wrong."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status, self.message = status, message
