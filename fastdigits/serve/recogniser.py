"""From what a request holds to what a network reads in it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from fastdigits.errors import UserError
from fastdigits.imaging import Prepared, prepare, read_picture
from fastdigits.imaging.mnist import is_prepared
from fastdigits.ops import environment
from fastdigits.serve.limits import Limits, Refused
from fastdigits.serve.models import ModelFacts
from fastdigits.serve.worker import Answer, Worker

SPARE_THREADS = 2  # for drawings, while every core is busy with photographs


class Recogniser:
    """Prepares pictures in threads and has the worker read them; both within the time that the limits give."""

    def __init__(self, worker: Worker, limits: Limits):
        self.worker, self.limits = worker, limits
        self._threads = ThreadPoolExecutor(environment.cores() + SPARE_THREADS, "imaging")

    def model(self, choice: str | int) -> ModelFacts:
        """The network of this name or number."""
        models = self.worker.models
        for facts in models:
            if choice in (facts.name, facts.index, str(facts.index)):
                return facts
        names = ", ".join(f"{facts.index} ({facts.name})" for facts in models)
        raise Refused(404, f"There is no model {choice!r}; choose one of {names}.")

    async def prepare_picture(self, content: bytes | bytearray) -> Prepared:
        """The content of a picture file as an image that networks read."""
        return await self._in_thread(lambda: prepare(read_picture(content, self.limits.picture_pixels)))

    async def prepare_image(self, image: np.ndarray) -> Prepared:
        """An image uint8 (28, 28) as networks read it, which it may be already."""
        if is_prepared(image):
            return Prepared(image, None, ())
        return await self._in_thread(lambda: prepare(image))

    async def read(self, model: ModelFacts, image: np.ndarray, explain: bool = False) -> Answer:
        """What a network reads in a prepared image."""
        return await self._in_time(self.worker.read(model.index, image, explain))

    def close(self) -> None:
        """Finish what is begun, then end all threads."""
        self._threads.shutdown()
        self.worker.close()

    async def _in_thread(self, work: Callable[[], Prepared]) -> Prepared:
        try:
            return await self._in_time(asyncio.get_running_loop().run_in_executor(self._threads, work))
        except UserError as error:
            raise Refused(400, f"The picture cannot be used: {error}") from None

    async def _in_time(self, work: Any) -> Any:
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await work
        except TimeoutError:
            raise Refused(503, f"There was no answer within {self.limits.seconds:g} s; try again later.") from None
