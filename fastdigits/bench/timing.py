"""Times of several contenders who take turns, so that whatever disturbs the machine hits all alike."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter, process_time, sleep

SAMPLE_S = 0.04  # one timed stretch: many steps, so that neither the clock nor a rare hiccup counts
MAX_STEPS = 1000
WARM_UP = 0.25  # steps before each timed stretch, as a share of it: caches and sleeping threads
TRIES = 3  # of each number of steps that is tried, lest one hiccup makes all stretches short
REST_S = 0.01  # longer than the ticks in which some systems count a process's seconds
MAX_RESTS = 30

Steps = Callable[[int], object]


@dataclass(frozen=True)
class Times:
    """Seconds per step of one contender, one figure for each round; a stretch has so many steps."""

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


def time_in_turns(
    contenders: list[Steps],
    rounds: int,
    budget_s: float,
    clock: Callable[[], float] = perf_counter,
    rest: Callable[[], None] | None = None,
) -> list[Times]:
    """Time contenders in rounds; in each round all take their turn, the first of one round being the last of the next.

    Parameters
    ----------
    contenders : list of functions
        Each runs as many steps as it is told. The first call, which may compile, is not timed.
    rounds : int
    budget_s : float
        No round begins after so many seconds, but one always does.
    clock, rest : functions, optional
        Give the time in seconds, and wait before a contender's turn.
    """
    rest, begin = rest or wait_until_idle, clock()
    lengths = [steps_per_sample(run, clock) for run in contenders]
    seconds: list[list[float]] = [[] for _ in contenders]
    for number in range(rounds):
        if number and clock() - begin > budget_s:
            break
        for place in range(len(contenders)):
            at = (number + place) % len(contenders)
            rest()
            contenders[at](max(1, round(lengths[at] * WARM_UP)))
            seconds[at].append(timed(contenders[at], lengths[at], clock) / lengths[at])
    return [Times(length, times) for length, times in zip(lengths, seconds, strict=True)]


def steps_per_sample(run: Steps, clock: Callable[[], float]) -> int:
    """How many steps a stretch of SAMPLE_S has, found by runs that double; the very first does not count."""
    run(1)
    steps = 1
    while True:
        seconds = min(timed(run, steps, clock) for _ in range(TRIES))
        if seconds >= SAMPLE_S / 4 or steps >= MAX_STEPS:
            break
        steps *= 2
    return min(max(1, round(steps * SAMPLE_S / max(seconds, 1e-9))), MAX_STEPS)


def timed(run: Steps, steps: int, clock: Callable[[], float]) -> float:
    """The seconds that so many steps take."""
    start = clock()
    run(steps)
    return clock() - start


def wait_until_idle() -> None:
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
