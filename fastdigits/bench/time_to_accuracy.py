"""How long training takes to reach a test accuracy: whole runs of the default recipe, seed by seed."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from time import perf_counter
from typing import Any

from fastdigits.config.training import TrainConfig
from fastdigits.data import DigitSet
from fastdigits.models import name_of, network_of
from fastdigits.ops.interface import Ops
from fastdigits.training.callbacks import Callback
from fastdigits.training.experiment import run


@dataclass(frozen=True)
class SeedResult:
    """One run: its test accuracy at the end and the seconds of each part."""

    seed: int
    accuracy: float
    compile_s: float
    load_s: float
    train_s: float
    test_s: float


@dataclass(frozen=True)
class TimeToAccuracy:
    """All runs of one network on one device, and the mean test accuracy that they were to reach."""

    model: str
    device: str
    batch_size: int
    epochs: int
    target: float
    seeds: list[SeedResult]

    @property
    def accuracies(self) -> dict[str, float]:
        """Mean, lowest, highest and standard deviation of the test accuracies; the last is 0 for a single run."""
        values = [seed.accuracy for seed in self.seeds]
        spread = stdev(values) if len(values) > 1 else 0.0
        return {"mean": fmean(values), "min": min(values), "max": max(values), "std": spread}

    @property
    def reached(self) -> bool:
        """Whether the mean test accuracy is the target or better."""
        return self.accuracies["mean"] >= self.target

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON types."""
        return asdict(self) | {"accuracies": self.accuracies, "reached": self.reached}


def measure(
    model: str, ops: Ops, load: Callable[[], DigitSet], target: float, configs: list[TrainConfig], say: Callable
) -> TimeToAccuracy:
    """Train a network as each configuration says, and test it once.

    Parameters
    ----------
    model : str
    ops : Ops
    load : function
        Reads the data set; its time is measured for each seed.
    target : float
        A share of 1.
    configs : list of TrainConfig
        Alike but for their seeds.
    say : function
        Is told of each run.
    """
    runs = []
    for config in configs:
        start = perf_counter()
        digits = load()
        load_s = perf_counter() - start
        network = network_of(model, input_shape=config.preparation.input_shape(digits.train_images))
        done = run(name_of(model), network, digits, ops, config, Callback())
        seconds = done.training.seconds
        runs.append(
            SeedResult(config.seed, done.test.accuracy, seconds["compile"], load_s, seconds["train"], done.test_s)
        )
        say(f"{model} {ops.device} seed {config.seed}: {done.test.accuracy:.2%} after {seconds['train']:.2f} s")
    return TimeToAccuracy(name_of(model), ops.device, configs[0].batch_size, configs[0].epochs, target, runs)
