"""From what a request holds to what a network reads in it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np

from fastdigits.errors import UserError
from fastdigits.imaging import Prepared, candidates, read_picture
from fastdigits.imaging.mnist_format import is_prepared
from fastdigits.ops.runtime import numba_setup
from fastdigits.serve.jobs import Answer
from fastdigits.serve.limits import Limits, Refused
from fastdigits.serve.models import ModelFacts
from fastdigits.serve.worker import Worker

T = TypeVar("T")
SPARE_THREADS = 2  # for drawings, while every core is busy with photographs


class Look(NamedTuple):
    """A way to see a picture, and what a network reads in it."""

    prepared: Prepared
    answer: Answer


class Recogniser:
    """Prepares pictures in threads and has the worker read them; both within the time that the limits give."""

    def __init__(self, worker: Worker, limits: Limits):
        self.worker, self.limits = worker, limits
        self._threads = ThreadPoolExecutor(numba_setup.cores() + SPARE_THREADS, "imaging")

    def model(self, choice: str | int) -> ModelFacts:
        """The network of this name or number."""
        models = self.worker.models
        for facts in models:
            if choice in (facts.name, facts.index, str(facts.index)):
                return facts
        names = ", ".join(f"{facts.index} ({facts.name})" for facts in models)
        raise Refused(404, f"There is no model {choice!r}; choose one of {names}.")

    async def read_picture(self, model: ModelFacts, content: bytes | bytearray, explain: bool) -> Look:
        """What a network reads in the content of a picture file."""

        def ways() -> Iterator[Prepared]:
            yield from candidates(read_picture(content, self.limits.picture_pixels))

        return await self._in_time(self._look(model, ways(), explain))

    async def read_image(self, model: ModelFacts, image: np.ndarray, explain: bool = False) -> Look:
        """What a network reads in an image uint8 (28, 28), which may be prepared already."""
        if is_prepared(image):
            return Look(Prepared(image, None, ()), await self._in_time(self.worker.read(model.index, image, explain)))
        return await self._in_time(self._look(model, candidates(image), explain))

    def close(self) -> None:
        """Finish what is begun, then end all threads."""
        self._threads.shutdown()
        self.worker.close()

    async def _look(self, model: ModelFacts, ways: Iterator[Prepared], explain: bool) -> Look:
        """As Recognizer.look does, but each way to see a picture is made in a thread and read by the worker."""
        looks = []
        while (prepared := await self._in_thread(lambda: next(ways, None))) is not None:
            looks.append(Look(prepared, await self.worker.read(model.index, prepared.image, explain)))
            if not looks[-1].answer.reading.unsure:
                return looks[-1]
        return max(looks, key=lambda look: look.answer.reading.confidence)

    async def _in_thread(self, work: Callable[[], Prepared | None]) -> Prepared | None:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except UserError as error:
            raise Refused(400, f"The picture cannot be used: {error}") from None

    async def _in_time(self, look: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await look
        except TimeoutError:
            raise Refused(503, f"There was no answer within {self.limits.seconds:g} s; try again later.") from None
