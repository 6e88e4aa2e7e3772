"""Gradients, scores, fusion, parameters and initial values of networks, compared with PyTorch and across devices."""

import json
from functools import cache
from math import prod

import numpy as np
import pytest
from zoo import CHAINS, EVERY_LAYER

from fastdigits.check.gradients import float64_reference
from fastdigits.config.training import OPTIMIZERS, TrainConfig
from fastdigits.models import MODELS, ModelOptions, layers_of
from fastdigits.nn import (
    GELU,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool2D,
    Network,
    ReLU,
    Residual,
    Sigmoid,
    SiLU,
    Tanh,
    sequence,
)
from fastdigits.nn.fuse import fuse
from fastdigits.nn.layers import TrainingStep
from fastdigits.nn.network import INFERENCE_MICRO_BATCH
from fastdigits.nn.parameter import ALIGNMENT
from fastdigits.ops import inference_ops, load
from fastdigits.ops.array import blocks
from fastdigits.training.optimizer import Optimizer

pytestmark = pytest.mark.slow

IMAGES, BATCH = 40, 64  # the lanes after the 40 images stay empty: with 16 lanes, a whole block
SEED = 5  # of dropout
KINKED = ReLU, LeakyReLU, MaxPool2D
MARGIN = 1e-4  # minimum distance from a kink, in standard deviations of the layer's input
TRIES = 200
SLOW = "alexnet", "tiny-20k"  # take long; others have their layers


def networks():
    """Return a new network of each model, one with every layer, and one of each other chain, by name."""
    models = {model: Network(layers_of(model)) for model in MODELS}
    return models | {name: Network(layers) for name, layers in {"every layer": EVERY_LAYER, **CHAINS}.items()}


def network_names():
    """Return the names of all networks as parameters; those that take long are marked."""
    return [pytest.param(name, marks=[pytest.mark.long] if name in SLOW else []) for name in networks()]


@pytest.fixture
def batch():
    """Return images (64, 1, 28, 28) and targets. Those from index 40 on have no target and must be ignored."""
    images, targets = images_and_targets()
    return images.copy(), targets.copy()


@cache
def images_and_targets():
    random = np.random.default_rng(2)
    images = random.standard_normal((BATCH, 1, 28, 28), np.float32)
    images += np.copysign(np.float32(0.001), images)  # away from 0: "residual first" applies ReLU to some pixels
    targets = np.where(np.arange(BATCH) < IMAGES, random.integers(0, 10, BATCH), -1).astype(np.float32)
    return images, targets


def start_values(network):
    """Return random parameters and running statistics that keep every ReLU and maximum MARGIN away from its kink.

    Rounding changes float32 activations by 1e-6, with Winograd's method by up to 5e-5, and differently for each vector
    width. Among millions of random activations a few are closer to a kink and move to its other side. A single such
    unit changes the gradients of all layers before it. Example: the input of a ReLU after the fourth convolution of
    tiny-20k was -3.1e-6 in float64 and 6.8e-7 in float32, which changed the gradient of the convolution's weight by
    1 %. With this single decision taken from float32, float64 agreed with float32 again.
    """
    return _start_values(json.dumps(network.config()))


@cache
def _start_values(config):
    network, random = Network.from_config(json.loads(config)), np.random.default_rng(2)
    x, training = prepare_layers(network, float64_reference(load("reference")))
    for parameter in network.state().values():
        parameter.value[...] = random_value(parameter, random)
    running = {name: network.weights()[name] for name in network.running()}
    keep_from_kinks(network.layers, x, training, random)
    values = network.weights() | running  # the forward passes in training changed the running statistics
    return {name: value.astype(np.float32) for name, value in values.items()}


def random_value(parameter, random):
    """Draw a random value of a parameter. Biases are random, too, although training starts with zeros."""
    value = (random.standard_normal(parameter.shape) / np.sqrt(parameter.fan_in or 10)).astype(np.float32)
    return np.abs(value) + np.float32(0.5) if parameter.name.endswith(("gamma", "var")) else value


