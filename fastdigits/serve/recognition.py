"""Recognize the digit in the picture or the pixels of a request."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np

from fastdigits.errors import UserError
from fastdigits.imaging import Prepared, candidates, read_picture
from fastdigits.imaging.mnist_format import is_prepared
from fastdigits.inference.recognizer import CandidateSearch
from fastdigits.ops.runtime import numba_setup
from fastdigits.serve.jobs import Answer
from fastdigits.serve.limits import Limits, RequestError, shortened
from fastdigits.serve.models import ModelInfo
from fastdigits.serve.worker import Worker

SPARE_THREADS = 2  # so that small drawings need not wait while all cores are busy with photographs

T = TypeVar("T")


class Recognition(NamedTuple):
    """An image in the format of MNIST and a network's answer for it."""

    prepared: Prepared
    answer: Answer


class RecognitionService:
    """Prepare pictures in threads and let the worker predict them, within the time limit."""

    def __init__(self, worker: Worker, limits: Limits):
        self.worker, self.limits = worker, limits
        self._threads = ThreadPoolExecutor(numba_setup.cores() + SPARE_THREADS, "imaging")

    def model(self, choice: str | int) -> ModelInfo:
        """Return the model with a name or an index."""
        models = self.worker.models
        for info in models:
            if choice in (info.name, info.index, str(info.index)):
                return info
        names = ", ".join(f"{info.index} ({info.name})" for info in models)
        raise RequestError(404, f"There is no model {shortened(repr(choice))}; choose one of {names}.")

    async def recognize_file(self, model: ModelInfo, content: bytes | bytearray, explain: bool) -> Recognition:
        """Recognize the digit in the content of a picture file."""

        def candidates_of_file() -> Iterator[Prepared]:  # reads the file only in the thread that asks for a candidate
            yield from candidates(read_picture(content, self.limits.picture_pixels))

        return await self._in_time(self._recognize(model, candidates_of_file(), explain))

    async def recognize_image(self, model: ModelInfo, image: np.ndarray, explain: bool = False) -> Recognition:
        """Recognize the digit in an image uint8 (28, 28); skip the preparation if it is in the format of MNIST."""
        if is_prepared(image):
            answer = await self._in_time(self.worker.predict(model.index, image, explain))
            return Recognition(Prepared(image, None, ()), answer)
        return await self._in_time(self._recognize(model, candidates(image), explain))

    def close(self) -> None:
        """Finish the requests in progress, then stop all threads."""
        self._threads.shutdown()
        self.worker.close()

    async def _recognize(self, model: ModelInfo, candidates: Iterator[Prepared], explain: bool) -> Recognition:
        """Recognize like Recognizer.recognize, but prepare each candidate in a thread and let the worker predict it."""
        search, answers = CandidateSearch(candidates, model.calibration), []
        while (prepared := await self._in_thread(search.next_candidate)) is not None:
            answers.append(await self.worker.predict(model.index, prepared.image, explain))
            search.add(answers[-1].prediction)
        prepared, prediction = search.tried[search.best]
        return Recognition(prepared, replace(answers[search.best], prediction=prediction))

    async def _in_thread(self, work: Callable[[], Prepared | None]) -> Prepared | None:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except UserError as error:
            raise RequestError(400, f"The picture cannot be used: {error}") from None

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await work
        except TimeoutError:
            raise RequestError(503, f"There was no answer within {self.limits.seconds:g} s; try again later.") from None
