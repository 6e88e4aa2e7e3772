"""One thread is used where several are slower, whatever the reason."""

import numba
import pytest

from fastdigits.ops.runtime import thread_choice
from fastdigits.ops.runtime.thread_choice import MAX_HOLD, RECHECK, TRIAL, TRIAL_S, ThreadChoice, on_all_or_one

ALONE_S, TOGETHER_S, BUSY_S, LOST_S = 1.2e-3, 0.7e-3, 1.3e-3, 9e-3  # of a step: one thread, two, next to a busy program


def run(choice, calls, seconds_together):
    """Return the number of calls that ran on one thread."""
    alone = 0
    for call in range(calls):
        alone += choice.one_thread
        choice.add(ALONE_S if choice.one_thread else seconds_together(call))
    return alone


def test_all_threads_are_used_where_they_are_faster():
    choice = ThreadChoice()
    assert run(choice, RECHECK, lambda call: TOGETHER_S) == TRIAL
    assert run(choice, 100 * RECHECK, lambda call: TOGETHER_S) < 0.01 * 100 * RECHECK


def test_threads_that_are_late_do_not_decide_about_short_calls():
    choice, alone_s = ThreadChoice(), TRIAL_S / 39
    calls = 0
    while choice.one_thread:
        choice.add(alone_s)
        calls += 1
    assert calls == 40
    choice.add(10 * alone_s)  # until the others were awake
    assert run(choice, 200, lambda call: alone_s / 2) == 0


def test_one_call_that_waits_for_a_lost_core_changes_nothing():
    choice = ThreadChoice()
    run(choice, TRIAL, lambda call: TOGETHER_S)
    assert run(choice, 800, lambda call: LOST_S if call % 200 == 100 else TOGETHER_S) == 0


def test_one_thread_is_used_where_several_are_slower():
    choice = ThreadChoice()
    alone = run(choice, 10_000, lambda call: LOST_S if call % 30 == 0 else BUSY_S)
    assert alone > 0.9 * 10_000


def test_all_threads_are_used_again_soon_after_another_program_has_ended():
    choice = ThreadChoice()
    run(choice, 10_000, lambda call: BUSY_S)
    assert run(choice, 10_000, lambda call: TOGETHER_S) <= MAX_HOLD + 10 * TRIAL


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setattr(thread_choice, "TRIAL_S", 0)  # so that a trial of what takes no time ends
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("this machine has one core")
    before = numba.get_num_threads()
    numba.set_num_threads(2)
    yield
    numba.set_num_threads(before)


def test_the_number_of_threads_is_restored_after_every_call(two_threads):
    seen = []

    def function(times):
        seen.extend([numba.get_num_threads()] * times)
        if len(seen) == 3:
            raise MemoryError

    together = on_all_or_one(function, 2)
    for call in range(TRIAL + 2):
        if call == 2:
            with pytest.raises(MemoryError):
                together(1)
        else:
            together(1)
        assert numba.get_num_threads() == 2
    assert seen == [1] * TRIAL + [2, 2]


def test_of_many_calls_at_once_as_many_are_on_one_thread(two_threads):
    seen = []
    on_all_or_one(lambda times: seen.append((times, numba.get_num_threads())), 2)(TRIAL + 3)
    assert seen == [(TRIAL, 1), (3, 2)]


def test_on_one_thread_there_is_no_choice():
    assert on_all_or_one(run, 1) is run
