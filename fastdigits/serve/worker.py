"""The worker: the only thread that uses the networks.

The kernels of one batch occupy all cores already, and one batch of many images takes less time than many of one. Jobs
therefore wait in a queue, and the worker predicts all waiting jobs as one batch. Jobs from the same iteration of an
event loop enter the queue together, so that they do not wake up the worker one by one.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from fastdigits.imaging.types import IMAGE_SIDE
from fastdigits.inference.pool import FEW_IMAGES
from fastdigits.ops import MAX_SEQUENTIAL_IMAGES
from fastdigits.serve.jobs import Answer, Job, deliver, run_jobs, settle
from fastdigits.serve.limits import RequestError
from fastdigits.serve.maps import feature_maps
from fastdigits.serve.models import Model, ModelInfo


class Worker:
    """Networks that are warmed up, and a thread that predicts with them.

    Parameters
    ----------
    models : sequence of Model

    Attributes
    ----------
    models : list of ModelInfo
    on_batch : callable
        Called with the number of images of each batch.
    """

    def __init__(self, models: Sequence[Model]):
        self._loaded = [*models]
        for model in self._loaded:  # in this thread, so that the kernels survive a fork by it
            warm_up(model)
        self.models: list[ModelInfo] = [model.info for model in self._loaded]
        self.on_batch: Callable[[int], Any] = lambda images: None
        self._closed = False
        self._start()

    def _start(self) -> None:
        """Start the thread, in a process that has none yet."""
        self._process = os.getpid()
        self._queue: SimpleQueue[list[Job] | None] = SimpleQueue()
        self._turns: dict[asyncio.AbstractEventLoop, list[Job]] = {}  # jobs from the current iteration of each loop
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, args=(self._loaded,), daemon=True, name="networks")
        self._thread.start()

    @property
    def queued(self) -> int:
        """The number of batches in the queue."""
        return self._queue.qsize()

    async def predict(self, model: int, image: np.ndarray, explain: bool = False) -> Answer:
        """Predict the digit of an image uint8 (28, 28) in the format of MNIST with the network at an index."""
        if self._process != os.getpid():  # forked after loading, as gunicorn --preload does
            self._start()
        loop = asyncio.get_running_loop()
        job = Job(model, image, explain, loop.create_future(), loop)
        if loop not in self._turns:
            self._turns[loop] = []
            loop.call_soon(self._enqueue_turn, loop)
        self._turns[loop].append(job)
        return await job.answer

    def model(self, index: int) -> Model:
        """Return the network at an index, with what uses it."""
        return self._loaded[index]

    def replace(self, index: int, weights: dict[str, np.ndarray]) -> None:
        """Give the network at an index other weights between two batches. Predictions go on meanwhile."""
        model = self._loaded[index].with_weights(weights)
        warm_up(model)
        self._loaded[index] = model

    def close(self) -> None:
        """Answer the jobs in the queue, then stop the thread."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _enqueue_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        jobs = self._turns.pop(loop)
        with self._lock:
            if not self._closed:
                self._queue.put(jobs)
                return
        settle([(job, RequestError(503, "The server is stopping; try again when it is back.")) for job in jobs])

    def _serve(self, models: list[Model]) -> None:
        while jobs := self._next_jobs():
            for index, model in enumerate(models):
                batch = [job for job in jobs if job.model == index]
                if batch:
                    self.on_batch(len(batch))
                    deliver(batch, run_jobs(model, batch))

    def _next_jobs(self) -> list[Job]:
        """Wait for a job and return all jobs in the queue, or an empty list if the worker is closed."""
        jobs = self._queue.get() or []
        with suppress(Empty):
            while jobs and len(jobs) < FEW_IMAGES:
                more = self._queue.get_nowait()
                if more is None:
                    self._queue.put(None)  # ends the loop after these jobs
                    break
                jobs.extend(more)
        return jobs


def warm_up(model: Model) -> None:
    """Compile the kernels for one, a few and many images, so that the first requests need not wait."""
    for images in (1, MAX_SEQUENTIAL_IMAGES + 1, FEW_IMAGES + 1):
        model.recognizer.predict(np.zeros((images, IMAGE_SIDE, IMAGE_SIDE), np.uint8))
    feature_maps(model.explainer, np.zeros((IMAGE_SIDE, IMAGE_SIDE), np.uint8))
