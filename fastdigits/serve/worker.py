"""The one thread that owns the networks.

Kernels that share their work among threads must not be entered by two requests at once, and a network fills buffers
of its own. So requests queue, and what has queued is read together, as one batch: what came while the thread was busy,
and what came in one turn of an event loop, before which the thread is not woken up.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from fastdigits.files import StrPath
from fastdigits.imaging.types import SIDE
from fastdigits.nn.network import INFERENCE_MICRO_BATCH
from fastdigits.ops import MAX_SEQUENTIAL_IMAGES
from fastdigits.serve.jobs import Answer, Job, answers, deliver, settle
from fastdigits.serve.limits import Refused
from fastdigits.serve.maps import feature_maps
from fastdigits.serve.models import Model, ModelFacts, load_models


class Worker:
    """Networks in a thread of their own, ready when the constructor returns.

    Parameters
    ----------
    files : sequence of paths
        Weights files; None stands for the model that ships.
    device : str
    threads : int, optional
        Processor cores that the kernels use; all of them unless given.

    Raises
    ------
    UserError
        If a network cannot be loaded.
    """

    def __init__(self, files: Sequence[StrPath | None], device: str = "auto", threads: int | None = None):
        self.models: list[ModelFacts] = []
        self.on_batch: Callable[[int], Any] = lambda images: None
        self._jobs: SimpleQueue[list[Job] | None] = SimpleQueue()
        self._turns: dict[asyncio.AbstractEventLoop, list[Job]] = {}  # what each loop will hand over after its turn
        self._lock = threading.Lock()
        self._closed = False
        self._failure: BaseException | None = None
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(files, device, threads, ready), daemon=True)
        self._thread.name = "networks"
        self._thread.start()
        ready.wait()
        if self._failure:
            raise self._failure

    @property
    def waiting(self) -> int:
        """How many batches wait to be read."""
        return self._jobs.qsize()

    async def read(self, model: int, image: np.ndarray, explain: bool = False) -> Answer:
        """What the network of this number reads in an image uint8 (28, 28) that has been prepared."""
        loop = asyncio.get_running_loop()
        job = Job(model, image, explain, loop.create_future(), loop)
        if loop not in self._turns:
            self._turns[loop] = []
            loop.call_soon(self._hand_over, loop)
        self._turns[loop].append(job)
        return await job.answer

    def close(self) -> None:
        """Answer what has queued, then end the thread."""
        with self._lock:
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        jobs = self._turns.pop(loop)
        with self._lock:
            if not self._closed:
                self._jobs.put(jobs)
                return
        settle([(job, Refused(503, "The server is stopping; ask again when it is back.")) for job in jobs])

    def _run(self, files: Sequence[StrPath | None], device: str, threads: int | None, ready: threading.Event) -> None:
        try:
            models = load_models(files, device, threads)
            for model in models:
                _warm_up(model)
            self.models = [model.facts for model in models]
        except BaseException as failure:
            self._failure = failure
            return
        finally:
            ready.set()
        self._serve(models)

    def _serve(self, models: list[Model]) -> None:
        while jobs := self._next():
            for number, model in enumerate(models):
                together = [job for job in jobs if job.model == number]
                if together:
                    self.on_batch(len(together))
                    deliver(together, answers(model, together))

    def _next(self) -> list[Job]:
        """The jobs that have queued, at least one; none when the worker is closed and nothing is left."""
        jobs = self._jobs.get() or []
        with suppress(Empty):
            while jobs and len(jobs) < INFERENCE_MICRO_BATCH:
                more = self._jobs.get_nowait()
                if more is None:
                    self._jobs.put(None)  # to be found again when these are done
                    break
                jobs.extend(more)
        return jobs


def _warm_up(model: Model) -> None:
    """Compile what the first requests would wait for: one image, some, and many are read by kernels of their own."""
    for images in (1, MAX_SEQUENTIAL_IMAGES + 1, INFERENCE_MICRO_BATCH + 1):
        model.recognizer.predict(np.zeros((images, SIDE, SIDE), np.uint8))
    feature_maps(model.explainer, np.zeros((SIDE, SIDE), np.uint8))
