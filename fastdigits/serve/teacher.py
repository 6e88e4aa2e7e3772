"""Teach the networks of a server: fine-tune them on the corrections, and undo that.

A thread of its own does the work, so that predictions go on. Each network learns from the weights that were loaded, so
that it forgets no more after many lessons than after one.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

import numpy as np

from fastdigits import ops
from fastdigits.data import load_part
from fastdigits.data.sources import SHIPPED
from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.ops.runtime import compilation
from fastdigits.serve.limits import RequestError
from fastdigits.serve.samples import Samples
from fastdigits.serve.worker import Worker
from fastdigits.storage.corrections import Corrections
from fastdigits.training.fine_tune import FineTuned, FineTuner

MAX_UNDO = 20
REHEARSED = 20  # images
PREPARING, READY, TEACHING = "preparing", "ready", "teaching"

T = TypeVar("T")


@dataclass(frozen=True)
class Lesson:
    """What a network learned, and in how many seconds."""

    result: FineTuned
    seconds: float


class Teacher:
    """The corrections of a server, and the thread that teaches its networks.

    Parameters
    ----------
    path : path
        File of the corrections.
    worker : Worker
        Of the networks.
    threads : int, optional
        Number of processor cores for the kernels; defaults to all.

    Attributes
    ----------
    samples : Samples
    state : str
        "preparing" while kernels are compiled, then "ready" or "teaching".
    progress : str
        Which kernel is being compiled; "" if none is.

    Raises
    ------
    UserError
        See `Samples`.
    """

    def __init__(self, path: StrPath, worker: Worker, threads: int | None = None):
        self.samples, self.state, self.progress = Samples(path), PREPARING, ""
        self._worker, self._cores = worker, threads
        self._tuners: dict[int, FineTuner] = {}
        self._refusals: dict[int, str] = {}
        self._earlier: list[list[dict[str, np.ndarray]]] = [[] for _ in worker.models]
        self._thread = ThreadPoolExecutor(1, "teacher")
        self._thread.submit(self._prepare)

    @property
    def lessons(self) -> list[int]:
        """For each network, the number of lessons that can be undone."""
        return [len(earlier) for earlier in self._earlier]

    async def teach(self, model: int) -> Lesson:
        """Fine-tune the network at an index on all corrections, and serve the result."""
        corrections = self.samples.current
        if not len(corrections):
            raise RequestError(409, "There are no corrections to learn from; correct a prediction first.")
        return await self._run(model, lambda: self._teach(model, corrections))

    async def undo(self, model: int) -> None:
        """Give the network at an index the weights that it had before the last lesson, to the bit."""
        if not self._earlier[model]:
            raise RequestError(409, "The network has learned nothing that could be undone.")
        await self._run(model, lambda: self._undo(model))

    def close(self) -> None:
        """Finish the lesson in progress and stop the thread."""
        self._thread.shutdown(cancel_futures=True)

    async def _run(self, model: int, work: Callable[[], T]) -> T:
        self.samples.check_process()
        if self.state != READY:
            progress = f" ({self.progress})" if self.progress else ""
            raise RequestError(503, f"The server is {self.state}{progress}; try again in a moment.")
        if model in self._refusals:
            raise RequestError(409, f"This network cannot be taught: {self._refusals[model]}")
        self.state = TEACHING
        try:
            return await asyncio.shield(asyncio.wrap_future(self._thread.submit(self._finishing, work)))
        except RuntimeError:  # the thread has been shut down
            raise RequestError(503, "The server is stopping; try again when it is back.") from None

    def _finishing(self, work: Callable[[], T]) -> T:
        try:
            return work()
        finally:
            self.state = READY

    def _teach(self, model: int, corrections: Corrections) -> Lesson:
        start = perf_counter()
        result = self._tuners[model].tune(corrections.images, corrections.labels)
        before = self._worker.model(model).recognizer.saved.weights
        self._worker.replace(model, result.weights)
        self._earlier[model] = [*self._earlier[model], before][-MAX_UNDO:]
        return Lesson(result, perf_counter() - start)

    def _undo(self, model: int) -> None:
        self._worker.replace(model, self._earlier[model][-1])
        self._earlier[model] = self._earlier[model][:-1]

    def _note_progress(self, line: str, last: bool) -> None:
        self.progress = line

    def _prepare(self) -> None:
        """Compile the kernels, by teaching each network images that it knows."""
        for model in range(len(self._earlier)):
            try:
                images, labels = load_part(SHIPPED, "train")
                saved = self._worker.model(model).recognizer.saved
                tuner = FineTuner(saved, images, labels, ops.load("cpu", self._cores, saved.config["exact"]))
                with compilation.shown(self._note_progress):
                    tuner.tune(images[:REHEARSED], labels[:REHEARSED])
                self._tuners[model] = tuner
            except UserError as error:
                self._refusals[model] = str(error)
        self.state = READY
