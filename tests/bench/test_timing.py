"""Who is timed when, and what becomes of the seconds, with a clock that the contenders move themselves."""

import pytest

from fastdigits.bench.timing import MAX_STEPS, SAMPLE_S, Times, quartiles, ratios, steps_per_sample, time_in_turns


class Clock:
    """A clock that stands still unless a contender works."""

    def __init__(self):
        self.now, self.log = 0.0, []

    def __call__(self):
        return self.now

    def contender(self, name, seconds):
        """One that takes so many seconds a step; a list gives those of its calls one after the other."""
        calls = iter(seconds) if isinstance(seconds, list) else None

        def run(steps):
            self.log.append((name, steps))
            self.now += steps * (next(calls) if calls else seconds)

        return run

    def rest(self):
        self.log.append("rest")


@pytest.fixture
def clock():
    return Clock()


def _turns(clock):
    """Whose turn it was, without the calls that find the lengths of the stretches."""
    start = clock.log.index("rest")
    return [clock.log[i + 2][0] for i in range(start, len(clock.log), 3)]


def test_contenders_take_turns_and_rotate(clock):
    run = [clock.contender(name, 0.05) for name in "abc"]
    time_in_turns(run, 3, 1e9, clock, clock.rest)
    assert _turns(clock) == list("abcbcacab")


def test_every_turn_is_a_rest_a_warm_up_and_a_timed_stretch(clock):
    time_in_turns([clock.contender("a", 0.001)], 2, 1e9, clock, clock.rest)
    assert clock.log[clock.log.index("rest") :] == ["rest", ("a", 10), ("a", 40)] * 2


def test_seconds_are_those_of_a_step(clock):
    slow, fast = time_in_turns([clock.contender("a", 0.004), clock.contender("b", 0.001)], 5, 1e9, clock, clock.rest)
    assert slow.seconds == pytest.approx([0.004] * 5)
    assert fast.seconds == pytest.approx([0.001] * 5)
    assert (slow.steps, fast.steps) == (10, 40)
    assert ratios(slow, fast) == pytest.approx([4.0] * 5)


def test_first_call_and_warm_up_do_not_count(clock):
    compiling = [9.0] + [0.1] * 3  # then a warm-up and a timed stretch in each round
    (times,) = time_in_turns([clock.contender("a", [*compiling, 5.0, 0.1, 5.0, 0.2])], 2, 1e9, clock, clock.rest)
    assert times.seconds == pytest.approx([0.1, 0.2])


def test_budget_ends_a_race_after_a_whole_round(clock):
    both = time_in_turns([clock.contender("a", 1.0), clock.contender("b", 1.0)], 100, 10.0, clock, clock.rest)
    assert [len(times.seconds) for times in both] == [1, 1]


def test_ratio_is_taken_round_by_round():
    """Noise that slows whole rounds cancels; medians of each alone would tell 3 / 2."""
    a, b = Times(1, [2.0, 20.0, 6.0]), Times(1, [1.0, 10.0, 2.0])
    assert ratios(a, b) == [2.0, 2.0, 3.0]


@pytest.mark.parametrize(("step_s", "steps"), [(1.0, 1), (0.001, 40), (1e-9, MAX_STEPS), (0.0, MAX_STEPS)])
def test_length_of_a_stretch(clock, step_s, steps):
    assert steps_per_sample(clock.contender("a", step_s), clock) == steps
    assert steps in (1, MAX_STEPS) or steps * step_s == pytest.approx(SAMPLE_S)


def test_hiccup_does_not_shorten_stretches(clock):
    hiccup = [0.0, 0.5, 0.01, 0.01]
    assert steps_per_sample(clock.contender("a", hiccup), clock) == 4


def test_median_and_quartiles():
    times = Times(3, [5.0, 1.0, 4.0, 2.0, 3.0])
    assert times.median == 3
    assert times.quartiles == (2, 4)
    assert quartiles([7.0]) == (7.0, 7.0)
