"""From what a request holds to what a network reads in it."""

import asyncio
from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np

from fastdigits.errors import UserError
from fastdigits.imaging import Prepared, candidates, read_picture
from fastdigits.imaging.mnist import is_prepared
from fastdigits.ops import environment
from fastdigits.serve.limits import Limits, Refused
from fastdigits.serve.models import ModelFacts
from fastdigits.serve.worker import Answer, Worker

Look = tuple[Prepared, Answer]
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

    async def look_at_picture(self, model: ModelFacts, content: bytes | bytearray, explain: bool = False) -> Look:
        """What a network reads in the content of a picture file, and the image that it reads it in."""
        return await self._in_time(self._look(model, _candidates_of(content, self.limits.picture_pixels), explain))

    async def look_at_image(self, model: ModelFacts, image: np.ndarray, explain: bool = False) -> Look:
        """What a network reads in an image uint8 (28, 28), which may be as it reads them already.

        Where it is not, it is a drawing, of which the likeliest way to see it is enough.
        """
        if is_prepared(image):
            return Prepared(image, None, ()), await self._in_time(self.worker.read(model.index, image, explain))
        return await self._in_time(self._look(model, islice(candidates(image), 1), explain))

    def close(self) -> None:
        """Finish what is begun, then end all threads."""
        self._threads.shutdown()
        self.worker.close()

    async def _look(self, model: ModelFacts, ways: Iterator[Prepared], explain: bool) -> Look:
        """As Reader.look does, with each way to see a picture made in a thread."""
        looks: list[Look] = []
        while prepared := await self._next(ways):
            answer = await self.worker.read(model.index, prepared.image, explain)
            if not answer.reading.unsure:
                return prepared, answer
            looks.append((prepared, answer))
        return max(looks, key=lambda look: look[1].reading.confidence)

    async def _next(self, ways: Iterator[Prepared]) -> Prepared | None:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, next, ways, None)
        except UserError as error:
            raise Refused(400, f"The picture cannot be used: {error}") from None

    async def _in_time(self, work: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await work
        except TimeoutError:
            raise Refused(503, f"There was no answer within {self.limits.seconds:g} s; try again later.") from None


def _candidates_of(content: bytes | bytearray, most_pixels: int) -> Iterator[Prepared]:
    """The picture is read with the first of them."""
    yield from candidates(read_picture(content, most_pixels))
