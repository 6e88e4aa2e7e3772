"""What all contenders do: one network with the same weights, on the same random batch."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastdigits import ops
from fastdigits.config.training import TrainConfig
from fastdigits.errors import UserError
from fastdigits.models import layers_of, name_of
from fastdigits.nn import BatchNorm, Dropout, Network, Residual, sequence
from fastdigits.nn.layers import Layer

TRAINING, INFERENCE = "training", "inference"
TOLERANCE = 1e-4  # of the largest number of an array
TOLERANCE_NORMALISED = 5e-2  # gradients before a batch normalisation are small differences of large sums


@dataclass(frozen=True)
class Workload:
    """A network that is not built, its parameters and running statistics by name, and a batch.

    Parameters
    ----------
    model : str
    network : Network
    weights : dict of float32 arrays
    images : float32 (N, C, H, W)
    labels : int64 (N,)
    threads : int
        Cores that every contender may use.
    """

    model: str
    network: Network
    weights: dict[str, np.ndarray]
    images: np.ndarray
    labels: np.ndarray
    threads: int

    @property
    def recipe(self) -> TrainConfig:
        """How all contenders train, whatever the defaults are."""
        adamw = {"optimizer": "adamw", "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1}
        return TrainConfig(batch_size=len(self.labels), loss="cross-entropy", label_smoothing=0.0, **adamw)

    @property
    def tolerance(self) -> float:
        """How far apart two contenders' results may be, as shares of the largest."""
        normalised = any(isinstance(layer, BatchNorm) for layer in sequence.walk(self.network.layers))
        return TOLERANCE_NORMALISED if normalised else TOLERANCE

    @property
    def forward_flops(self) -> int:
        """Floating-point operations of the scores of the batch, convolutions counted as the formula reads."""
        return 2 * len(self.images) * sum(layer.multiply_adds() for layer in self.network.layers)

    @property
    def training_flops(self) -> int:
        """Those of a training step: scores, weight gradients, and input gradients but for the first layer's."""
        first = next(layer for layer in self.network.layers if layer.parameters)
        return 3 * self.forward_flops - 2 * len(self.images) * first.multiply_adds()

    def flops(self, mode: str) -> int:
        """Floating-point operations of one step of training or inference."""
        return self.training_flops if mode == TRAINING else self.forward_flops


@dataclass(frozen=True)
class Contender:
    """One way to do a workload.

    `run` does so many steps and returns when they are done. `outputs` gives what one step computes,
    in our names and shapes: "scores" (N, classes) for inference, the gradients of all parameters for training.
    `device` is "cpu" or "cuda" (or "reference"), whatever the framework calls it.
    """

    name: str
    variant: str
    run: Callable[[int], None]
    outputs: Callable[[], dict[str, np.ndarray]]
    device: str = "cpu"

    @property
    def title(self) -> str:
        """The name with the variant."""
        return f"{self.name} ({self.variant})" if self.variant else self.name


def make_workload(model: str, batch_size: int, threads: int) -> Workload:
    """A network with its random start and a random batch, the same every time.

    It has no dropout, for which every framework draws other numbers.
    """
    network = Network(_without_dropout(layers_of(model)))
    network.build(ops.load("reference"), 1, training=False)
    network.initialise(0)
    random = np.random.default_rng(0)
    images = random.standard_normal((batch_size, *network.input_shape), np.float32)
    labels = random.integers(0, network.classes, batch_size)
    return Workload(name_of(model), Network(network.layers), network.weights(), images, labels, threads)


def _without_dropout(layers: list[Layer]) -> list[Layer]:
    return [
        Residual(_without_dropout(layer.layers), layer.projection) if isinstance(layer, Residual) else layer
        for layer in layers
        if not isinstance(layer, Dropout)
    ]


def check_agreement(ours: Contender, rival: Contender, tolerance: float = TOLERANCE) -> None:
    """UserError unless a rival computes what we compute: a race between different networks means nothing.

    Arrays may differ by `tolerance` times their largest number, or a thousandth of the largest of all arrays.
    """
    expected, found = ours.outputs(), rival.outputs()
    if expected.keys() != found.keys():
        raise UserError(f"{rival.title} computes {', '.join(found)} and not {', '.join(expected)}; report this.")
    least = max((np.abs(array).max() for array in expected.values()), default=0) / 1000
    for name, array in expected.items():
        error, size = np.abs(array - found[name]).max(), max(np.abs(array).max(), least)
        if not error <= tolerance * size:
            raise UserError(
                f"{rival.title} does not compute what {ours.title} does: {name} differs by {error:.2g} where the "
                f"largest is {size:.2g}, so their times cannot be compared; report this."
            )
