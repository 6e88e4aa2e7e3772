"""Define what all contenders compute: one network with the same weights, on the same random batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.linalg import norm

from fastdigits import ops
from fastdigits.config.training import TrainConfig
from fastdigits.errors import UserError
from fastdigits.models import layers_of, name_of
from fastdigits.nn import BatchNorm, Dropout, Network, Residual, sequence
from fastdigits.nn.layers import Layer

TRAINING, INFERENCE = "training", "inference"
TOLERANCE = 1e-4  # relative to the largest value of an array
TOLERANCE_NORMALISED = 5e-2  # gradients before a batch normalization are small differences of large sums
TOLERANCE_OF_NORM = 1e-2  # of gradients before a unit whose derivative jumps


@dataclass(frozen=True)
class Workload:
    """A network and a batch to run it on.

    Parameters
    ----------
    model : str
    network : Network
        Not built yet.
    weights : dict of float32 arrays
        Parameters and running statistics by name.
    images : float32 (N, C, H, W)
    labels : int64 (N,)
    threads : int
        Cores that each contender may use.
    """

    model: str
    network: Network
    weights: dict[str, np.ndarray]
    images: np.ndarray
    labels: np.ndarray
    threads: int

    @property
    def recipe(self) -> TrainConfig:
        """The training configuration of all contenders, independent of the defaults of `train`."""
        adamw: dict[str, Any] = {"optimizer": "adamw", "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1}
        return TrainConfig(batch_size=len(self.labels), loss="cross-entropy", label_smoothing=0.0, **adamw)

    @property
    def tolerance(self) -> float:
        """Allowed difference between the results of two contenders, relative to the largest value."""
        normalised = any(isinstance(layer, BatchNorm) for layer in sequence.walk(self.network.layers))
        return TOLERANCE_NORMALISED if normalised else TOLERANCE

    @property
    def forward_flops(self) -> int:
        """Floating-point operations of a forward pass, with convolutions counted by their formula."""
        return 2 * len(self.images) * sum(layer.multiply_adds() for layer in self.network.layers)

    @property
    def training_flops(self) -> int:
        """Floating-point operations of a training step.

        Includes the forward pass, all weight gradients, and the input gradients of the layers after the first one with
        parameters.
        """
        first = next(layer for layer in self.network.layers if layer.parameters)
        return 3 * self.forward_flops - 2 * len(self.images) * first.multiply_adds()

    def flops(self, mode: str) -> int:
        """Return the floating-point operations of one step in a mode, "training" or "inference"."""
        return self.training_flops if mode == TRAINING else self.forward_flops


@dataclass(frozen=True)
class Contender:
    """One implementation of a workload.

    Parameters
    ----------
    name : str
    variant : str
        Distinguishes several ways in which one framework can run the workload; may be empty.
    run : function
        Runs the given number of steps and returns when they are finished.
    outputs : function
        Returns the results of one step, with our names and shapes: "scores" (N, classes) for inference, the gradients
        of all parameters for training.
    device : str
        "cpu", "cuda" or "reference".
    """

    name: str
    variant: str
    run: Callable[[int], None]
    outputs: Callable[[], dict[str, np.ndarray]]
    device: str = "cpu"

    @property
    def title(self) -> str:
        """The name, with the variant in parentheses."""
        return f"{self.name} ({self.variant})" if self.variant else self.name


def make_workload(model: str, batch_size: int, threads: int) -> Workload:
    """Return a network with random weights and a random batch; every call returns the same.

    Dropout layers are left out, because each framework draws its own random numbers.
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
    """Check that a rival computes the same as our contender, since otherwise their times cannot be compared.

    Arrays may differ by `tolerance` times their largest value, or times a thousandth of the largest value of all
    arrays if that is more.

    Where the input of a ReLU is almost 0, or two inputs of a maximum are almost equal, a rounding error decides which
    derivative applies. One such unit changes all gradients of the layers before it by a little. Gradients therefore
    also agree if their difference has a norm of at most TOLERANCE_OF_NORM times their own. This does not hold for the
    arrays of the last layer: its gradients depend on the forward pass and the loss alone, and these are continuous. So
    an error in the forward pass is found there, and an error in the backward pass changes whole arrays.

    Raises
    ------
    UserError
        If an array is missing, or differs by more.
    """
    expected, found = ours.outputs(), rival.outputs()
    if expected.keys() != found.keys():
        raise UserError(
            f"{rival.title} computes {', '.join(found)} instead of {', '.join(expected)}; report this as a bug."
        )
    least = max((np.abs(array).max() for array in expected.values()), default=0) / 1000
    last_layer = _layer(list(expected)[-1])
    for name, array in expected.items():
        difference, size = array - found[name], max(np.abs(array).max(), least)
        error, close = np.abs(difference).max(), norm(difference) <= TOLERANCE_OF_NORM * norm(array)
        if not (error <= tolerance * size or (close and _layer(name) != last_layer)):
            raise UserError(
                f"{rival.title} and {ours.title} do not compute the same: {name} differs by {error:.2g}, its largest "
                f"value is {size:.2g}. Their times cannot be compared; report this as a bug."
            )


def _layer(name: str) -> str:
    return name.rpartition("/")[0]