def prepare_layers(network, ops):
    """Build a network without fusion; return the images that have targets and the training step."""
    network.build(ops, IMAGES, fused=False)
    x = ops.empty((blocks(IMAGES, ops.lanes), 1, 28, 28, ops.lanes))
    ops.pack(images_and_targets()[0][:IMAGES], x)
    return x, TrainingStep(IMAGES, ops.zeros((1,), np.int64), seed=SEED)


def keep_from_kinks(layers, x, training, random):
    """Change parameters until every ReLU and every maximum is MARGIN away from its kink."""
    first, given, output = 0, x, x
    for last, layer in enumerate(layers, start=1):
        if isinstance(layer, Conv2D | Dense | Residual):
            first, given = last - 1, output  # its parameters move the activations of the kinks that follow
        if isinstance(layer, Residual):
            keep_from_kinks(layer.layers, output, training, random)
        if isinstance(layer, KINKED):
            for _ in range(TRIES):
                near = shift_from_kinks(layers[first:last], given, training)
                if not near.any():
                    break
                draw_again(layers[first:last], near, given, training, random)
            output = sequence.forward(layers[first : last - 1], given, training)
        output = layer.forward(output, training)


def shift_from_kinks(layers, x, training):
    """Shift the biases before each ReLU; return which channels are still too close to a kink."""
    near, before = np.False_, None
    for layer in layers:
        if isinstance(layer, KINKED):
            bias = bias_of(before)
            if bias is not None and not isinstance(layer, MaxPool2D):
                shifts = np.array([middle_of_widest_gap(channel.ravel()) for channel in np.moveaxis(x, 1, 0)])
                bias.value -= shifts
                x = x - shifts.reshape(-1, *[1] * (x.ndim - 2))
            near = near | (distances(layer, x).min(0) < MARGIN * x.std())
        x, before = layer.forward(x, training), layer
    return near


def bias_of(layer):
    """Return the parameter that adds a constant to each channel of a layer's output, or None."""
    match layer:
        case Conv2D() | Dense():
            return layer.bias
        case BatchNorm():
            return layer.beta
        case Residual():
            return bias_of(layer.layers[-1])
    return None


def middle_of_widest_gap(values):
    """Return the middle of the widest gap between neighboring numbers near 0."""
    values = np.sort(values)
    middles, gaps = (values[1:] + values[:-1]) / 2, np.diff(values)
    return middles[np.argmax(np.where(np.abs(middles) < values.std() / 4, gaps, 0))]


def draw_again(layers, channels, x, training, random):
    """Draw new random parameters for some channels of the output."""
    for layer in layers:
        if isinstance(layer, Residual):
            last = [part for part in sequence.walk(layer.layers) if isinstance(part, Conv2D | Dense | BatchNorm)][-1]
            draw_again([last], channels, x, training, random)
            keep_from_kinks(layer.layers, x, training, random)
        elif not isinstance(layer, KINKED):
            for parameter in layer.parameters:
                parameter.value[channels] = random_value(parameter, random)[channels]


def distances(layer, x):
    """Return the distance from a kink for each image and channel: from 0, or between the two largest of a window."""
    if not isinstance(layer, MaxPool2D):
        return np.abs(x).reshape(*x.shape[:2], -1).min(2)
    second, largest = np.moveaxis(np.partition(windows(layer, x), -2), -1, 0)[-2:]
    return np.where(largest == 0, np.inf, largest - second).min(2)  # windows of zeros from a ReLU, whose gradient is 0


def decisions(layer, x):
    """Return the side of the kink that each unit is on."""
    return windows(layer, x).argmax(-1) if isinstance(layer, MaxPool2D) else x > 0


def windows(layer, x):
    """Return the pixels (N, C, windows, pixels) of each pooling window."""
    pixels = np.lib.stride_tricks.sliding_window_view(x, layer.size, axis=(2, 3))
    return pixels[:, :, :: layer.stride, :: layer.stride].reshape(*x.shape[:2], -1, prod(layer.size))


