"""The threads of one parallel loop share the loops of a replay, and give the right numbers whoever comes."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
from numba import njit, prange

from fastdigits.ops import load
from fastdigits.ops.lanes import cpu
from fastdigits.ops.runtime import replay, team
from fastdigits.ops.runtime.team import compiled
from fastdigits.ops.runtime.team.atomics import this_thread

pytestmark = pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="this machine has one core")


@cpu.parallel
def add_index(x, y):
    for i in prange(len(x)):
        y[i] = x[i] + i


@cpu.parallel
def double(x, y, calls, threads):
    for i in prange(len(x)):
        y[i] = 2 * x[i]
        calls[i] += 1
        threads[i] = this_thread()


@cpu.parallel
def allocate(size, y):
    for i in prange(len(y)):
        y[i] = i
    y[0] = np.empty(size[0])[0]


@pytest.fixture
def two_threads():
    """Loops on two threads, of a layer that has a team."""
    ops = load("cpu", threads=2)
    ops.relu_forward(ops.zeros((1, ops.lanes)), ops.zeros((1, ops.lanes)))
    if team._TEAM.run is None:
        pytest.skip(f"Numba's threading layer here is {numba.threading_layer()}, which has no team")


class Chain:
    """A replay of two loops: y = 2 (x + index)."""

    def __init__(self, size):
        self.x, self.between, self.y = np.zeros(size), np.zeros(size), np.zeros(size)
        self.calls, self.threads = np.zeros(size, np.int64), np.zeros(size, np.int64)
        _, kernels = replay.record(self.kernels)
        self.replay = replay.replay_of(kernels)

    def kernels(self):
        add_index(self.x, self.between)
        double(self.between, self.y, self.calls, self.threads)

    def check(self, times):
        for number in range(times):
            self.x[:], self.calls[:] = number, 0
            self.replay()
            np.testing.assert_array_equal(self.y, 2.0 * (number + np.arange(len(self.x))))
            assert (self.calls == 1).all()


@pytest.mark.parametrize("size", [0, 1, 2, 3, 101, 10_000])
def test_each_loop_has_the_results_of_the_one_before(two_threads, size):
    Chain(size).check(300)


def test_another_thread_takes_part(two_threads):
    chain, deadline = Chain(10_000), time.monotonic() + 30
    while len(set(chain.threads)) < 2 and time.monotonic() < deadline:
        chain.check(10)
    assert len(set(chain.threads)) == 2


def test_one_thread_needs_no_team(two_threads):
    numba.set_num_threads(1)
    chain = Chain(1_000)
    chain.check(10)
    assert set(chain.threads) == {chain.threads[0]}
    numba.set_num_threads(2)


def test_several_python_threads_replay_at_once(two_threads):
    def work(size):
        numba.set_num_threads(2)
        Chain(size).check(2_000)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, [100, 200, 300, 400]))


@pytest.mark.parametrize("parts", [compiled.MAX_PARTS - 1, compiled.MAX_PARTS, 5 * compiled.MAX_PARTS])
def test_loops_may_have_many_parts_and_more_than_the_team_has_places_for(two_threads, parts):
    """Those of more parts go on to the layer."""
    chain = Chain(parts)
    numba.set_parallel_chunksize(1)
    try:
        chain.check(300)
    finally:
        numba.set_parallel_chunksize(0)
    chain.check(100)


def test_loops_outside_of_replays_are_those_of_the_layer(two_threads):
    @njit(parallel=True)
    def of_somebody_else(x):
        total = 0.0
        for i in prange(len(x)):
            total += x[i]
        return total

    Chain(100).check(10)
    assert of_somebody_else(np.arange(1000.0)) == 499_500


@njit(parallel=True)
def sum_of_squares(n):
    total = 0
    for i in prange(n):
        total += i * i
    return total


@cpu.parallel
def fill_with_sums(y):
    for i in prange(len(y)):
        y[i] = sum_of_squares(i)


def test_loops_within_loops_are_those_of_the_layer(two_threads):
    y = np.zeros(300, np.int64)
    _, kernels = replay.record(fill_with_sums, y)
    run = replay.replay_of(kernels)
    expected = [sum(i * i for i in range(n)) for n in range(300)]
    for _ in range(30):
        y[:] = 0
        run()
        assert y.tolist() == expected


def test_memory_that_runs_out_ends_the_replay(two_threads, checks):
    size, y = np.ones(1, np.int64), np.zeros(100)
    _, kernels = replay.record(allocate, size, y)
    checks.check_memory_error(replay.replay_of(kernels), size)
    Chain(100).check(100)


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # of Python 3.12, which sees the other threads
def test_a_forked_process_has_a_team_of_its_own(two_threads):
    if numba.threading_layer() != "tbb":
        pytest.skip("OpenMP's threads do not survive a fork")
    chain = Chain(1_000)
    chain.check(10)
    child = os.fork()
    if child == 0:
        try:
            chain.check(1_000)
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    chain.check(10)
