"""Jobs for the networks, and the delivery of the answers to their event loops."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from fastdigits.inference.recognizer import Prediction
from fastdigits.serve.maps import FeatureMaps, feature_maps
from fastdigits.serve.models import Model


@dataclass(frozen=True, eq=False)
class Answer:
    """A prediction for an image, the size of its batch, and the feature maps if requested."""

    prediction: Prediction
    batch_size: int
    maps: list[FeatureMaps] | None = None


@dataclass(frozen=True, eq=False)
class Job:
    """An image uint8 (28, 28) for the network at index `model`; `answer` is a future of `loop`."""

    model: int
    image: np.ndarray
    explain: bool
    answer: asyncio.Future
    loop: asyncio.AbstractEventLoop


def run_jobs(model: Model, jobs: list[Job]) -> list[Answer | Exception]:
    """Predict the images of all jobs as one batch; on failure return the exception for each of them."""
    try:
        predictions = model.recognizer.predict(np.stack([job.image for job in jobs]))
        return [
            Answer(prediction, len(jobs), feature_maps(model.explainer, job.image) if job.explain else None)
            for job, prediction in zip(jobs, predictions, strict=True)
        ]
    except Exception as failure:  # the thread must survive to serve the next jobs
        return [failure] * len(jobs)


def deliver(jobs: list[Job], answers: list[Answer | Exception]) -> None:
    """Deliver answers from the thread of the worker, with one call per event loop."""
    pairs = list(zip(jobs, answers, strict=True))
    for loop in {job.loop for job in jobs}:
        with suppress(RuntimeError):  # the loop is closed, so nobody waits
            loop.call_soon_threadsafe(settle, [(job, answer) for job, answer in pairs if job.loop is loop])


def settle(pairs: list[tuple[Job, Answer | Exception]]) -> None:
    """Set the futures of jobs; call this in their event loop."""
    for job, answer in pairs:
        if job.answer.done():  # cancelled
            continue
        if isinstance(answer, Exception):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)
