"""Assertions about whole networks on CUDA, for tiny ones on a CPU and real ones in gpu/."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fastdigits import ops as devices
from fastdigits.check.compare import tolerance
from fastdigits.config.training import TrainConfig
from fastdigits.data.batches import Batches
from fastdigits.inference.evaluate import evaluate, probabilities
from fastdigits.nn import Network
from fastdigits.nn.layers import Layer
from fastdigits.ops import LoadedOps, Ops
from fastdigits.training.callbacks import Callback
from fastdigits.training.loop import TrainingResult, train

Digits = tuple[np.ndarray, np.ndarray]  # images and labels


def train_network(
    ops: Ops, layers: list[Layer], digits: Digits, callback: Callback | None = None, **settings: Any
) -> tuple[Network, TrainingResult]:
    """Train a new network."""
    network = Network(layers, (1, *digits[0].shape[1:]))
    return network, train(network, *digits, ops, TrainConfig(**settings), callback or Callback())


def with_functions(ops: Ops, **others: Callable) -> Ops:
    """Return the operations with some functions replaced."""
    functions = {name: function for name, function in vars(ops).items() if callable(function)}
    return LoadedOps(ops.device, ops.lanes, functions | others, ops.prefers_micro_batches)


def trains_like_the_definition(ops: Ops, layers: list[Layer], digits: Digits, terms: int, **settings: Any) -> None:
    """Assert that training agrees with the definitions, up to rounding errors of `terms` terms in each weight."""
    network, training = train_network(ops, layers, digits, **settings)
    expected, definition = train_network(devices.load("reference"), layers, digits, **settings)
    values, allowed = network.weights(), tolerance(np.float32, terms)
    for name, value in expected.weights().items():
        error = np.abs(values[name] - value).max()
        assert error <= allowed, f"{name} differs by {error}, more than {allowed}"
    for epoch, other in zip(training.epochs, definition.epochs, strict=True):
        np.testing.assert_allclose(epoch.train_loss, other.train_loss, rtol=allowed)
        assert epoch.train_accuracy == other.train_accuracy


def graph_keeps_all_bits(ops: Ops, layers: list[Layer], digits: Digits, **settings: Any) -> None:
    """Assert that training with recorded steps gives the same bits as without."""
    steps = []

    def captured(function: Callable) -> Callable:
        steps.append(ops.captured(function))
        return steps[-1]

    replayed, training = train_network(with_functions(ops, captured=captured), layers, digits, **settings)
    assert sum(len(step.graphs) for step in steps) > 0
    steps.clear()
    eager, other = train_network(with_functions(ops, captured=captured), layers, digits, **settings, graph=False)
    assert not steps
    for name, value in eager.weights().items():
        assert replayed.weights()[name].tobytes() == value.tobytes(), name
    for epochs in zip(training.epochs, other.epochs, strict=True):
        first, second = (replace(epoch, seconds=0, images_per_second=0) for epoch in epochs)
        assert first == second


def steps_allocate_nothing(
    ops: Ops, layers: list[Layer], digits: Digits, used: Callable[[], Any] = lambda: None, **settings: Any
) -> None:
    """Assert that steps allocate nothing from the third epoch on, when all is recorded; `used` returns the memory.

    The host makes arrays at the start of an epoch, where it plans the steps.
    """
    made, samples = [], []

    def counted(name: str) -> Callable:
        def make(*arguments):
            made.append(name)
            return getattr(ops, name)(*arguments)

        return make

    class Sampler(Callback):
        def on_step(self, epoch: int, *_: Any) -> None:
            if epoch > 2:
                samples.append((epoch, len(made), used()))

    counting = with_functions(ops, **{name: counted(name) for name in ("empty", "zeros", "upload")})
    train_network(counting, layers, digits, Sampler(), **settings)
    epochs, numbers, memory = zip(*samples, strict=True)
    assert len(samples) > len(set(epochs))
    assert len(set(zip(epochs, numbers, strict=True))) == len(set(epochs)), samples
    assert len(set(memory)) == 1, samples


def evaluates_like_the_definition(ops: Ops, layers: list[Layer], digits: Digits, batch_size: int, terms: int) -> None:
    """Assert that inference gives the probabilities of the definition and waits for the device only at the end."""
    images, labels = digits
    rows, found, downloads = np.arange(1, len(images)), [], []

    def download(array: Any) -> np.ndarray:
        downloads.append(array)
        return ops.download(array)

    trained, training = train_network(devices.load("reference"), layers, digits, epochs=1)
    for used in (devices.load("reference"), with_functions(ops, download=download)):
        network = Network(layers, trained.input_shape)
        network.build(used, batch_size, training=False)
        network.set_weights(trained.weights())
        batches = Batches(used, images, labels, batch_size, training.normalisation)
        found.append((evaluate(network, batches, rows, "cross-entropy"), probabilities(network, batches, rows)))
    (expected, expected_probabilities), (evaluation, found_probabilities) = found
    assert len(downloads) <= 6  # scores and targets twice, losses and probabilities, for any number of batches
    assert (evaluation.confusion == expected.confusion).all()
    np.testing.assert_allclose(evaluation.loss, expected.loss, rtol=tolerance(np.float32, terms))
    np.testing.assert_allclose(found_probabilities, expected_probabilities, rtol=0, atol=tolerance(np.float32, terms))
