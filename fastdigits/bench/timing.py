"""Time several contenders in turns, so that disturbances of the machine affect all of them alike."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter, process_time, sleep

SAMPLE_S = 0.04  # duration of one timed sample: long compared with the clock's resolution and with short disturbances
MAX_STEPS = 1000
WARM_UP = 0.25  # steps before each sample, as a fraction of its steps: they fill caches and wake threads
TRIES = 3  # for each number of steps, so that one disturbance does not make all samples too short
IDLE_CHECK_S = 0.01  # longer than the ticks in which some systems count the CPU time of a process
MAX_IDLE_CHECKS = 30

Steps = Callable[[int], object]


@dataclass(frozen=True)
class Times:
    """Seconds per step of one contender, one value per round, and the number of steps in each timed sample."""

    steps: int
    seconds: list[float]

    @property
    def median(self) -> float:
        """The median of the seconds per step."""
        return median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and third quartile of the seconds per step."""
        return quartiles(self.seconds)


def time_in_turns(
    contenders: list[Steps],
    rounds: int,
    budget_s: float,
    clock: Callable[[], float] = perf_counter,
    wait: Callable[[], None] | None = None,
) -> list[Times]:
    """Time every contender once per round, rotating the order by one place from round to round.

    Parameters
    ----------
    contenders : list of functions
        Each takes a number of steps and runs them. The first call may compile and is not timed.
    rounds : int
        Number of rounds, at most.
    budget_s : float
        No round but the first starts after this many seconds.
    clock : function
        Returns the time in seconds.
    wait : function, optional
        Called before each contender's turn; `wait_until_idle` by default.

    Returns
    -------
    list of Times
        In the order of `contenders`.
    """
    wait, start = wait or wait_until_idle, clock()
    steps = [steps_per_sample(run, clock) for run in contenders]
    seconds: list[list[float]] = [[] for _ in contenders]
    for number in range(rounds):
        if number and clock() - start > budget_s:
            break
        for turn in range(len(contenders)):
            at = (number + turn) % len(contenders)
            wait()
            contenders[at](max(1, round(steps[at] * WARM_UP)))
            seconds[at].append(timed(contenders[at], steps[at], clock) / steps[at])
    return [Times(count, times) for count, times in zip(steps, seconds, strict=True)]


def steps_per_sample(run: Steps, clock: Callable[[], float]) -> int:
    """Find the number of steps that take about SAMPLE_S, by doubling it; the very first call is not timed."""
    run(1)
    steps = 1
    while True:
        seconds = min(timed(run, steps, clock) for _ in range(TRIES))
        if seconds >= SAMPLE_S / 4 or steps >= MAX_STEPS:
            break
        steps *= 2
    return min(max(1, round(steps * SAMPLE_S / max(seconds, 1e-9))), MAX_STEPS)


def timed(run: Steps, steps: int, clock: Callable[[], float]) -> float:
    """Return the seconds that `run(steps)` takes."""
    start = clock()
    run(steps)
    return clock() - start


def wait_until_idle() -> None:
    """Sleep until the threads of this process are idle.

    After finishing their work, threads spin for a while in case more arrives, and take cores from the next contender:
    those of our kernels for 3 ms, PyTorch 8 ms, ONNX Runtime 33 ms, NumPy 105 ms (measured).
    """
    for _ in range(MAX_IDLE_CHECKS):
        before = process_time()
        sleep(IDLE_CHECK_S)
        if process_time() - before < IDLE_CHECK_S / 10:
            return


def ratios(times: Times, base: Times) -> list[float]:
    """Return the time of each round divided by the time of `base` in the same round."""
    return [ours / theirs for ours, theirs in zip(times.seconds, base.seconds, strict=True)]


def quartiles(values: list[float]) -> tuple[float, float]:
    """Return the first and third quartile of at least one value."""
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, high
