"""Which contestants there are for a network, and how long they take."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from types import ModuleType
from typing import Any

from fastdigits.bench import networks
from fastdigits.bench.noise import MAX_CORES, watch_others
from fastdigits.bench.task import TRAINING, Contestant, Task, check_agreement
from fastdigits.bench.timing import Times, quartiles, race, ratios

BUDGET_S = 15.0  # for one network, trained or used
TRIAL_ROUNDS, TRIAL_BUDGET_S = 5, 5.0  # to find a framework's best way

Say = Callable[[str], Any]


@dataclass(frozen=True)
class Row:
    """One contestant in one race.

    `ratio` is how many times as long as the first contestant it took, `other_cores` how many cores other
    programs used during the race, None where the system does not tell.
    """

    mode: str
    model: str
    batch_size: int
    contestant: str
    variant: str
    device: str
    steps: int
    seconds: list[float]
    best_s: float
    median_s: float
    quartiles_s: tuple[float, float]
    images_per_second: float
    gflops: float
    ratio: float
    ratio_quartiles: tuple[float, float]
    other_cores: float | None

    @property
    def disturbed(self) -> bool:
        """Whether other programs took so much of the machine that the figures say little."""
        return self.other_cores is not None and self.other_cores > MAX_CORES

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON types."""
        return asdict(self) | {"disturbed": self.disturbed}


def measure(
    task: Task,
    mode: str,
    devices: list[Any],
    rivals: list[ModuleType],
    rounds: int,
    compiled: bool,
    say: Say,
    every_way: bool = False,
) -> list[Row]:
    """Race our devices and the best way of each rival against each other.

    Parameters
    ----------
    task : Task
    mode : str
        "training" or "inference".
    devices : list of Ops
        The first is what all others are compared with.
    rivals : list of modules
        Of bench.rivals; one that cannot do the mode is left out.
    rounds : int
    compiled : bool
        Whether rivals may compile the network, which takes them long.
    say : function
        Is told what goes on and what is left out.
    every_way : bool
        Whether all ways of each rival take part, not just its best.

    Raises
    ------
    UserError
        If a rival computes something else than we do.
    """
    contestants = []
    for ops in devices:
        say(f"{task.model} {mode}: fastdigits {ops.device}")
        contestants.append(networks.training(task, ops) if mode == TRAINING else networks.inference(task, ops))
    for rival in rivals:
        if not hasattr(rival, mode):
            continue
        say(f"{task.model} {mode}: {rival.NAME} {rival.version()}")
        variants = getattr(rival, mode)(task, compiled, say)
        for variant in variants:
            check_agreement(contestants[0], variant, task.tolerance)
        contestants += variants if every_way else [fastest(variants)]
    with watch_others() as others:
        times = race([contestant.run for contestant in contestants], rounds, BUDGET_S)
    return [row(task, mode, *pair, times[0], others.cores) for pair in zip(contestants, times, strict=True)]


def fastest(variants: list[Contestant]) -> Contestant:
    """The one with the best round of a short trial."""
    if len(variants) == 1:
        return variants[0]
    times = race([variant.run for variant in variants], TRIAL_ROUNDS, TRIAL_BUDGET_S)
    return min(zip(times, variants, strict=True), key=lambda pair: min(pair[0].seconds))[1]


def row(task: Task, mode: str, contestant: Contestant, times: Times, first: Times, other_cores: float | None) -> Row:
    """All figures of one contestant."""
    images, slower = len(task.images), ratios(times, first)
    return Row(
        mode=mode,
        model=task.model,
        batch_size=images,
        contestant=contestant.name,
        variant=contestant.variant,
        device=contestant.device,
        steps=times.steps,
        seconds=times.seconds,
        best_s=min(times.seconds),
        median_s=times.median,
        quartiles_s=times.quartiles,
        images_per_second=images / times.median,
        gflops=task.flops(mode) / times.median / 1e9,
        ratio=median(slower),
        ratio_quartiles=quartiles(slower),
        other_cores=other_cores,
    )
