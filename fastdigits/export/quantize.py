"""Quantize a network to int8 after the training, calibrated on training images.

A number becomes an integer from -127 to 127 times a scale. Each array between two steps has a scale, and the weights of
each output of a layer have one. Sums are exact int32; a float32 factor turns them into the integers of the next array.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any

import numpy as np

from fastdigits import ops as devices
from fastdigits.data import read_part
from fastdigits.data.batches import Batches
from fastdigits.data.matching import in_classes
from fastdigits.data.preprocessing import Normalisation
from fastdigits.errors import UserError
from fastdigits.export.pixels import pixel_table
from fastdigits.export.program import ACTIVATIONS, IMAGE, Program, Step
from fastdigits.ops.array import blocks
from fastdigits.storage.weights import SavedNetwork

LARGEST = 127
MAX_BIAS = 2**30  # so that no sum of at most MAX_TERMS products overflows an int32
MAX_TERMS = 2**30 // LARGEST**2
IMAGES, BATCH = 1000, 500  # to calibrate on; at a time
KEPT = ("relu", "maxpool2d")  # steps that return some of the numbers they read
SHIPPED = "mnist"
WEIGHTED = ("conv2d", "dense")


@dataclass(frozen=True, eq=False)
class QuantizedStep:
    """A step on integers.

    Attributes
    ----------
    kind : str
        That of the step; "lookup" for all activations but ReLU, "scores" for a dense layer at the end.
    step : Step
    apply : function
        Computes the step on integers in one or two float32 arrays.
    settings : dict
        Numbers by the names in the formula that replace those of the step.
    arrays : dict of arrays
        int8 weights and tables, int32 biases and float32 factors.
    """

    kind: str
    step: Step
    apply: Callable[..., np.ndarray]
    settings: dict[str, float] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Quantized:
    """A quantized program.

    Attributes
    ----------
    levels : int8 (256,)
        The input for each level of a pixel.
    input_scale : float
        Of the levels.
    steps : list of QuantizedStep
    scale : float
        Of the scores, unless the last step computes them as float32.
    """

    levels: np.ndarray
    input_scale: float
    steps: list[QuantizedStep]
    scale: float


@dataclass(frozen=True)
class Accuracy:
    """Fractions of the test images of a data set that a network and its quantized form predict correctly."""

    data: str
    images: int
    exact: float
    quantized: float


def quantized(saved: SavedNetwork, program: Program) -> tuple[Quantized, Accuracy]:
    """Quantize a program, and measure its accuracy on test images.

    Raises
    ------
    UserError
        If there are no images for the network, or one of its layers is too wide.
    """
    for step in program.steps:
        if step.kind in WEIGHTED and prod(step.arrays["weight"].shape[1:]) > MAX_TERMS:
            raise UserError(
                f"The layer {step.name} has more than {MAX_TERMS:,} inputs, too many for int8; use float32."
            )
    data, images, test_images, test_labels = _images(saved, program)
    runner = Runner(program, saved.normalisation)
    found = _quantized(program, pixel_table(saved.normalisation), runner.ranges(images))
    scores = runner.scores(test_images), runner.rounded_scores(test_images, found)
    exact, rounded = (float((one.argmax(1) == test_labels).mean()) for one in scores)
    return found, Accuracy(data, len(test_labels), exact, rounded)


def _images(saved: SavedNetwork, program: Program) -> tuple[str, np.ndarray, np.ndarray, np.ndarray]:
    """Return the name of the data set, some training images, and the test images with their labels."""
    for data, reading in ((saved.dataset, saved.reading), (SHIPPED, {})):
        try:
            images = read_part(data, "train", **reading).images
            test = in_classes(read_part(data, "test", **reading), saved.class_names)
        except UserError:  # it is not here, or has other classes
            continue
        if saved.normalisation.preparation.input_shape(images) == program.network.input_shape:
            return data, images[:: -(-len(images) // IMAGES)], test.images, test.labels
    raise UserError(
        f"int8 needs training images, and there is no data set '{saved.dataset}' for this network here; leave --int8 "
        "out, or start in the folder of the training."
    )


class Runner:
    """Runs a program, and its quantized form, on the operations of the layers, many images at a time."""

    def __init__(self, program: Program, normalisation: Normalisation):
        self.program, self.normalisation, self.ops = program, normalisation, devices.load("cpu")
        for step in program.steps:
            if step.kind not in ("add", "scale"):
                step.layer.allocate(self.ops, blocks(BATCH, self.ops.lanes), training=False)

    def ranges(self, images: np.ndarray) -> list[float]:
        """Return the largest absolute number in the output of each step."""
        found = [0.0] * len(self.program.steps)

        def apply(number: int, step: Step, *inputs: np.ndarray) -> np.ndarray:
            y = _computed(step, *inputs)
            found[number] = max(found[number], float(np.abs(y).max()))
            return y

        self._set_weights([step.arrays for step in self.program.steps])
        self._run(images, apply, lambda x: x)
        return found

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Return the scores (N, classes) of images."""
        self._set_weights([step.arrays for step in self.program.steps])
        return self._run(images, lambda number, step, *inputs: _computed(step, *inputs), lambda x: x)

    def rounded_scores(self, images: np.ndarray, quantized: Quantized) -> np.ndarray:
        """Return the scores (N, classes) of the quantized network; its integers are float32 numbers here."""
        steps, scale = quantized.steps, np.float32(quantized.input_scale)
        self._set_weights([one.arrays for one in steps])
        return self._run(
            images,
            lambda number, step, *inputs: steps[number].apply(*inputs),
            lambda x: _rounded(x / scale),
        )

    def _set_weights(self, arrays: list[dict[str, np.ndarray]]) -> None:
        for step, named in zip(self.program.steps, arrays, strict=True):
            for parameter in step.layer.parameters if step.kind in WEIGHTED else ():
                parameter.value = self.ops.upload(named[parameter.name].astype(np.float32))

    def _run(
        self,
        images: np.ndarray,
        apply: Callable[..., np.ndarray],
        first: Callable[[np.ndarray], np.ndarray],
    ) -> np.ndarray:
        """Return the scores (N, classes).

        `first` changes the images, and `apply(number, step, *inputs)` computes a step.
        """
        batches, found = Batches(self.ops, images, None, BATCH, self.normalisation), []
        for x, _, count in batches.over(self.ops.upload(np.arange(len(images), dtype=np.int32))):
            buffers = {IMAGE: first(np.asarray(x))}
            for number, step in enumerate(self.program.steps):
                read = [step.x] if step.other is None else [step.x, step.other]
                inputs = [buffers[index].reshape(len(x), *step.input_shape, -1) for index in read]
                buffers[step.y] = apply(number, step, *inputs)
            scores = buffers[self.program.result]
            found.append(np.moveaxis(scores, 1, -1).reshape(-1, scores.shape[1])[:count])
        return np.concatenate(found)


