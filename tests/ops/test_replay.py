"""Captured functions on one image: the same kernels in a single call of compiled code."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numba import njit

from fastdigits.ops.array import reference
from fastdigits.ops.runtime import replay
from fastdigits.ops.runtime.replay import Captured, recordable, unrecorded

pytestmark = pytest.mark.slow

CALLS = replay.RECORDED_CALL + 3  # plain, recorded, then replayed


@recordable
@njit(nogil=True)
def scale_rows(x, factors, offset, first, y):
    for i in range(first, len(x)):
        for j in range(x.shape[1]):
            y[i, j] = x[i, j] * factors[i] + offset


@recordable
@njit(nogil=True)
def add(x, y):
    y += x


@recordable
@njit(nogil=True)
def allocate(size, y):
    y[0] = np.empty(size[0])[0]


@recordable
@njit(nogil=True)
def store_all(flag, small, large, single, double, pair, view, y):
    y[0], y[1], y[2], y[3] = flag, small, large, single
    y[4], y[5], y[6], y[7] = double, pair[0], pair[1], view[1, 2]


def arrays(rows=3, columns=5):
    x = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    return x, np.arange(rows, dtype=np.float64), np.full_like(x, np.nan), np.zeros_like(x)


def chain(x, factors, y, total):
    """Return a function of two kernels, which fills y and adds it to the total."""

    def kernels():
        scale_rows(x, factors, np.float32(0.5), 1, y)
        add(y[1:], total[1:])
        return total

    return kernels


def test_a_replay_reads_the_arrays_as_they_are_now():
    x, factors, y, total = arrays()
    captured, expected = Captured(chain(x, factors, y, total)), np.zeros_like(x)
    for call in range(CALLS):
        x += 1
        expected[1:] += (x * factors[:, None] + 0.5)[1:].astype(np.float32)
        assert captured() is total
        np.testing.assert_array_equal(total, expected, err_msg=f"call {call}")
    assert captured.replays
    assert np.isnan(y[0]).all()


@pytest.mark.parametrize("make", [Captured, reference.captured], ids=["compiled", "reference"])
@pytest.mark.parametrize("before", range(CALLS))
def test_one_call_may_repeat_the_kernels(make, before):
    """Also if some of the repetitions are not replayed yet."""
    x, factors, y, total = arrays()
    captured = make(chain(x, factors, y, total))
    for _ in range(before):
        captured()
    assert captured(times=5) is total
    np.testing.assert_array_equal(total[1:], np.float32(before + 5) * y[1:])


def test_each_set_of_arguments_has_its_own_replay():
    y = np.zeros(2, np.float32)

    def add_power(exponent):
        add(np.full(2, 2.0**exponent, np.float32), y)
        return exponent

    captured = Captured(add_power)
    for _ in range(CALLS):
        assert (captured(1), captured(3)) == (1, 3)
    np.testing.assert_array_equal(y, CALLS * 10)


def test_a_function_with_an_operation_in_numpy_is_called_every_time():
    x, factors, y, total = arrays()
    kernels, calls = chain(x, factors, y, total), []
    count = unrecorded(lambda: calls.append(1))

    def mixed():
        kernels()
        count()

    captured = Captured(mixed)
    for _ in range(CALLS):
        captured()
    assert len(calls) == CALLS
    np.testing.assert_array_equal(total[1:], CALLS * y[1:])


def test_a_replay_has_arguments_of_all_types():
    view, y = np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::-2], np.zeros(8)
    arguments = (True, np.int32(-7), 2**40 + 1, np.float32(1 / 3), -1e300, (np.uint8(200), np.float32(0.5)), view)
    _, calls = replay.record(lambda: store_all(*arguments, y))
    expected = [1, -7, 2**40 + 1, np.float32(1 / 3), -1e300, 200, 0.5, 13]
    assert y.tolist() == expected
    y[:] = 0
    replay.replay_of(calls)()
    assert y.tolist() == expected


def test_an_error_while_recording_ends_the_recording():
    y = np.zeros(1, np.float32)

    def fail():
        raise ValueError("a wrong shape")

    with pytest.raises(ValueError, match="wrong shape"):
        replay.record(fail)
    add(np.ones(1, np.float32), y)
    assert replay.record(lambda: None) == (None, [])


def test_memory_that_runs_out_in_a_replay_is_an_error(checks):
    size, y = np.ones(1, np.int64), np.zeros(1)
    captured = Captured(lambda: allocate(size, y))
    for _ in range(CALLS):
        captured()
    checks.check_memory_error(captured, size)


def test_several_threads_record_and_replay_functions_of_their_own():
    def total_of(seed):
        x, factors, y, total = arrays(seed + 2)
        captured = Captured(chain(x, factors, y, total))
        for _ in range(CALLS):
            captured()
        return total, np.float32(CALLS) * y

    with ThreadPoolExecutor(8) as pool:
        for total, expected in pool.map(total_of, range(16)):
            np.testing.assert_array_equal(total[1:], expected[1:])


def test_kernels_that_several_processes_compiled_are_not_mixed_up(tmp_path, monkeypatch):
    """A third process loads two variants of a kernel, with the same name, from the cache, and replays each of them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    program = [sys.executable, Path(__file__).with_name("variants_of_a_kernel.py")]
    results = [
        subprocess.run([*program, *amounts], capture_output=True, text=True, check=True, timeout=300).stdout.split()
        for amounts in ("3", "5", "35")
    ]
    assert results == [["3", "3"], ["5", "5"], ["3", "5", "3", "5"]]
