"""Bound the memory that all requests together take for pictures."""

import asyncio
import threading
from contextlib import suppress


class Budget:
    """An amount that requests take shares of; a request whose share is not free waits.

    `release` may be called from any thread, so that a share is given back when the thread that uses it is done, even
    if the request has been cancelled before.
    """

    def __init__(self, total: int):
        self.total, self.free = total, total
        self._lock = threading.Lock()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def acquire(self, share: int) -> None:
        """Wait until a share, of at most `total`, is free, and take it."""
        loop, freed = asyncio.get_running_loop(), asyncio.Event()
        while True:
            with self._lock:
                if share <= self.free:
                    self.free -= share
                    return
                freed.clear()
                self._waiting.append((loop, freed))
            await freed.wait()

    def release(self, share: int) -> None:
        """Give a share back, and let all waiting requests try again."""
        with self._lock:
            self.free += share
            waiting, self._waiting = self._waiting, []
        for loop, freed in waiting:
            with suppress(RuntimeError):  # the loop is closed, so nobody waits
                loop.call_soon_threadsafe(freed.set)
