"""What waits for a network to read it, and how the answer gets back."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from fastdigits.inference.recognizer import Prediction
from fastdigits.serve.maps import FeatureMaps, feature_maps
from fastdigits.serve.models import Model


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network reads in an image, together with how many; its feature maps if they were asked for."""

    reading: Prediction
    together: int
    maps: list[FeatureMaps] | None = None


@dataclass(frozen=True, eq=False)
class Job:
    """An image uint8 (28, 28) that waits for the network of a number, and who waits for the answer."""

    model: int
    image: np.ndarray
    explain: bool
    answer: asyncio.Future
    loop: asyncio.AbstractEventLoop


def answers(model: Model, jobs: list[Job]) -> list[Answer | Exception]:
    """What a network reads in the images of all jobs, read together."""
    try:
        readings = model.recognizer.predict(np.stack([job.image for job in jobs]))
        return [
            Answer(reading, len(jobs), feature_maps(model.explainer, job.image) if job.explain else None)
            for job, reading in zip(jobs, readings, strict=True)
        ]
    except Exception as failure:  # the thread must go on for others
        return [failure] * len(jobs)


def deliver(jobs: list[Job], answers: list[Answer | Exception]) -> None:
    """Wake up who waits, each event loop once."""
    pairs = list(zip(jobs, answers, strict=True))
    for loop in {job.loop for job in jobs}:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits
            loop.call_soon_threadsafe(settle, [(job, answer) for job, answer in pairs if job.loop is loop])


def settle(pairs: list[tuple[Job, Answer | Exception]]) -> None:
    """Give jobs their answers, in the event loop that waits for them."""
    for job, answer in pairs:
        if job.answer.done():  # who asked has given up
            continue
        if isinstance(answer, Exception):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)
