"""Recognize the digit in the picture or the pixels of a request."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np

from fastdigits.errors import UserError
from fastdigits.imaging import Picture, Prepared, candidates, decoder_bytes, open_picture
from fastdigits.imaging.mnist_format import is_prepared
from fastdigits.inference.numbers import NumberReader
from fastdigits.inference.recognizer import CandidateSearch
from fastdigits.inference.sequences import Restriction
from fastdigits.ops.runtime import numba_setup
from fastdigits.serve.budget import Budget
from fastdigits.serve.jobs import Answer
from fastdigits.serve.limits import Limits, RequestError, shortened
from fastdigits.serve.models import ModelInfo
from fastdigits.serve.numbers import Text, digit_images, in_file, read_text
from fastdigits.serve.worker import Worker

SPARE_THREADS = 2  # so that small drawings need not wait while all cores are busy with photographs

Content = bytes | bytearray | np.ndarray  # of a picture file, or an image uint8 (28, 28)
T = TypeVar("T")


class Recognition(NamedTuple):
    """An image in the format of MNIST and a network's answer for it."""

    prepared: Prepared
    answer: Answer


class RecognitionService:
    """Prepare pictures in threads and let the worker predict them, within the time limit."""

    def __init__(self, worker: Worker, numbers: NumberReader, limits: Limits):
        self.worker, self.numbers, self.limits = worker, numbers, limits
        self._threads = ThreadPoolExecutor(numba_setup.cores() + SPARE_THREADS, "imaging")
        self._decoders = Budget(limits.decoder_bytes)

    def model(self, choice: str | int) -> ModelInfo:
        """Return the model with a name or an index."""
        models = self.worker.models
        for info in models:
            if choice in (info.name, info.index, str(info.index)):
                return info
        names = ", ".join(f"{info.index} for {info.title}" for info in models)
        raise RequestError(404, f"There is no model {shortened(repr(choice))}; choose one of {names}.")

    async def recognize(self, model: ModelInfo, content: Content, explain: bool = False) -> Recognition:
        """Recognize the digit in a picture; skip the preparation of an image that is in the format of MNIST."""
        if not isinstance(content, np.ndarray):
            return await self._in_time(self._recognize_file(model, content, explain))
        image = content
        if is_prepared(image):
            answer = await self._in_time(self.worker.predict(model.index, image, explain))
            return Recognition(Prepared(image, None, ()), answer)
        return await self._in_time(self._recognize(model, candidates(image), _Work(self._threads), explain))

    async def read_numbers(self, content: Content, restriction: Restriction | None = None) -> Text:
        """Read the numbers in a picture."""
        return await self._use_picture(
            content, lambda picture: in_file(read_text(self.numbers, picture.pixels, restriction), picture)
        )

    async def read_digits(self, content: Content) -> np.ndarray:
        """Read the numbers in a picture and return their digits as images uint8 (N, 28, 28)."""

        def read(picture: Picture) -> np.ndarray:
            return digit_images(picture.pixels, read_text(self.numbers, picture.pixels))

        return await self._use_picture(content, read)

    async def _use_picture(self, content: Content, use: Callable[[Picture], T]) -> T:
        """Call a function with a picture, in a thread."""
        if isinstance(content, np.ndarray):
            picture = Picture(content, content.shape[:2])
            return await self._in_time(_Work(self._threads).run(lambda: use(picture)))
        file = content
        return await self._in_time(
            self._decode(file, lambda work: work.run(lambda: use(open_picture(file, self.limits.picture_pixels))))
        )

    def close(self) -> None:
        """Finish the work in progress, drop the work that waits for a thread, and stop all threads."""
        self._threads.shutdown(cancel_futures=True)
        self.worker.close()

    async def _recognize_file(self, model: ModelInfo, content: bytes | bytearray, explain: bool) -> Recognition:
        def candidates_of_file() -> Iterator[Prepared]:  # reads the file only in the thread that asks for a candidate
            picture = open_picture(content, self.limits.picture_pixels)
            for prepared in candidates(picture.pixels):
                yield replace(prepared, box=prepared.box and picture.box_in_file(prepared.box))

        return await self._decode(content, lambda work: self._recognize(model, candidates_of_file(), work, explain))

    async def _decode(self, content: bytes | bytearray, use: Callable[["_Work"], Awaitable[T]]) -> T:
        """Use a picture file once there is memory for decoding it."""
        work = _Work(self._threads)
        share = await work.run(lambda: decoder_bytes(content, self.limits.picture_pixels))
        await self._decoders.acquire(share)
        try:
            return await use(work)
        finally:
            work.when_done(lambda: self._decoders.release(share))

    async def _recognize(
        self, model: ModelInfo, candidates: Iterator[Prepared], work: "_Work", explain: bool
    ) -> Recognition:
        """Recognize like Recognizer.recognize, but prepare each candidate in a thread and let the worker predict it."""
        search, answers = CandidateSearch(candidates, model.calibration), []
        while (prepared := await work.run(search.next_candidate)) is not None:
            answers.append(await self.worker.predict(model.index, prepared.image, explain))
            search.add(answers[-1].prediction)
        prepared, prediction = search.tried[search.best]
        return Recognition(prepared, replace(answers[search.best], prediction=prediction))

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await work
        except TimeoutError:
            raise RequestError(503, f"There was no answer within {self.limits.seconds:g} s; try again later.") from None


class _Work:
    """The work of one request in the threads, one piece after another."""

    def __init__(self, threads: ThreadPoolExecutor):
        self._threads = threads
        self._last: Future | None = None

    async def run(self, work: Callable[[], T]) -> T:
        try:
            self._last = self._threads.submit(work)
        except RuntimeError:  # the threads have been shut down
            raise RequestError(503, "The server is stopping; try again when it is back.") from None
        try:
            return await asyncio.wrap_future(self._last)
        except UserError as error:
            raise RequestError(400, f"The picture cannot be used: {error}") from None

    def when_done(self, action: Callable[[], object]) -> None:
        """Call `action` as soon as no thread works any more; a thread goes on after its request is cancelled."""
        if self._last is None:
            action()
        else:
            self._last.add_done_callback(lambda _: action())
