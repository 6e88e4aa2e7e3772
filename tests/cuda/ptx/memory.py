"""Memory of a GPU that knows which bytes are initialized, and which threads have read and written them."""

from collections.abc import Callable
from math import prod

import numpy as np

# A stamp says who uses memory, and when: from the lowest bit on the thread of its block, the block, how many barriers
# the block has passed, and the launch.
BLOCK_AT, BARRIER_AT, LAUNCH_AT = 11, 31, 43
BARRIER = 1 << BARRIER_AT
SEVERAL_THREADS, SEVERAL_BLOCKS = np.int64((1 << BLOCK_AT) - 1), np.int64((1 << BARRIER_AT) - 1)
JOINT = np.int64(1) << 62  # marks what all lanes of a warp have written together
PADDING = 16  # bytes, so that memory can be viewed as numbers of any size


class Unsafe(Exception):
    """An access to memory that breaks a rule.

    Attributes
    ----------
    which : int
        Position of the first such access among those that were made together.
    """

    def __init__(self, rule: str, wrong: np.ndarray):
        super().__init__(rule)
        self.which = int(np.argmax(wrong))


class Memory:
    """Some bytes with the threads that have used them.

    Two threads race that use the same number if one of them writes and nothing orders them: a barrier, if they are of
    the same block, or the end of a launch, if the other launch is after that. Only lanes of a warp may write together,
    all the same number.

    Parameters
    ----------
    nbytes : int
    granule : int
        Bytes that count as one place: the size of a number.
    """

    def __init__(self, nbytes: int, granule: int):
        padded = -(-nbytes // PADDING) * PADDING
        self.nbytes, self.shift = nbytes, granule.bit_length() - 1
        self.bytes, self.initialized = (np.zeros(padded, np.uint8) for _ in range(2))
        self.complete = False  # whether all bytes are initialized
        self.watched = True  # whether reads are remembered; they cannot race if nobody writes
        self.writers = np.zeros(padded // granule, np.int64)
        self.readers = {0: np.zeros_like(self.writers)}  # by stream: the launches of one are in order
        self.stream = 0  # that of the launch that runs
        self.concurrent: dict[int, str] = {}  # numbers and kernels of earlier launches that nothing orders before it

    def array(self, shape: tuple[int, ...], dtype: np.dtype, source: np.ndarray | None = None) -> np.ndarray:
        """Return a view of the bytes, or of `source` instead."""
        source = self.bytes if source is None else source
        return source[: prod(shape) * dtype.itemsize].view(dtype).reshape(shape)

    def is_initialized(self) -> bool:
        return bool(self.initialized[: self.nbytes].all())

    def load(self, at: np.ndarray, dtype: np.dtype, stamps: np.ndarray) -> np.ndarray:
        """Return the numbers at byte offsets; `stamps` says who reads them and when."""
        index = at >> (dtype.itemsize.bit_length() - 1)
        if not self.complete:
            wrong = self.initialized.view(f"u{dtype.itemsize}")[index] != _ones(dtype.itemsize)
            if wrong.any():
                raise Unsafe("reads uninitialized memory", wrong)
        if self.watched:
            self._read(at >> self.shift, stamps)
        return self.bytes.view(dtype)[index]

    def store(self, at: np.ndarray, values: np.ndarray, stamps: np.ndarray) -> None:
        """Write numbers to byte offsets; `stamps` says who writes them and when."""
        assert self.watched, "a kernel writes to an array that no store was seen to use"
        index = at >> (values.dtype.itemsize.bit_length() - 1)
        numbers = self.bytes.view(values.dtype)
        numbers[index] = values
        bits = f"u{values.dtype.itemsize}"
        self._write(at >> self.shift, stamps, lambda: numbers.view(bits)[index] == values.view(bits))
        if not self.complete:
            self.initialized.view(bits)[index] = _ones(values.dtype.itemsize)

    def _read(self, places: np.ndarray, stamps: np.ndarray) -> None:
        _raise_if(_conflict(self.writers[places], stamps), "reads what another thread has written")
        self._raise_if_concurrent(self.writers[places], "reads what {}, which nothing orders before it, has written")
        if self.stream not in self.readers:
            self.readers[self.stream] = np.zeros_like(self.writers)
        readers = self.readers[self.stream]
        before = readers[places]
        readers[places] = stamps
        last = readers[places]
        mates = _are_mates(before, stamps) | _are_mates(last, stamps)
        readers[places[mates]] = stamps[mates] | SEVERAL_THREADS
        foreign = _are_foreign(before, stamps) | _are_foreign(last, stamps)
        readers[places[foreign]] = stamps[foreign] | SEVERAL_BLOCKS

    def _write(self, places: np.ndarray, stamps: np.ndarray, kept: Callable[[], np.ndarray]) -> None:
        before = self.writers[places]
        _raise_if(_conflict(before, stamps), "writes what another thread has written")
        self._raise_if_concurrent(before, "writes what {}, which nothing orders before it, has written")
        for readers in self.readers.values():
            _raise_if(_conflict(readers[places], stamps), "writes what another thread has read")
            self._raise_if_concurrent(readers[places], "writes what {}, which nothing orders before it, has read")
        self.writers[places] = stamps
        last = self.writers[places]
        together = last != stamps
        if together.any():
            _raise_if(_warp(last) != _warp(stamps), "writes what another thread writes at the same time")
            _raise_if(together & ~kept(), "writes another number than another lane at the same time")
            self.writers[places[together]] |= JOINT

    def _raise_if_concurrent(self, before: np.ndarray, rule: str) -> None:
        """Refuse earlier accesses by launches that are concurrent with the one that runs."""
        if self.concurrent:
            launches = (before & ~JOINT) >> LAUNCH_AT
            wrong = np.isin(launches, list(self.concurrent))
            if wrong.any():
                raise Unsafe(rule.format(self.concurrent[int(launches[np.argmax(wrong)])]), wrong)


def _raise_if(wrong: np.ndarray, rule: str) -> None:
    if wrong.any():
        raise Unsafe(rule, wrong)


def _ones(itemsize: int) -> int:
    """Return the number whose bytes are all 1."""
    return int.from_bytes(b"\1" * itemsize, "little")


def stamps_of(launch: int, blocks: np.ndarray, threads: np.ndarray) -> np.ndarray:
    """Return the stamps of threads, by their numbers within blocks, before any barrier."""
    return np.int64(launch) << LAUNCH_AT | blocks << BLOCK_AT | threads


def _warp(stamps: np.ndarray) -> np.ndarray:
    return (stamps & ~JOINT) >> 5


def _are_foreign(before: np.ndarray, stamps: np.ndarray) -> np.ndarray:
    """Return where an earlier access is of the same launch, but of another block."""
    differ = (before ^ stamps) & ~JOINT
    return (differ >> LAUNCH_AT == 0) & (differ & SEVERAL_BLOCKS & ~SEVERAL_THREADS != 0)


def _are_mates(before: np.ndarray, stamps: np.ndarray) -> np.ndarray:
    """Return where an earlier access is of another thread of the same block, with no barrier between."""
    differ = (before ^ stamps) & ~JOINT
    return (differ >> BLOCK_AT == 0) & (differ != 0)


def _conflict(before: np.ndarray, stamps: np.ndarray) -> np.ndarray:
    """Return where nothing orders an access after an earlier one of another thread."""
    together = (before & JOINT != 0) & (_warp(before) == _warp(stamps))
    return _are_foreign(before, stamps) | (_are_mates(before, stamps) & ~together)
