"""Fetch the four original MNIST files: each is checked before it gets its name."""

import hashlib
import time
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path

from fastdigits.data.sources import MIRRORS, SHA256, verify
from fastdigits.errors import UserError
from fastdigits.files import StrPath, write_atomically

ATTEMPTS = 3  # times that every mirror is tried
PAUSE_S = 0.5  # before every mirror is tried again; it grows each time
TIMEOUT_S = 10
MAX_BYTES = 16 << 20  # the largest file has 10 MB; what is longer fails its checksum


def download(
    folder: StrPath,
    mirrors: Sequence[str] = MIRRORS,
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Download the four MNIST files that are not in a folder yet.

    Parameters
    ----------
    folder : where the files go; made when missing.
    mirrors : addresses to try in turn, each ending in a slash.
    report : called with one line for every step.

    Raises
    ------
    UserError
        When no mirror gives a file of the right sha256, the folder cannot be written to, or it holds a file
        of such a name with other content, which is left alone.
    """
    folder = Path(folder)
    _make(folder)
    for name, state in verify(folder):
        if state == "ok":
            report(f"{name}: already there")
            continue
        if state != "missing":
            raise UserError(f"{folder / name} holds something else than MNIST; move it away or choose another folder.")
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


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot make the folder {folder} ({error.strerror}); choose another one.") from error
