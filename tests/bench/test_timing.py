"""Test the order and the arithmetic of the timing, with a fake clock that only the contenders advance."""

import pytest

from fastdigits.bench.timing import MAX_STEPS, SAMPLE_S, Times, quartiles, ratios, steps_per_sample, time_in_turns


class Clock:
    """A clock that only advances while a contender runs."""

    def __init__(self):
        self.now, self.log = 0.0, []

    def __call__(self):
        return self.now

    def contender(self, name, seconds):
        """Return a contender that takes `seconds` per step; a list gives the seconds per step of successive calls."""
        calls = iter(seconds) if isinstance(seconds, list) else None

        def run(steps):
            self.log.append((name, steps))
            self.now += steps * (next(calls) if calls else seconds)

        return run

    def wait(self):
        self.log.append("wait")


@pytest.fixture
def clock():
    return Clock()


def _turns(clock):
    """Return the order of the turns, without the calls that determine the steps per sample."""
    start = clock.log.index("wait")
    return [clock.log[i + 2][0] for i in range(start, len(clock.log), 3)]


def test_contenders_take_turns_and_rotate(clock):
    run = [clock.contender(name, 0.05) for name in "abc"]
    time_in_turns(run, 3, 1e9, clock, clock.wait)
    assert _turns(clock) == list("abcbcacab")


def test_every_turn_is_a_wait_a_warm_up_and_a_timed_sample(clock):
    time_in_turns([clock.contender("a", 0.001)], 2, 1e9, clock, clock.wait)
    assert clock.log[clock.log.index("wait") :] == ["wait", ("a", 10), ("a", 40)] * 2


def test_seconds_are_per_step(clock):
    slow, fast = time_in_turns([clock.contender("a", 0.004), clock.contender("b", 0.001)], 5, 1e9, clock, clock.wait)
    assert slow.seconds == pytest.approx([0.004] * 5)
    assert fast.seconds == pytest.approx([0.001] * 5)
    assert (slow.steps, fast.steps) == (10, 40)
    assert ratios(slow, fast) == pytest.approx([4.0] * 5)


def test_the_first_call_and_the_warm_up_are_not_timed(clock):
    compiling = [9.0] + [0.1] * 3  # then a warm-up and a timed sample in each round
    (times,) = time_in_turns([clock.contender("a", [*compiling, 5.0, 0.1, 5.0, 0.2])], 2, 1e9, clock, clock.wait)
    assert times.seconds == pytest.approx([0.1, 0.2])


def test_the_budget_ends_the_timing_after_a_whole_round(clock):
    both = time_in_turns([clock.contender("a", 1.0), clock.contender("b", 1.0)], 100, 10.0, clock, clock.wait)
    assert [len(times.seconds) for times in both] == [1, 1]


def test_ratio_is_taken_round_by_round():
    """Interference that slows whole rounds cancels; the ratio of the two medians would not be the median ratio."""
    a, b = Times(1, [2.0, 20.0, 6.0]), Times(1, [1.0, 10.0, 2.0])
    assert ratios(a, b) == [2.0, 2.0, 3.0]


@pytest.mark.parametrize(("step_s", "steps"), [(1.0, 1), (0.001, 40), (1e-9, MAX_STEPS), (0.0, MAX_STEPS)])
def test_a_sample_takes_about_sample_s(clock, step_s, steps):
    assert steps_per_sample(clock.contender("a", step_s), clock) == steps
    assert steps in (1, MAX_STEPS) or steps * step_s == pytest.approx(SAMPLE_S)


def test_a_hiccup_does_not_shorten_samples(clock):
    hiccup = [0.0, 0.5, 0.01, 0.01]
    assert steps_per_sample(clock.contender("a", hiccup), clock) == 4


def test_median_and_quartiles():
    times = Times(3, [5.0, 1.0, 4.0, 2.0, 3.0])
    assert times.median == 3
    assert times.quartiles == (2, 4)
    assert quartiles([7.0]) == (7.0, 7.0)