def inputs_of_kinks(layers, x, training):
    """Yield each layer with kinks and its input (N, C, ...)."""
    for layer in layers:
        if isinstance(layer, Residual):
            yield from inputs_of_kinks(layer.layers, x, training)
        if isinstance(layer, KINKED):
            yield layer, np.moveaxis(x, -1, 1).reshape(-1, *x.shape[1:-1])[:IMAGES]
        x = layer.forward(x, training)


@pytest.mark.parametrize("name", network_names())
def test_rounding_moves_no_unit_across_a_kink(name):
    """Exact activations are MARGIN away from every kink, and float32 activations are on the same side."""
    found = []
    for ops in (float64_reference(load("reference")), load("cpu")):
        network = networks()[name]
        x, training = prepare_layers(network, ops)
        network.set_weights(start_values(network))
        found.append(list(inputs_of_kinks(network.layers, x, training)))
    for (layer, exact), (_, rounded) in zip(*found, strict=True):
        assert distances(layer, exact).min() > 0.99 * MARGIN * exact.std()  # 0.99: the parameters are rounded
        np.testing.assert_array_equal(decisions(layer, rounded), decisions(layer, exact))


def prepare(network, ops, images, fused=True, training=True):
    """Build a network, set its start values and return the images as a batch."""
    network.build(ops, BATCH, fused=fused, training=training)
    network.set_weights(start_values(network))
    x = ops.empty((BATCH // ops.lanes, 1, 28, 28, ops.lanes))
    ops.pack(images, x)
    return x


def loss_and_gradients(network, ops, images, targets, fused=True):
    """Return the mean cross-entropy of a batch and its gradients by the name of the parameter."""
    x, t = prepare(network, ops, images, fused), ops.empty((BATCH // ops.lanes, ops.lanes))
    ops.pack(targets, t)
    scores = network.forward(x, TrainingStep(IMAGES, ops.zeros((1,), np.int64), seed=SEED))
    losses, dscores = ops.empty(t.shape), ops.empty(scores.shape)
    ops.softmax_cross_entropy(scores, t, IMAGES, 0.0, losses, dscores)
    network.backward(dscores)
    gradients = {name: ops.download(p.gradient) for name, p in network.parameters().items()}
    return ops.download(losses).sum() / IMAGES, gradients


def rounding(network):
    """Return the (tolerance, least) of assert_close that covers the rounding of a network's gradients to float32.

    Without batch normalization the error is at most 5e-6 of a gradient's largest entry. Batch normalization makes sums
    of many terms cancel. The error then reaches 1.1e-5 together with that of Winograd's method. Where the whole sum
    cancels, as for a bias before a normalization, it is 1e-6 of the largest entry of all gradients.
    """
    normalised = any(isinstance(layer, BatchNorm) for layer in sequence.walk(network.layers))
    return (3e-5, 0.1) if normalised else (1e-5, 1e-3)


def assert_close(actual, expected, tolerance=1e-5, least=1e-3):
    """Assert that each gradient differs by at most `tolerance` of its largest entry.

    The largest entry counts as at least `least` times that of all gradients: the gradients of biases before a batch
    normalization are zero except for rounding.
    """
    assert actual.keys() == expected.keys()
    least *= max(np.abs(gradient).max() for gradient in expected.values())
    for name, gradient in expected.items():
        error = np.abs(actual[name] - gradient).max() / max(np.abs(gradient).max(), least)
        assert error < tolerance, f"{name} is {error:.1e} off"


def by_pytorch(layers, x, arrays, training):
    """Return the output of layers in PyTorch for float64 images (N, C, H, W), given the arrays of all parameters."""
    import torch
    from torch.nn import functional

    for layer in layers:
        own = [arrays[parameter] for parameter in (*layer.running, *layer.parameters)]
        match layer:
            case Conv2D():
                x = functional.pad(x, padding_of(layer))  # a negative number crops
                x = functional.conv2d(x, *own, stride=layer.stride)
            case Dense():
                x = functional.linear(x, *own)
            case MaxPool2D():
                x = functional.max_pool2d(x, layer.size, layer.stride)
            case AvgPool2D():
                x = functional.avg_pool2d(x, layer.size, layer.stride)
            case GlobalAvgPool2D():
                x = x.mean((2, 3))
            case BatchNorm():
                x = functional.batch_norm(x, *own, training, layer.momentum, layer.epsilon)
            case LocalResponseNorm():
                alpha = layer.alpha * layer.size  # PyTorch divides it by the size
                x = functional.local_response_norm(x, layer.size, alpha, layer.beta, layer.k)
            case Dropout() if training:
                mask = np.moveaxis(layer.ops.download(layer.mask), -1, 1).reshape(BATCH, *layer.input_shape)
                x = x * torch.tensor(mask[: len(x)]) / (1 - layer.rate)
            case Residual():
                skipped = by_pytorch([layer.skip], x, arrays, training) if layer.skip else x
                x = by_pytorch(layer.layers, x, arrays, training) + skipped
            case Flatten():
                x = x.flatten(1)
            case ReLU():
                x = x.relu()
            case LeakyReLU():
                x = functional.leaky_relu(x, layer.slope)
            case Sigmoid():
                x = x.sigmoid()
            case Tanh():
                x = x.tanh()
            case GELU():
                x = functional.gelu(x, approximate="tanh")
            case SiLU():
                x = functional.silu(x)
    return x


def padding_of(layer):
    """Return the columns left and right and the rows above and below that a convolution adds to its images."""
    (_, I, J), (*_, P, Q), (_, H, W) = layer.output_shape, layer.weight.shape, layer.input_shape
    right = layer.stride * (J - 1) + Q - layer.left - W
    below = layer.stride * (I - 1) + P - layer.top - H
    return layer.left, right, layer.top, below


def as_tensors(network):
    """Return the start values of a network as PyTorch tensors, by parameter; trainable ones require gradients."""
    torch = pytest.importorskip("torch")
    values = start_values(network)
    tensors = {p: torch.tensor(values[name], dtype=torch.float64) for name, p in network.state().items()}
    for parameter in network.parameters().values():
        tensors[parameter].requires_grad_()
    return tensors


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
@pytest.mark.parametrize("name", network_names())
def test_gradients_agree_with_pytorch(name, fused, ops, batch):
    network = networks()[name]
    check_against_pytorch(network, ops, batch, fused, *rounding(network))


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
@pytest.mark.parametrize("name", networks())
def test_reference_gradients_agree_with_pytorch(name, fused, exact_ops, batch):
    """In float64 the gradients agree up to the rounding of float64."""
    check_against_pytorch(networks()[name], exact_ops, batch, fused, tolerance=1e-10)


def check_against_pytorch(network, ops, batch, fused, tolerance, least=1e-3):
    """Assert that loss, gradients and running statistics agree with PyTorch in float64."""
    torch = pytest.importorskip("torch")
    loss, gradients = loss_and_gradients(network, ops, *batch, fused=fused)

    tensors, (images, targets) = as_tensors(network), (torch.tensor(array[:IMAGES]) for array in batch)
    scores = by_pytorch(network.layers, images.double(), tensors, training=True)
    expected = torch.nn.functional.cross_entropy(scores, targets.long())
    expected.backward()

    assert loss == pytest.approx(expected.item(), rel=1e-5)
    gradients_there = {name: tensors[p].grad.numpy() for name, p in network.parameters().items()}
    assert_close(gradients, gradients_there, tolerance, least)
    for parameter in network.running().values():
        np.testing.assert_allclose(ops.download(parameter.value), tensors[parameter], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("training", [True, False], ids=["built for training", "built for inference"])
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
@pytest.mark.parametrize("name", networks())
def test_inference_scores_agree_with_pytorch(name, fused, training, ops, batch):
    """Compare the inference mode, with running statistics and without dropout."""
    torch = pytest.importorskip("torch")
    network = networks()[name]
    scores = network.forward(prepare(network, ops, batch[0], fused, training))
    found = np.empty((BATCH, 10), np.float32)
    ops.unpack(scores, found)
    with torch.no_grad():
        expected = by_pytorch(network.layers, torch.tensor(batch[0]).double(), as_tensors(network), training=False)
    assert np.abs(found - expected.numpy()).max() < 1e-5 * expected.abs().max()
    unchanged = start_values(network)
    assert all((value == unchanged[name]).all() for name, value in network.weights().items())


@pytest.mark.parametrize("name", ["resnet", "every layer", pytest.param("alexnet", marks=pytest.mark.long)])
def test_a_single_image_has_the_same_scores_as_in_a_batch(name, load_ops, batch):
    images, _ = batch
    of_many, of_one = np.empty((BATCH, 10), np.float32), np.empty((1, 10), np.float32)
    network, many = networks()[name], load_ops("cpu")
    x = prepare(network, many, images, training=False)
    many.unpack(network.forward(x), of_many)
    one = inference_ops(many, 1)
    network.build(one, 1, training=False)
    network.set_weights(start_values(network))
    x = one.empty((1, 1, 28, 28, 1))
    one.pack(images[:1], x)
    one.unpack(network.forward(x), of_one)
    np.testing.assert_allclose(of_one[0], of_many[0], rtol=0, atol=1e-5 * np.abs(of_many).max())


@pytest.mark.parametrize("name", network_names())
def test_gradients_agree_across_devices(name, load_ops, batch):
    exact_loss, exact = loss_and_gradients(networks()[name], float64_reference(load_ops("reference")), *batch)
    for device in ("cpu", "reference"):
        network = networks()[name]
        loss, gradients = loss_and_gradients(network, load_ops(device), *batch)
        assert loss == pytest.approx(exact_loss, rel=1e-5)
        assert_close(gradients, exact, *rounding(network))


def chains(steps):
    """Yield what distinguishes the steps: the types of their layers, and whether Winograd's method computes them."""
    for step in steps:
        convolutions = [part for part in step.parts if isinstance(part, Conv2D)]
        of_winograd = any(min(conv.weight.shape[:2]) > 10 and conv.stride == 1 for conv in convolutions)
        yield tuple(map(type, step.parts)), getattr(step, "after_relu", False), of_winograd
        yield from chains(getattr(step, "steps", []))


def networks_of_every_chain():
    """Return the names of the first networks that together have every chain that is fused."""
    names, seen = [], set()
    for name, network in networks().items():
        found = set(chains(fuse(network.layers)))
        if found - seen and name not in SLOW:
            names.append(name)
            seen |= found
    return names


@pytest.mark.parametrize("name", networks_of_every_chain())
def test_fused_steps_and_plain_layers_have_equal_gradients(name, ops, batch):
    loss, gradients = loss_and_gradients(networks()[name], ops, *batch, fused=True)
    expected_loss, expected = loss_and_gradients(networks()[name], ops, *batch, fused=False)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert_close(gradients, expected)


def kinds(steps):
    """Return the names of the types of steps."""
    return [type(step).__name__ for step in steps]


def test_steps_of_lenet(ops):
    network = Network(layers_of("lenet"))
    network.build(ops, 1)
    assert kinds(network.steps) == [
        *("ConvReLUPool", "ConvReLUPool", "Flatten", "FusedDense", "FusedDense", "FusedDense")
    ]
    assert [step.relu is not None for step in network.steps[3:]] == [True, True, False]
    assert [step.after_relu for step in network.steps[3:]] == [False, True, True]
    assert not any(step.after_relu for step in network.steps[:2])  # the pooling step computes the gradient of its ReLU


def test_steps_of_convolutions_without_pooling(ops):
    network = Network(layers_of("torch-example"))
    network.build(ops, 1)
    assert kinds(network.steps) == ["FusedConv2D", "ConvReLUPool", "Flatten", "FusedDense", "FusedDense"]
    assert [step.after_relu for step in network.steps if not isinstance(step, Flatten)] == [False, True, False, True]


def test_training_steps_of_a_normalized_network(ops):
    network = Network(CHAINS["normalised and pooled"])
    network.build(ops, 1)
    assert kinds(network.steps) == ["Conv2D", "BatchNormReLU", "MaxPool2D", "GlobalAvgPool2D", "Dense"]


def test_training_steps_of_a_residual_network(ops):
    network = Network(layers_of("resnet"))
    network.build(ops, 1)
    block = network.steps[2]
    assert kinds(network.steps) == [
        *("Conv2D", "BatchNormReLU", "FusedResidual", "FusedResidual", "FusedResidual", "GlobalAvgPool2D", "Dense")
    ]
    assert block.relu is not None
    assert kinds(block.steps) == ["Conv2D", "BatchNormReLU", "Conv2D", "BatchNorm"]


@pytest.mark.parametrize("training", [True, False])
def test_inference_steps_of_a_normalized_network(ops, training):
    network = Network(CHAINS["normalised and pooled"])
    network.build(ops, 1, training)
    assert kinds(network.inference_steps) == ["ConvReLUPool", "GlobalAvgPool2D", "Dense"]
    assert [fold.layer for fold in network.folds] == [network.layers[0]]
    network = Network(layers_of("resnet"))
    network.build(ops, 1, training)
    first, block, *_ = network.inference_steps
    assert kinds([first, block]) == ["FusedConv2D", "FusedResidual"]
    assert first.relu is not None
    assert block.relu is not None
    assert kinds(block.steps) == ["FusedConv2D", "Conv2D"]
    assert block.steps[0].relu is not None
    folded = [fold.folded for fold in network.folds]
    assert [first.conv, block.steps[0].conv, block.steps[1]] == folded[:3]
    assert len(folded) == 7


def test_dense_layers_are_folded_with_their_normalization(ops):
    network = Network([Flatten(), Dense(5), BatchNorm(), ReLU(), Dense(10)])
    network.build(ops, 1, training=False)
    assert kinds(network.inference_steps) == ["Flatten", "FusedDense", "Dense"]
    assert network.inference_steps[1].dense is network.folds[0].folded


def test_a_network_with_nothing_to_fold_has_one_chain_of_steps(ops):
    network = Network(layers_of("lenet"))
    network.build(ops, 1)
    assert network.inference_steps is network.steps


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["lenet", "resnet", "best", "every layer"])
def test_fusion_does_not_change_the_layers(name, ops, training):
    """Only attributes of `allocate` are set, and of the parts of fused steps none."""
    network = networks()[name]
    own = {id(layer): set(vars(layer)) for layer in sequence.walk(network.layers)}
    network.build(ops, 1, training)
    allocated = {"ops", "y", "dx", "mask", "mean", "var", "zero", "base", "lanes"}
    for layer in sequence.walk(network.layers):
        assert set(vars(layer)) - own[id(layer)] <= allocated
    fused = [step for step in network.steps if step not in network.layers]
    assert not any("y" in vars(part) for step in fused for part in step.parts)


@pytest.mark.parametrize(
    "layers",
    [
        [Flatten(), Dense(5), Sigmoid(), Dense(10)],
        [Flatten(), Dense(10), ReLU()],
        [Conv2D(2, 3), ReLU(), AvgPool2D(3), Flatten(), Dense(10)],
        [Conv2D(2, 3), LeakyReLU(), MaxPool2D(2), Flatten(), Dense(10)],
    ],
    ids=lambda layers: type(layers[2]).__name__,
)
def test_other_chains_are_not_fused(layers, ops):
    network = Network(layers)
    network.build(ops, 1)
    assert network.steps == network.layers


def test_parameters_are_views_of_one_array(ops, build):
    network = build("lenet", ops)
    buffer = network.buffer
    buffer.values[...] = 0
    for number, parameter in enumerate(network.parameters().values(), start=1):
        assert np.shares_memory(parameter.value, buffer.values)
        assert np.shares_memory(parameter.gradient, buffer.gradients)
        assert parameter.value.shape == parameter.gradient.shape == parameter.shape
        parameter.value[...] = number
    owners = buffer.values.reshape(-1).astype(int)
    parameters = list(network.parameters().values())
    assert np.bincount(owners)[1:].tolist() == [parameter.size for parameter in parameters]  # no two overlap
    assert all(np.argmax(owners == number) % ALIGNMENT == 0 for number in range(1, len(parameters) + 1))
    assert buffer.values.ctypes.data % 64 == 0


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_gaps_between_parameters_stay_zero(optimizer, ops, build):
    network = build("lenet", ops)
    values, gradients = (array.reshape(-1) for array in (network.buffer.values, network.buffer.gradients))
    for parameter in network.parameters().values():
        parameter.value[...] = parameter.gradient[...] = 1
    gaps = values == 0
    assert gaps.sum() == len(values) - network.parameter_count > 0
    np.testing.assert_array_equal(gradients == 0, gaps)

    stepper = Optimizer(ops, TrainConfig(optimizer=optimizer, lr=0.01, weight_decay=0.1), network.buffer)
    for _ in range(3):
        stepper.step(1)
    assert not values[gaps].any()
    assert not np.isin(values[~gaps], (0, 1)).any()


def test_the_optimizer_does_not_change_running_statistics(ops, build, batch):
    network = build("tiny-8k", ops)
    loss_and_gradients(network, ops, *batch)
    before = {name: network.weights()[name] for name in network.running()}
    Optimizer(ops, TrainConfig(lr=0.1, weight_decay=0.5), network.buffer).step(1)
    assert {name: value.tobytes() for name, value in before.items()} == {
        name: network.weights()[name].tobytes() for name in before
    }


def test_initialise_resets_running_statistics(ops, build, batch):
    network = build("tiny-8k", ops)
    start = network.weights()
    assert not start["batchnorm_1/running_mean"].any()
    assert (start["batchnorm_1/running_var"] == 1).all()
    assert (start["batchnorm_1/gamma"] == 1).all()
    loss_and_gradients(network, ops, *batch)
    network.initialise(0)
    assert {name: value.tobytes() for name, value in network.weights().items()} == {
        name: value.tobytes() for name, value in start.items()
    }


def test_dropout_masks_differ_between_steps_parts_seeds_and_layers(ops):
    network = Network([Dropout(), Residual([Dropout()]), Flatten(), Dense(10)])
    network.build(ops, BATCH)
    x, step = ops.zeros((BATCH // ops.lanes, 1, 28, 28, ops.lanes)), ops.zeros((1,), np.int64)
    masks = []
    for seed, number, part in ((0, 0, 0), (0, 1, 0), (1, 0, 0), (0, 0, 1), (0, 0, 0)):
        step[0] = number
        network.forward(x, TrainingStep(BATCH, step, seed, part))
        masks += [ops.download(layer.mask).tobytes() for layer in (network.layers[0], network.layers[1].layers[0])]
    assert len(set(masks[:8])) == 8
    assert masks[8:] == masks[:2]


def test_an_inference_network_has_no_gradients(ops):
    network = Network(layers_of("mlp"))
    network.build(ops, 8, training=False)
    assert network.buffer.gradients is None
    assert all(parameter.gradient is None for parameter in network.parameters().values())


def test_weights_are_copies_that_set_weights_accepts(ops, build, batch):
    network, other = build("lenet", ops), Network(layers_of("lenet"))
    saved = network.weights()
    network.buffer.values[...] = 0
    assert any(value.any() for value in saved.values())
    other.build(ops, 8, training=False)
    other.set_weights(saved)
    assert {name: value.tobytes() for name, value in other.weights().items()} == {
        name: value.tobytes() for name, value in saved.items()
    }


def test_initial_values_are_equal_on_all_devices(load_ops, build):
    cpu, reference = (build("lenet", load_ops(device)).weights() for device in ("cpu", "reference"))
    assert {name: value.tobytes() for name, value in cpu.items()} == {
        name: value.tobytes() for name, value in reference.items()
    }


def test_he_initialisation_is_normal(load_ops):
    values = initial("mlp", load_ops, "he", seed=3)
    for name, fan_in in (("dense_1/weight", 784), ("dense_2/weight", 128)):
        z = values[name].ravel() / np.sqrt(2 / fan_in)
        assert abs(z.mean()) < 5 / np.sqrt(z.size)
        assert abs(z.std() - 1) < 5 / np.sqrt(2 * z.size)
        assert abs((np.abs(z) < 1).mean() - 0.6827) < 0.01
        assert abs((np.abs(z) < 2).mean() - 0.9545) < 0.01
    assert not any(value.any() for name, value in values.items() if name.endswith("bias"))


def test_he_initialisation_of_a_convolution_counts_its_kernel(load_ops):
    weight = initial("lenet", load_ops, "he", seed=3)["conv2d_2/weight"]
    assert weight.std() == pytest.approx(np.sqrt(2 / (6 * 5 * 5)), rel=0.05)


def test_glorot_initialisation_is_uniform(load_ops):
    values = initial("lenet", load_ops, "glorot", seed=3)
    for name, fans in (("conv2d_2/weight", (6 + 16) * 25), ("dense_1/weight", 400 + 120)):
        u = values[name].ravel() / np.sqrt(6 / fans)
        assert 0.99 < np.abs(u).max() <= 1
        assert abs(u.mean()) < 5 / np.sqrt(3 * u.size)
        assert u.std() == pytest.approx(np.sqrt(1 / 3), rel=0.03)


@pytest.mark.parametrize(("init", "within"), [("normal", 0.6827), ("uniform", 1 / np.sqrt(3))])
def test_normal_and_uniform_initialisation_have_the_variance_of_lecun(load_ops, init, within):
    """68 % of normal and 58 % of uniform numbers lie within one standard deviation."""
    z = initial("mlp", load_ops, init, seed=3)["dense_1/weight"].ravel() * np.sqrt(784)
    assert abs(z.mean()) < 5 / np.sqrt(z.size)
    assert abs(z.std() - 1) < 5 / np.sqrt(2 * z.size)
    assert abs((np.abs(z) < 1).mean() - within) < 0.01
    assert (np.abs(z).max() <= np.sqrt(3) * (1 + 1e-6)) == (init == "uniform")


def test_initial_values_differ_between_parameters_and_seeds(load_ops):
    weights = [
        initial("mlp", load_ops, "he", seed, hidden=(128, 128, 128))[name]
        for seed in (0, 1, 2**32, 2**63 - 1)
        for name in ("dense_2/weight", "dense_3/weight")
    ]
    assert len({weight.tobytes() for weight in weights}) == len(weights)


def initial(model, load_ops, init, seed, **options):
    """Return the initial values of a network."""
    network = Network(layers_of(model, ModelOptions(init=init, **options)))
    network.build(load_ops("reference"), 1, training=False)
    network.initialise(seed)
    return network.weights()


@pytest.mark.parametrize("images", [1, INFERENCE_MICRO_BATCH - 1, INFERENCE_MICRO_BATCH, 3 * INFERENCE_MICRO_BATCH + 5])
def test_micro_batches_do_not_change_the_scores(images):
    ops, layers = load("cpu"), layers_of("lenet")
    pixels = np.random.default_rng(0).normal(size=(images, 1, 28, 28)).astype(np.float32)
    found = []
    for training in (False, True):  # in micro-batches, and all at once
        network = Network(layers)
        network.build(ops, images, training)
        network.initialise(0)
        x, scores = ops.empty((blocks(images, ops.lanes), 1, 28, 28, ops.lanes)), np.empty((images, 10), np.float32)
        ops.pack(pixels, x)
        ops.unpack(network.forward(x), scores)
        found.append(scores)
    assert np.array_equal(*found)
