"""Measure how long training takes to reach a test accuracy: whole training runs, one per seed."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from time import perf_counter
from typing import Any, cast

from fastdigits.config.training import TrainConfig
from fastdigits.data import DigitSet
from fastdigits.models import name_of, network_of
from fastdigits.ops.interface import Ops
from fastdigits.training.callbacks import Callback
from fastdigits.training.experiment import run


@dataclass(frozen=True)
class SeedResult:
    """The test accuracy after training with one seed, and the seconds of each phase."""

    seed: int
    accuracy: float
    compile_s: float
    load_s: float
    train_s: float
    test_s: float


@dataclass(frozen=True)
class TimeToAccuracy:
    """All runs of one network on one device, and the target for their mean test accuracy."""

    model: str
    device: str
    batch_size: int
    epochs: int
    target: float
    seeds: list[SeedResult]

    @property
    def accuracies(self) -> dict[str, Any]:
        """Mean, minimum, maximum and standard deviation of the test accuracies; the last is None for a single run."""
        values = [seed.accuracy for seed in self.seeds]
        spread = stdev(values) if len(values) > 1 else None
        return {"mean": fmean(values), "min": min(values), "max": max(values), "std": spread}

    @property
    def reached(self) -> bool:
        """Whether the mean test accuracy is at least the target."""
        return self.accuracies["mean"] >= self.target

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON types."""
        return asdict(self) | {"accuracies": self.accuracies, "reached": self.reached}


def measure(
    model: str,
    ops: Ops,
    load: Callable[[], DigitSet],
    target: float,
    configs: list[TrainConfig],
    say: Callable[[str], Any],
) -> TimeToAccuracy:
    """Train a network once per configuration, and evaluate each run once on the test images.

    Parameters
    ----------
    model : str
    ops : Ops
    load : function
        Loads the data set; called and timed for each run.
    target : float
        Accuracy between 0 and 1.
    configs : list of TrainConfig
        Differ only in their seeds.
    say : function
        Called with one line of progress per run.
    """
    runs = []
    for config in configs:
        start = perf_counter()
        digits = load()
        load_s = perf_counter() - start
        network = network_of(model, None, config.preparation.input_shape(digits.train_images), digits.classes)
        done = run(name_of(model), network, digits, ops, config, Callback())
        seconds = done.training.seconds
        runs.append(
            SeedResult(
                seed=config.seed,
                accuracy=done.test.accuracy,
                compile_s=seconds["compile"],
                load_s=load_s,
                train_s=seconds["train"],
                test_s=done.test_s,
            )
        )
        say(f"{model} {ops.device} seed {config.seed}: {done.test.accuracy:.2%} after {seconds['train']:.2f} s")
    return TimeToAccuracy(name_of(model), ops.device, cast(int, configs[0].batch_size), configs[0].epochs, target, runs)
