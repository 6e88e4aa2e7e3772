"""Compare our devices and the rivals on one workload."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from types import ModuleType
from typing import Any

from fastdigits.bench import networks
from fastdigits.bench.interference import MAX_CORES, measure_interference
from fastdigits.bench.rivals.limit import reason
from fastdigits.bench.timing import Times, quartiles, ratios, time_in_turns
from fastdigits.bench.workload import TRAINING, Contender, Workload, check_agreement
from fastdigits.ops import inference_ops
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime.rehearsal import Rehearsal, planned

BUDGET_S = 15.0  # per network and mode
TRIAL_ROUNDS, TRIAL_BUDGET_S = 5, 5.0  # to find the fastest variant of a framework

Say = Callable[[str], Any]


@dataclass(frozen=True)
class Row:
    """The times of one contender in one comparison.

    `seconds` has one value per round, in seconds per step. `ratio` is the median, over the rounds, of its time divided
    by that of the first contender. `other_cores` is how many cores other programs used meanwhile, or None if the
    system does not report it.
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
        """Whether other programs used so much of the machine that the times are unreliable."""
        return self.other_cores is not None and self.other_cores > MAX_CORES

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON types."""
        return asdict(self) | {"disturbed": self.disturbed}


def measure(
    workload: Workload,
    mode: str,
    devices: list[Ops],
    rivals: list[ModuleType],
    rounds: int,
    compiled: bool,
    say: Say,
    all_variants: bool = False,
) -> list[Row]:
    """Time our devices and the fastest variant of each rival in turns.

    Parameters
    ----------
    workload : Workload
    mode : str
        "training" or "inference".
    devices : list of Ops
        The first is the baseline of all ratios.
    rivals : list of modules
        From `bench.rivals`; those that do not support the mode, fail or compute something else are left out.
    rounds : int
        Number of rounds, at most; a time budget may end the comparison earlier.
    compiled : bool
        Whether rivals may compile the network, which can take a minute.
    say : function
        Called with lines of progress, and with the reason for each variant left out.
    all_variants : bool
        Whether to time all variants of each rival instead of only the fastest.
    """

    def rehearse(rehearsal: Rehearsal) -> None:
        for ops in devices:
            used = ops if mode == TRAINING else inference_ops(ops, len(workload.images))
            _contender(workload, mode, rehearsal.defer(used, workload.network.has_custom_layers)).outputs()

    contenders = []
    with planned(rehearse):
        for ops in devices:
            say(f"{workload.model} {mode}: fastdigits {ops.device}")
            contenders.append(_contender(workload, mode, ops))
        for rival in rivals:
            if not hasattr(rival, mode):
                continue
            say(f"{workload.model} {mode}: {rival.NAME} {rival.version()}")
            variants = _right_variants(rival, workload, mode, compiled, contenders[0], say)
            contenders += variants if all_variants or not variants else [fastest(variants)]
        with measure_interference() as interference:
            times = time_in_turns([contender.run for contender in contenders], rounds, BUDGET_S)
    return [row(workload, mode, *pair, times[0], interference.cores) for pair in zip(contenders, times, strict=True)]


def _contender(workload: Workload, mode: str, ops: Ops) -> Contender:
    return networks.training(workload, ops) if mode == TRAINING else networks.inference(workload, ops)


def _right_variants(
    rival: ModuleType, workload: Workload, mode: str, compiled: bool, ours: Contender, say: Say
) -> list[Contender]:
    """Return the variants of a rival that compute what we compute; say why it or a variant is left out."""
    try:
        variants: list[Contender] = getattr(rival, mode)(workload, compiled, say)
    except Exception as error:  # frameworks raise errors of many kinds
        say(f"  {rival.NAME} is left out: {reason(error)}")
        return []
    return [variant for variant in variants if _agrees(ours, variant, workload.tolerance, say)]


def _agrees(ours: Contender, variant: Contender, tolerance: float, say: Say) -> bool:
    try:
        check_agreement(ours, variant, tolerance)
    except Exception as error:  # of the framework, or of the comparison
        say(f"  {variant.title} is left out: {reason(error)}")
        return False
    return True


def fastest(variants: list[Contender]) -> Contender:
    """Return the variant with the fastest round in a short trial."""
    if len(variants) == 1:
        return variants[0]
    times = time_in_turns([variant.run for variant in variants], TRIAL_ROUNDS, TRIAL_BUDGET_S)
    return min(zip(times, variants, strict=True), key=lambda pair: min(pair[0].seconds))[1]


def row(
    workload: Workload, mode: str, contender: Contender, times: Times, first: Times, other_cores: float | None
) -> Row:
    """Return the results of one contender, with ratios to the first."""
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
