import asyncio
import threading
import time

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from fastdigits.errors import UserError
from fastdigits.inference.pool import FEW_IMAGES
from fastdigits.inference.recognizer import Recognizer
from fastdigits.ops import MAX_SEQUENTIAL_IMAGES
from fastdigits.serve.limits import RequestError
from fastdigits.serve.models import load_models, unique
from fastdigits.serve.worker import Worker

TIMEOUT_S = 60


@pytest.fixture
def worker(weights):
    worker = Worker(load_models(weights))
    yield worker
    worker.close()


def run(coroutine):
    """Run a coroutine with a time limit."""
    return asyncio.run(asyncio.wait_for(coroutine, TIMEOUT_S))


def predict_all(worker, images, models=(0,)):
    """Predict all images at once with each network."""

    async def ask():
        return await asyncio.gather(*(worker.predict(model, image) for model in models for image in images))

    return run(ask())


def test_networks_are_warmed_up_for_one_a_few_and_many_images(weights, monkeypatch):
    predict, sizes = Recognizer.predict, []
    monkeypatch.setattr(
        Recognizer, "predict", lambda recognizer, images: sizes.append(len(images)) or predict(recognizer, images)
    )
    Worker(load_models(weights[:1])).close()
    assert any(size == 1 for size in sizes)
    assert any(MAX_SEQUENTIAL_IMAGES < size <= FEW_IMAGES for size in sizes)
    assert any(size > FEW_IMAGES for size in sizes)


def test_batches_give_the_predictions_of_single_images(worker, weights, digits):
    images = digits[0]
    batches = []
    worker.on_batch = batches.append
    answers = predict_all(worker, images, models=(0, 1))
    expected = [reading for file in weights for reading in Recognizer(file).predict(images)]
    for answer, single in zip(answers, expected, strict=True):
        assert answer.prediction.digit == single.digit
        assert answer.prediction.probabilities == pytest.approx(single.probabilities, abs=1e-5)
    assert sum(batches) == len(answers) == 400
    assert max(batches) > 64  # in one turn of the event loop


def test_two_threads_never_use_a_network_at_once(worker, digits, monkeypatch):
    """Several threads, each with its own event loop, send images; one thread predicts one batch at a time."""
    inside, threads = [], set()
    predict = Recognizer.predict

    def watched(recognizer, images):
        inside.append(1)
        threads.add(threading.current_thread().name)
        assert len(inside) == 1
        time.sleep(0.001)  # long enough for another thread to interfere
        try:
            return predict(recognizer, images)
        finally:
            inside.pop()

    monkeypatch.setattr(Recognizer, "predict", watched)
    images, found = digits[0][:30], {}
    clients = [
        threading.Thread(
            target=lambda number=number: found.update({number: predict_all(worker, images, models=(0, 1))})
        )
        for number in range(8)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join(TIMEOUT_S)
    assert threads == {"networks"}
    assert len(found) == 8
    digits_found = [[answer.prediction.digit for answer in answers] for answers in found.values()]
    assert all(one == digits_found[0] for one in digits_found)


def test_a_failure_affects_only_its_own_request(worker, digits, monkeypatch):
    predict = Recognizer.predict

    def failing_on_blank_images(recognizer, images):
        assert images.any()
        return predict(recognizer, images)

    monkeypatch.setattr(Recognizer, "predict", failing_on_blank_images)

    async def ask():
        with pytest.raises(AssertionError):
            await worker.predict(0, np.zeros((28, 28), np.uint8))
        return await worker.predict(0, digits[0][0])

    assert run(ask()).prediction.digit == digits[1][0]


def test_a_cancelled_request_does_not_disturb_others(worker, digits):
    async def ask():
        cancelled = asyncio.ensure_future(worker.predict(0, digits[0][0]))
        await asyncio.sleep(0)
        cancelled.cancel()
        return await worker.predict(0, digits[0][1])

    for _ in range(20):
        assert run(ask()).prediction.digit == digits[1][1]


def test_closing_answers_queued_requests_and_refuses_new_ones(weights, digits):
    before = set(threading.enumerate())
    worker = Worker(load_models(weights))

    async def ask():
        queued = [asyncio.ensure_future(worker.predict(0, image)) for image in digits[0][:50]]
        await asyncio.sleep(0)  # starts the requests
        await asyncio.sleep(0)  # hands their jobs over to the worker
        await asyncio.to_thread(worker.close)
        with pytest.raises(RequestError, match="stopping"):
            await worker.predict(0, digits[0][0])
        return await asyncio.gather(*queued)

    assert len(run(ask())) == 50
    assert [thread for thread in threading.enumerate() if thread.name == "networks" and thread not in before] == []


def test_a_file_that_cannot_be_loaded_is_an_error(tmp_path):
    (tmp_path / "none.h5").write_bytes(b"none")
    with pytest.raises(UserError, match=r"none\.h5"):
        load_models([tmp_path / "none.h5"])


def test_networks_of_the_same_name_get_unique_names():
    assert unique(["a", "b", "a", "a-2", "a"]) == ["a", "b", "a-2", "a-2-2", "a-3"]
