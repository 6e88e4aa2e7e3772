"""Download data sets, and verify their checksums before writing them."""

import hashlib
import shutil
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from http.client import HTTPException
from itertools import chain
from pathlib import Path

from fastdigits.data.named import SETS, RemoteFile, folder_of_set
from fastdigits.data.sources import MIRRORS, SHA256, verify
from fastdigits.errors import UserError
from fastdigits.files import StrPath, make_folder, replaced, write_atomically

ATTEMPTS = 3  # rounds over all mirrors
PAUSE_S = 0.5  # before the second round; twice as long before the third
TIMEOUT_S = 10
MAX_BYTES = 16 << 20  # read no more than this; the largest file of MNIST has 10 MB
MAX_MEMBER = 512 << 20  # of a file in an archive
CHUNK_BYTES = 1 << 20
REMEMBERED = "SHA256SUMS"  # in the folder of a set: checksums of files for which the publishers state none


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
    make_folder(folder)
    for name, state in verify(folder):
        if state == "ok":
            report(f"{name}: already there")
            continue
        if state != "missing":
            raise UserError(f"{folder / name} is not the original MNIST file; move it away or choose another folder.")
        _fetch(folder, RemoteFile(name, SHA256[name], max_bytes=MAX_BYTES), mirrors, report)
        report(f"{name}: written")


def download_set(
    name: str,
    folder: StrPath | None = None,
    mirrors: Sequence[str] | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Download the files of a named set that are missing, and return their folder.

    Parameters
    ----------
    name : str
        A key of `named.SETS`.
    folder : path, optional
        By default the one in which `load_digits` looks for the set.
    mirrors, report
        See `download`; those of the set by default.

    Raises
    ------
    UserError
        If no mirror provides a file with the right checksum, or the folder cannot be written.
    """
    chosen = SETS[name]
    folder = Path(folder or folder_of_set(name))
    make_folder(folder)
    for file in chosen.files:
        kept = [Path(member).name for member in file.members] or [file.name]
        if all((folder / one).is_file() for one in kept):
            report(f"{file.name}: already there")
            continue
        digest = _fetch(folder, file, mirrors or chosen.mirrors, report)
        if file.members:
            _unpack(folder, file)
        if file.sha256 is None and file.name not in _remembered(folder):
            _remember(folder, file.name, digest)
            report(f"{file.name}: sha256 {digest}; its publishers state none, so it is remembered in {REMEMBERED}")
        report(f"{file.name}: written")
    return folder


class _Failed(Exception):
    """A mirror does not provide a file."""


def _fetch(folder: Path, file: RemoteFile, mirrors: Sequence[str], report: Callable[[str], None]) -> str:
    """Download a file to a folder and return its sha256."""
    failures = {}
    for attempt in range(ATTEMPTS):
        time.sleep(PAUSE_S * attempt)
        for mirror in mirrors:
            report(f"{file.name}: fetching from {mirror}")
            try:
                return _get(mirror + file.name, folder, file)
            except _Failed as error:
                failures[mirror] = str(error)
                report(f"{file.name}: failed ({error})")
    reasons = ", ".join(f"{mirror}: {reason}" for mirror, reason in failures.items())
    raise UserError(f"Could not download {file.name} ({reasons}); check the connection and try again.")


def _get(address: str, folder: Path, file: RemoteFile) -> str:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    contents = _contents(address, file.max_bytes)
    first = next(contents, b"")  # before a file is created
    with replaced(folder / file.name) as target:
        for content in chain([first], contents):
            target.write(content)
            sha256.update(content)
            md5.update(content)
        _check(folder, file, sha256.hexdigest(), md5.hexdigest())
    return sha256.hexdigest()


def _contents(address: str, max_bytes: int) -> Iterator[bytes]:
    """Yield what an address provides, at most `max_bytes`."""
    size = 0
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as response:
            while (content := response.read(CHUNK_BYTES)) and size < max_bytes:
                size += len(content)
                yield content
    except (OSError, HTTPException) as error:
        raise _Failed(str(getattr(error, "reason", error))) from error


def _check(folder: Path, file: RemoteFile, sha256: str, md5: str) -> None:
    """Raise _Failed if a checksum is not that which the publishers state, or that of an earlier download."""
    expected = file.sha256 or _remembered(folder).get(file.name, sha256)
    if sha256 != expected or file.md5 not in (None, md5):
        raise _Failed("wrong checksum")


def _remember(folder: Path, name: str, digest: str) -> None:
    lines = {**_remembered(folder), name: digest}
    content = "".join(f"{digest}  {name}\n" for name, digest in lines.items())
    write_atomically(folder / REMEMBERED, content.encode())


def _remembered(folder: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        lines = (folder / REMEMBERED).read_text("utf8").splitlines()
        return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    return {}


def _unpack(folder: Path, file: RemoteFile) -> None:
    """Write the wanted files of an archive into its folder, and remove the archive."""
    archive = folder / file.name
    try:
        with zipfile.ZipFile(archive) as packed:
            for member in file.members:
                if packed.getinfo(member).file_size > MAX_MEMBER:
                    raise UserError(f"{member} of {archive} is larger than it can be; download it again.")
                with packed.open(member) as source, replaced(folder / Path(member).name) as target:
                    shutil.copyfileobj(source, target, CHUNK_BYTES)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise UserError(f"{archive} is no archive with the files of the set; try again later.") from error
    finally:
        archive.unlink()