def _computed(step: Step, x: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Compute a step on float32 numbers (B, *step.input_shape, L)."""
    if step.kind == "add":
        return x + others[0]
    return _affine(x, **step.arrays) if step.kind == "scale" else _forward(step, x)


def _forward(step: Step, x: np.ndarray) -> np.ndarray:
    """Compute a step by its layer."""
    given: Any = x  # an array of the CPU is one of NumPy
    return np.asarray(step.layer.forward(given))


def _affine(x: np.ndarray, gain: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Apply a function of each channel, the second axis of x."""
    shape = (-1, *(x.ndim - 2) * (1,))
    return x * gain.reshape(shape) + offset.reshape(shape)


def _rounded(x: np.ndarray) -> np.ndarray:
    """Round as the C code does: to the nearest integer from -LARGEST to LARGEST, halves away from 0."""
    return np.clip(np.trunc(x + np.copysign(np.float32(0.5), x)), -LARGEST, LARGEST)


def _integers(x: np.ndarray, kind: type) -> np.ndarray:
    return _rounded(x).astype(kind)


def _scale(largest: float) -> float:
    """Return the scale of an array, given its largest absolute number."""
    return largest / LARGEST or 1.0


def _quantized(program: Program, levels: np.ndarray, ranges: list[float]) -> Quantized:
    """Quantize a program, given the largest absolute number in the output of each step.

    What only ReLU reads, in place, needs the range after it.
    """
    input_scale = _scale(float(np.abs(levels).max()))
    steps, scales = [], {IMAGE: input_scale}
    for number, step in enumerate(program.steps):
        is_last = number + 1 == len(program.steps)
        following = None if is_last else program.steps[number + 1]
        rectified = following and following.kind == "relu" and following.x == following.y == step.y
        x, y = scales[step.x], _scale(ranges[number + 1 if rectified else number])
        if step.kind in KEPT:
            y = x
            steps.append(QuantizedStep(step.kind, step, partial(_forward, step)))
        elif step.other is not None:
            steps.append(_sum(step, x / y, scales[step.other] / y))
        elif step.kind == "dense" and is_last:
            steps.append(_products("scores", step, x, 1.0))
        else:
            steps.append(BUILDERS[step.kind](step.kind, step, x, y))
        scales[step.y] = y
    return Quantized(_integers(levels / np.float32(input_scale), np.int8), input_scale, steps, scales[program.result])


def _products(kind: str, step: Step, x: float, y: float) -> QuantizedStep:
    """Quantize a convolution or a dense layer, whose input and output have the scales `x` and `y`."""
    bias = step.arrays["bias"].astype(np.float64)
    weight = step.arrays["weight"].astype(np.float64).reshape(len(bias), -1)
    scale = np.maximum(abs(weight).max(1) / LARGEST, abs(bias) / (x * MAX_BIAS))
    scale[scale == 0] = 1
    factor = (x * scale / y).astype(np.float32)
    arrays: dict[str, np.ndarray] = {
        "weight": _integers(weight / scale[:, None], np.int8).reshape(step.arrays["weight"].shape),
        "bias": np.rint(bias / (x * scale)).astype(np.int32),
        "scale": factor,
    }

    def apply(x: np.ndarray) -> np.ndarray:
        y = _forward(step, x)
        y = y * factor.reshape(-1, *(y.ndim - 2) * (1,))
        return y if kind == "scores" else _rounded(y)

    return QuantizedStep(kind, step, apply, {}, arrays)


def _affine_step(kind: str, step: Step, x: float, y: float) -> QuantizedStep:
    gain, offset = step.arrays["gain"] * np.float32(x / y), step.arrays["offset"] / np.float32(y)
    arrays: dict[str, np.ndarray] = {"gain": gain, "offset": offset}
    return QuantizedStep(kind, step, lambda x: _rounded(_affine(x, gain, offset)), {}, arrays)


def _mean(kind: str, step: Step, x: float, y: float) -> QuantizedStep:
    factor = x / (y * step.settings["P"] * step.settings["Q"])
    ratio = np.float32(x / y)
    return QuantizedStep(kind, step, lambda x: _rounded(_forward(step, x) * ratio), {"factor": factor})


def _lrn(kind: str, step: Step, x: float, y: float) -> QuantizedStep:
    """Put the scales into alpha and k: x / (k + alpha sum)^beta of integers is then that of the integers of y."""
    ratio = (y / x) ** (1 / step.settings["beta"])
    settings = {"alpha": step.settings["alpha"] * x**2 * ratio, "k": step.settings["k"] * ratio}
    scales = np.float32(x), np.float32(y)
    return QuantizedStep(kind, step, lambda x: _rounded(_forward(step, x * scales[0]) / scales[1]), settings)


def _lookup(kind: str, step: Step, x: float, y: float) -> QuantizedStep:
    """Tabulate an activation for each integer from -LARGEST on."""
    layer: Any = step.layer  # an Activation, on which `Runner` has put operations
    lanes = layer.ops.lanes
    numbers = np.zeros((blocks(2 * LARGEST + 1, lanes), lanes), np.float32)
    values = np.empty_like(numbers)
    numbers.reshape(-1)[: 2 * LARGEST + 1] = np.arange(-LARGEST, LARGEST + 1) * x
    layer.apply(numbers, values)
    table = _rounded(values.reshape(-1)[: 2 * LARGEST + 1] / np.float32(y))

    def apply(x: np.ndarray) -> np.ndarray:
        return table[(x + LARGEST).astype(np.int16)]

    return QuantizedStep("lookup", step, apply, {}, {"values": table.astype(np.int8)})


def _sum(step: Step, factor: float, other_factor: float) -> QuantizedStep:
    factors = np.float32(factor), np.float32(other_factor)
    return QuantizedStep(
        "add",
        step,
        lambda x, other: _rounded(x * factors[0] + other * factors[1]),
        {"factor": factor, "other_factor": other_factor},
    )


BUILDERS: dict[str, Callable[[str, Step, float, float], QuantizedStep]] = {
    **dict.fromkeys(WEIGHTED, _products),
    **dict.fromkeys(ACTIVATIONS, _lookup),
    "scale": _affine_step,
    "avgpool2d": _mean,
    "lrn": _lrn,
}
