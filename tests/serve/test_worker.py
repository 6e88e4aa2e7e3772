import asyncio
import threading
import time

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from fastdigits.errors import UserError
from fastdigits.inference.recognizer import Recognizer
from fastdigits.nn.network import INFERENCE_MICRO_BATCH
from fastdigits.ops import MAX_SEQUENTIAL_IMAGES
from fastdigits.serve.limits import RequestError
from fastdigits.serve.models import unique
from fastdigits.serve.worker import Worker

PATIENCE_S = 60


@pytest.fixture
def worker(weights):
    worker = Worker(weights)
    yield worker
    worker.close()


def run(question):
    """What a coroutine returns, but not if it waits in vain."""
    return asyncio.run(asyncio.wait_for(question, PATIENCE_S))


def read_all(worker, images, models=(0,)):
    """The answers to all images at once, for each network."""

    async def ask():
        return await asyncio.gather(*(worker.predict(model, image) for model in models for image in images))

    return run(ask())


def test_what_reads_one_image_some_or_many_is_compiled_before(weights, monkeypatch):
    read, sizes = Recognizer.predict, []
    monkeypatch.setattr(
        Recognizer, "predict", lambda recognizer, images: sizes.append(len(images)) or read(recognizer, images)
    )
    Worker(weights[:1]).close()
    assert any(size == 1 for size in sizes)
    assert any(MAX_SEQUENTIAL_IMAGES < size <= INFERENCE_MICRO_BATCH for size in sizes)
    assert any(size > INFERENCE_MICRO_BATCH for size in sizes)


def test_what_has_queued_is_read_together_and_as_if_alone(worker, weights, digits):
    images = digits[0]
    batches = []
    worker.on_batch = batches.append
    answers = read_all(worker, images, models=(0, 1))
    expected = [reading for file in weights for reading in Recognizer(file).predict(images)]
    for answer, alone in zip(answers, expected, strict=True):
        assert answer.prediction.digit == alone.digit
        assert answer.prediction.probabilities == pytest.approx(alone.probabilities, abs=1e-5)
    assert sum(batches) == len(answers) == 400
    assert max(batches) > 64  # of one turn


def test_many_threads_never_enter_a_network_at_once(worker, digits, monkeypatch):
    """Threads of their own event loops ask; one thread reads, one batch at a time."""
    inside, threads = [], set()
    read = Recognizer.predict

    def watched(recognizer, images):
        inside.append(1)
        threads.add(threading.current_thread().name)
        assert len(inside) == 1
        time.sleep(0.001)
        try:
            return read(recognizer, images)
        finally:
            inside.pop()

    monkeypatch.setattr(Recognizer, "predict", watched)
    images, found = digits[0][:30], {}
    askers = [
        threading.Thread(target=lambda number=number: found.update({number: read_all(worker, images, models=(0, 1))}))
        for number in range(8)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert threads == {"networks"}
    assert len(found) == 8
    readings = [[answer.prediction.digit for answer in answers] for answers in found.values()]
    assert all(one == readings[0] for one in readings)


def test_a_failure_reaches_who_asked_and_nobody_else(worker, digits, monkeypatch):
    read = Recognizer.predict

    def unlucky(recognizer, images):
        assert images.any()
        return read(recognizer, images)

    monkeypatch.setattr(Recognizer, "predict", unlucky)

    async def ask():
        with pytest.raises(AssertionError):
            await worker.predict(0, np.zeros((28, 28), np.uint8))
        return await worker.predict(0, digits[0][0])

    assert run(ask()).prediction.digit == digits[1][0]


def test_who_gives_up_does_not_disturb(worker, digits):
    async def ask():
        given_up = asyncio.ensure_future(worker.predict(0, digits[0][0]))
        await asyncio.sleep(0)
        given_up.cancel()
        return await worker.predict(0, digits[0][1])

    for _ in range(20):
        assert run(ask()).prediction.digit == digits[1][1]


def test_closing_answers_what_has_queued_and_nothing_new(weights, digits):
    before = set(threading.enumerate())
    worker = Worker(weights)

    async def ask():
        queued = [asyncio.ensure_future(worker.predict(0, image)) for image in digits[0][:50]]
        await asyncio.sleep(0)  # they ask
        await asyncio.sleep(0)  # the loop hands over what they ask
        await asyncio.to_thread(worker.close)
        with pytest.raises(RequestError, match="stopping"):
            await worker.predict(0, digits[0][0])
        return await asyncio.gather(*queued)

    assert len(run(ask())) == 50
    assert [thread for thread in threading.enumerate() if thread.name == "networks" and thread not in before] == []


def test_a_network_that_cannot_be_loaded(tmp_path):
    (tmp_path / "none.h5").write_bytes(b"none")
    with pytest.raises(UserError, match=r"none\.h5"):
        Worker([tmp_path / "none.h5"])


def test_networks_of_the_same_name_can_be_told_apart():
    assert unique(["a", "b", "a", "a-2", "a"]) == ["a", "b", "a-2", "a-2-2", "a-3"]
