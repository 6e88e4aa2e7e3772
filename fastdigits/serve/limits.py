"""The limits on requests, and the error for requests that cannot be answered."""

from dataclasses import dataclass

from fastdigits.imaging import MAX_BYTES, MAX_DECODER_BYTES, MAX_PIXELS

MAX_JSON_BYTES = 2**18  # ample for 784 numbers; parsing JSON blocks the event loop, and so all other requests
MAX_QUOTED = 80  # characters of a request in a message


@dataclass(frozen=True)
class Limits:
    """The limits of one server.

    Attributes
    ----------
    body_bytes : int
        Maximum length of the body of a request; JSON has a lower limit, MAX_JSON_BYTES.
    picture_pixels : int
        Maximum number of pixels of a picture.
    seconds : float
        Time limit for receiving a request, and again for answering it.
    requests : int
        Maximum number of requests in progress.
    buffered_bytes : int
        Maximum total length of the bodies of all requests in progress.
    decoder_bytes : int
        Maximum memory for decoding the pictures of all requests in progress; further pictures wait.
    """

    body_bytes: int = min(20 * 2**20, MAX_BYTES)
    picture_pixels: int = min(25_000_000, MAX_PIXELS)
    seconds: float = 10.0
    requests: int = 256
    buffered_bytes: int = 256 * 2**20
    decoder_bytes: int = 2 * MAX_DECODER_BYTES


@dataclass
class BufferedBytes:
    """The total length of the bodies of all requests in progress."""

    total: int = 0


class RequestError(Exception):
    """A request that cannot be answered: the HTTP status, and a sentence that says what is wrong."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status, self.message = status, message


def shortened(text: str) -> str:
    """Return text of a request for a message, without its end if it is long."""
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."
