"""Which contenders there are for a network, and how long they take."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from types import ModuleType
from typing import Any

from fastdigits.bench import networks
from fastdigits.bench.interference import MAX_CORES, measure_interference
from fastdigits.bench.timing import Times, quartiles, ratios, time_in_turns
from fastdigits.bench.workload import TRAINING, Contender, Workload, check_agreement

BUDGET_S = 15.0  # for one network, trained or used
TRIAL_ROUNDS, TRIAL_BUDGET_S = 5, 5.0  # to find a framework's best way

Say = Callable[[str], Any]


@dataclass(frozen=True)
class Row:
    """One contender in one race.

    `ratio` is how many times as long as the first contender it took, `other_cores` how many cores other
    programs used during the race, None where the system does not tell.
    """

    mode: str
    model: str
    batch_size: int
    contender: str
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
    workload: Workload,
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
    workload : Workload
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
    contenders = []
    for ops in devices:
        say(f"{workload.model} {mode}: fastdigits {ops.device}")
        contenders.append(networks.training(workload, ops) if mode == TRAINING else networks.inference(workload, ops))
    for rival in rivals:
        if not hasattr(rival, mode):
            continue
        say(f"{workload.model} {mode}: {rival.NAME} {rival.version()}")
        variants = getattr(rival, mode)(workload, compiled, say)
        for variant in variants:
            check_agreement(contenders[0], variant, workload.tolerance)
        contenders += variants if every_way else [fastest(variants)]
    with measure_interference() as interference:
        times = time_in_turns([contender.run for contender in contenders], rounds, BUDGET_S)
    return [row(workload, mode, *pair, times[0], interference.cores) for pair in zip(contenders, times, strict=True)]


def fastest(variants: list[Contender]) -> Contender:
    """The one with the best round of a short trial."""
    if len(variants) == 1:
        return variants[0]
    times = time_in_turns([variant.run for variant in variants], TRIAL_ROUNDS, TRIAL_BUDGET_S)
    return min(zip(times, variants, strict=True), key=lambda pair: min(pair[0].seconds))[1]


def row(
    workload: Workload, mode: str, contender: Contender, times: Times, first: Times, other_cores: float | None
) -> Row:
    """All figures of one contender."""
    images, slower = len(workload.images), ratios(times, first)
    return Row(
        mode=mode,
        model=workload.model,
        batch_size=images,
        contender=contender.name,
        variant=contender.variant,
        device=contender.device,
        steps=times.steps,
        seconds=times.seconds,
        best_s=min(times.seconds),
        median_s=times.median,
        quartiles_s=times.quartiles,
        images_per_second=images / times.median,
        gflops=workload.flops(mode) / times.median / 1e9,
        ratio=median(slower),
        ratio_quartiles=quartiles(slower),
        other_cores=other_cores,
    )
