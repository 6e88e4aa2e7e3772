"""Download the four original MNIST files and verify their checksums before writing them."""

import hashlib
import time
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path

from fastdigits.data.sources import MIRRORS, SHA256, verify
from fastdigits.errors import UserError
from fastdigits.files import StrPath, write_atomically

ATTEMPTS = 3  # rounds over all mirrors
PAUSE_S = 0.5  # before the second round; twice as long before the third
TIMEOUT_S = 10
MAX_BYTES = 16 << 20  # read no more than this; the largest file has 10 MB


def download(
    folder: StrPath,
    mirrors: Sequence[str] = MIRRORS,
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Download the MNIST files that are missing in a folder.

    Parameters
    ----------
    folder : path
        Created if missing.
    mirrors : sequence of str
        Base URLs to try in order, each ending with a slash.
    report : function
        Called with a line of text for every step.

    Raises
    ------
    UserError
        If no mirror provides a file with the right sha256, the folder cannot be written, or it contains a file of the
        same name with other content; such a file is not overwritten.
    """
    folder = Path(folder)
    _create(folder)
    for name, state in verify(folder):
        if state == "ok":
            report(f"{name}: already there")
            continue
        if state != "missing":
            raise UserError(f"{folder / name} is not the original MNIST file; move it away or choose another folder.")
        write_atomically(folder / name, _fetch(name, mirrors, report))
        report(f"{name}: written")


def _fetch(name: str, mirrors: Sequence[str], report: Callable[[str], None]) -> bytes:
    failures = {}
    for attempt in range(ATTEMPTS):
        time.sleep(PAUSE_S * attempt)
        for mirror in mirrors:
            report(f"{name}: fetching from {mirror}")
            try:
                return _get(mirror + name, SHA256[name])
            except (OSError, HTTPException) as error:
                failures[mirror] = getattr(error, "reason", error)
                report(f"{name}: failed ({failures[mirror]})")
    reasons = ", ".join(f"{mirror}: {reason}" for mirror, reason in failures.items())
    raise UserError(f"Could not download {name} ({reasons}); check the connection and try again.")


def _get(address: str, digest: str) -> bytes:
    with urllib.request.urlopen(address, timeout=TIMEOUT_S) as response:
        content = response.read(MAX_BYTES)
    if hashlib.sha256(content).hexdigest() != digest:
        raise OSError("wrong checksum")
    return content


def _create(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot create the folder {folder} ({error.strerror}); choose another one.") from error
