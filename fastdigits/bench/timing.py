"""Times of several contestants who take turns, so that whatever disturbs the machine hits all alike."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter, process_time, sleep

STRETCH_S = 0.04  # one timed stretch: many steps, so that neither the clock nor a rare hiccup counts
MAX_STEPS = 1000
WARM_UP = 0.25  # steps before each timed stretch, as a share of it: caches and sleeping threads
TRIES = 3  # of each number of steps that is tried, lest one hiccup makes all stretches short
REST_S = 0.01  # longer than the ticks in which some systems count a process's seconds
MAX_RESTS = 30

Steps = Callable[[int], object]


@dataclass(frozen=True)
class Times:
    """Seconds per step of one contestant, one figure for each round; a stretch has so many steps."""

    steps: int
    seconds: list[float]

    @property
    def median(self) -> float:
        """Seconds per step, in the middle of all rounds."""
        return median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The spread: half of all rounds lie between these seconds per step."""
        return quartiles(self.seconds)


def race(
    contestants: list[Steps],
    rounds: int,
    budget_s: float,
    clock: Callable[[], float] = perf_counter,
    rest: Callable[[], None] | None = None,
) -> list[Times]:
    """Time contestants in rounds; in each round all take their turn, the first of one round being the last of the next.

    Parameters
    ----------
    contestants : list of functions
        Each runs as many steps as it is told. The first call, which may compile, is not timed.
    rounds : int
    budget_s : float
        No round begins after so many seconds, but one always does.
    clock, rest : functions, optional
        Give the time in seconds, and wait before a contestant's turn.
    """
    rest, begin = rest or wait_for_threads, clock()
    lengths = [stretch_steps(run, clock) for run in contestants]
    seconds: list[list[float]] = [[] for _ in contestants]
    for number in range(rounds):
        if number and clock() - begin > budget_s:
            break
        for place in range(len(contestants)):
            at = (number + place) % len(contestants)
            rest()
            contestants[at](max(1, round(lengths[at] * WARM_UP)))
            seconds[at].append(timed(contestants[at], lengths[at], clock) / lengths[at])
    return [Times(length, times) for length, times in zip(lengths, seconds, strict=True)]


def stretch_steps(run: Steps, clock: Callable[[], float]) -> int:
    """How many steps a stretch of STRETCH_S has, found by runs that double; the very first does not count."""
    run(1)
    steps = 1
    while True:
        seconds = min(timed(run, steps, clock) for _ in range(TRIES))
        if seconds >= STRETCH_S / 4 or steps >= MAX_STEPS:
            break
        steps *= 2
    return min(max(1, round(steps * STRETCH_S / max(seconds, 1e-9))), MAX_STEPS)


def timed(run: Steps, steps: int, clock: Callable[[], float]) -> float:
    """The seconds that so many steps take."""
    start = clock()
    run(steps)
    return clock() - start


def wait_for_threads() -> None:
    """Sleep until no thread of this process works any more.

    Threads that finished their share stay awake for the next one, and take the cores of whoever is timed
    then: for 3 ms those of our kernels, 8 ms PyTorch's, 33 ms ONNX Runtime's and 105 ms NumPy's (measured).
    """
    for _ in range(MAX_RESTS):
        before = process_time()
        sleep(REST_S)
        if process_time() - before < REST_S / 10:
            return


def ratios(times: Times, base: Times) -> list[float]:
    """How many times as long as `base` it took, round by round."""
    return [ours / theirs for ours, theirs in zip(times.seconds, base.seconds, strict=True)]


def quartiles(values: list[float]) -> tuple[float, float]:
    """The first and the third quartile of at least one value."""
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, high
