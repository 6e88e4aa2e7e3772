"""Pictures of all requests share a budget of memory."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from fastdigits.errors import UserError
from fastdigits.serve import recognition
from fastdigits.serve.budget import Budget
from fastdigits.serve.limits import Limits

TIMEOUT_S = 60


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, TIMEOUT_S))


def test_a_share_that_is_not_free_waits_and_smaller_ones_pass():
    async def ask():
        budget, order = Budget(10), []

        async def take(share):
            await budget.acquire(share)
            order.append(share)

        await take(6)
        large, small = asyncio.ensure_future(take(7)), asyncio.ensure_future(take(4))
        await small
        assert order == [6, 4]
        assert not large.done()
        budget.release(6)
        await asyncio.sleep(0)
        assert not large.done()  # 6 are free
        budget.release(4)
        await large
        return budget.free

    assert run(ask()) == 3


def test_a_thread_may_release_a_share():
    async def ask():
        budget = Budget(1)
        await budget.acquire(1)
        threading.Thread(target=budget.release, args=(1,)).start()
        await budget.acquire(1)

    run(ask())


def test_a_cancelled_wait_takes_nothing():
    async def ask():
        budget = Budget(1)
        await budget.acquire(1)
        waiting = asyncio.ensure_future(budget.acquire(1))
        await asyncio.sleep(0)
        waiting.cancel()
        budget.release(1)
        await budget.acquire(1)

    run(ask())


MODEL = SimpleNamespace(calibration=None)


@pytest.fixture
def service(monkeypatch):
    """A service that reads pictures of 1 byte, 5 at a time, only while `gate` is set; `reading` lists the contents."""
    service = recognition.RecognitionService(
        SimpleNamespace(close=lambda: None), None, Limits(decoder_bytes=5, seconds=TIMEOUT_S)
    )
    service.gate, service.reading, service.peak = threading.Event(), [], 0
    lock = threading.Lock()

    def open_picture(content, max_pixels):
        with lock:
            service.reading.append(content)
            service.peak = max(service.peak, len(service.reading))
        assert service.gate.wait(TIMEOUT_S)
        with lock:
            service.reading.remove(content)
        raise UserError("read")

    monkeypatch.setattr(recognition, "decoder_bytes", lambda content, max_pixels: 3)
    monkeypatch.setattr(recognition, "open_picture", open_picture)
    yield service
    service.gate.set()
    service.close()


def test_only_so_many_pictures_are_decoded_at_once(service):
    async def ask():
        asked = [asyncio.ensure_future(service._recognize_file(MODEL, bytes([n]), False)) for n in range(6)]
        service.gate.set()
        await asyncio.gather(*asked, return_exceptions=True)

    run(ask())
    assert service.peak == 1
    assert service._decoders.free == 5


def test_a_cancelled_request_holds_its_share_until_its_thread_is_done(service):
    async def ask():
        asked = asyncio.ensure_future(service._recognize_file(MODEL, b"a", False))
        while not service.reading:
            await asyncio.sleep(0.001)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert service._decoders.free == 2
        service.gate.set()
        await service._decoders.acquire(5)

    run(ask())


def test_closing_drops_the_work_that_waits_for_a_thread(service, monkeypatch):
    monkeypatch.setattr(recognition, "decoder_bytes", lambda content, max_pixels: 0)

    async def ask():
        asked = [asyncio.ensure_future(service._recognize_file(MODEL, bytes([n]), False)) for n in range(60)]
        while not service.reading:
            await asyncio.sleep(0.001)
        closing = asyncio.ensure_future(asyncio.to_thread(service.close))
        while not service._threads._shutdown:
            await asyncio.sleep(0.001)
        service.gate.set()
        await closing
        await asyncio.gather(*asked, return_exceptions=True)

    run(ask())
    assert service.peak < 60
    assert service.reading == []
