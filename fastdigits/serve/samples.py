"""The corrected images of a server, in memory and in a file."""

import os
import threading
from pathlib import Path
from time import time

import numpy as np

from fastdigits.errors import UserError
from fastdigits.files import StrPath, claim
from fastdigits.serve.limits import RequestError
from fastdigits.storage import corrections
from fastdigits.storage.corrections import Corrections

MAX_SAMPLES = 2000  # 1.6 MB, which every change writes again


class Samples:
    """Corrected images that are written to a file with every change. Any thread may use them.

    Parameters
    ----------
    path : path
        It is created if it does not exist, and locked, so that no other server uses it.

    Raises
    ------
    UserError
        If the file cannot be read or written, holds anything else, or another server uses it.
    """

    def __init__(self, path: StrPath):
        self.path, self._lock, self._process = Path(path), threading.Lock(), os.getpid()
        self._claim: int | None = None
        if not self.path.exists():
            corrections.write(path, Corrections.none())
        self._claim_file()
        self.current = corrections.read(path)

    def add(self, images: np.ndarray, labels: np.ndarray, predictions: np.ndarray) -> list[int]:
        """Add corrected images and return their ids; see `Corrections` for the parameters."""
        with self._lock:
            if len(self.current) + len(labels) > MAX_SAMPLES:
                raise RequestError(
                    409, f"There are {len(self.current)} of {MAX_SAMPLES} corrections; delete some first."
                )
            self._write(self.current.added(images, labels, predictions, time()))
            return self.current.ids[-len(labels) :]

    def remove(self, identity: int) -> None:
        """Remove the image with an id."""
        with self._lock:
            kept = np.array([one != identity for one in self.current.ids], bool)
            if kept.all():
                raise RequestError(404, f"There is no correction {identity}; see GET /corrections.")
            self._write(self.current.only(kept))

    def clear(self) -> None:
        """Remove all images."""
        with self._lock:
            self._write(Corrections.none())

    def check_process(self) -> None:
        """Refuse requests in a forked process, whose changes other processes would overwrite."""
        if self._process != os.getpid():
            raise RequestError(503, "Corrections need a server of a single process; start it with one worker.")

    def _write(self, changed: Corrections) -> None:
        self.check_process()
        try:
            corrections.write(self.path, changed)
            self._claim_file()
        except UserError as error:
            raise RequestError(500, str(error)) from error
        self.current = changed

    def _claim_file(self) -> None:
        """Lock the file, which is a new one after each change."""
        old, self._claim = self._claim, claim(self.path)
        if old is not None:
            os.close(old)
