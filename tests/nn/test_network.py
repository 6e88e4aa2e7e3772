import numpy as np
import pytest

from fastdigits.config import OPTIMIZERS, TrainConfig
from fastdigits.models import MODELS, ModelOptions, layers_of
from fastdigits.nn import AvgPool2D, Conv2D, Dense, Flatten, LeakyReLU, MaxPool2D, Network, ReLU, Sigmoid, Tanh
from fastdigits.nn.parameter import ALIGNMENT
from fastdigits.optim import Optimizer

IMAGES, BATCH = 40, 64  # lanes beyond the 40 images stay empty; of 16 lanes one whole block
EVERY_LAYER = [
    Conv2D(4, (3, 5), stride=2, padding=1, initializer="glorot"),
    Tanh(),
    MaxPool2D(3, stride=2),
    Conv2D(5, 2, padding="full"),
    LeakyReLU(0.2),
    AvgPool2D((2, 3)),
    Flatten(),
    Dense(20),
    Sigmoid(),
    Dense(10),
]


def networks():
    """A new network of each model, and one of every layer there is."""
    models = {model: Network(layers_of(model)) for model in MODELS}
    return models | {"every layer": Network(EVERY_LAYER)}


@pytest.fixture
def batch():
    """Images (64, 1, 28, 28), of which those from the 40th on have no target and so must not count, and targets."""
    random = np.random.default_rng(1)
    images = random.standard_normal((BATCH, 1, 28, 28), np.float32)
    targets = np.where(np.arange(BATCH) < IMAGES, random.integers(0, 10, BATCH), -1).astype(np.float32)
    return images, targets


def start_values(network):
    """Random parameters, biases too, which a network begins with at zero."""
    random = np.random.default_rng(2)
    return {
        name: (random.standard_normal(p.shape) / np.sqrt(p.fan_in or 10)).astype(np.float32)
        for name, p in network.parameters().items()
    }


def loss_and_gradients(network, ops, images, targets, fused=True):
    """The mean cross-entropy of one batch and its gradient by each parameter."""
    network.build(ops, BATCH, fused=fused)
    network.set_values(start_values(network))
    blocks = BATCH // ops.lanes
    x, t = ops.empty((blocks, 1, 28, 28, ops.lanes)), ops.empty((blocks, ops.lanes))
    ops.pack(images, x)
    ops.pack(targets, t)
    scores = network.forward(x)
    losses, dscores = ops.empty(t.shape), ops.empty(scores.shape)
    ops.softmax_cross_entropy(scores, t, IMAGES, 0.0, losses, dscores)
    network.backward(dscores)
    gradients = {name: ops.download(p.gradient) for name, p in network.parameters().items()}
    return ops.download(losses).sum() / IMAGES, gradients


def assert_close(actual, expected):
    """Each gradient differs by at most 1e-5 of its largest entry."""
    assert actual.keys() == expected.keys()
    for name, gradient in expected.items():
        error = np.abs(actual[name] - gradient).max() / np.abs(gradient).max()
        assert error < 1e-5, f"{name} is {error:.1e} off"


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
@pytest.mark.parametrize("name", networks())
def test_gradients_are_those_of_pytorch(name, fused, ops, batch):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    network = networks()[name]
    loss, gradients = loss_and_gradients(network, ops, *batch, fused=fused)

    parameters = {name: torch.tensor(v, dtype=torch.float64) for name, v in start_values(network).items()}
    for parameter in parameters.values():
        parameter.requires_grad_()
    images, targets = (torch.tensor(array[:IMAGES]) for array in batch)
    x = images.double()
    for layer_name, layer in zip(network.names, network.layers, strict=True):
        own = [parameters[f"{layer_name}/{parameter.name}"] for parameter in layer.parameters]
        match layer:
            case Conv2D():
                x = functional.pad(x, (layer.left, layer.left, layer.top, layer.top))  # below 0 it crops
                x = functional.conv2d(x, *own, stride=layer.stride)
            case Dense():
                x = functional.linear(x, *own)
            case MaxPool2D():
                x = functional.max_pool2d(x, layer.size, layer.stride)
            case AvgPool2D():
                x = functional.avg_pool2d(x, layer.size, layer.stride)
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
    expected = functional.cross_entropy(x, targets.long())
    expected.backward()

    assert loss == pytest.approx(expected.item(), rel=1e-5)
    assert_close(gradients, {name: parameter.grad.numpy() for name, parameter in parameters.items()})


@pytest.mark.parametrize("name", networks())
def test_gradients_are_the_same_on_both_devices(name, load_ops, batch):
    loss, gradients = loss_and_gradients(networks()[name], load_ops("cpu"), *batch)
    expected_loss, expected = loss_and_gradients(networks()[name], load_ops("reference"), *batch)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert_close(gradients, expected)


@pytest.mark.parametrize("name", networks())
def test_fused_steps_give_the_plain_layers_gradients(name, ops, batch):
    loss, gradients = loss_and_gradients(networks()[name], ops, *batch, fused=True)
    expected_loss, expected = loss_and_gradients(networks()[name], ops, *batch, fused=False)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert_close(gradients, expected)


def test_what_is_fused(ops):
    network = Network(layers_of("lenet"))
    network.build(ops, 1)
    steps = [type(step).__name__ for step in network.steps]
    assert steps == ["ConvReLUPool", "ConvReLUPool", "Flatten", "Dense", "Dense", "Dense"]
    assert [step.rectifies for step in network.steps[3:]] == [True, True, False]
    assert [step.rectified_input for step in network.steps[3:]] == [False, True, True]


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
def test_what_is_not_fused(layers, ops):
    network = Network(layers)
    network.build(ops, 1)
    assert network.steps == network.layers
    assert not any(step.rectifies for step in network.steps)


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
    assert np.bincount(owners)[1:].tolist() == [parameter.size for parameter in parameters]  # none overlaps another
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


def test_a_network_that_does_not_learn_needs_no_gradients(ops):
    network = Network(layers_of("mlp"))
    network.build(ops, 8, training=False)
    assert network.buffer.gradients is None
    assert all(parameter.gradient is None for parameter in network.parameters().values())


def test_values_are_copies_that_set_values_takes(ops, build, batch):
    network, other = build("lenet", ops), Network(layers_of("lenet"))
    kept = network.values()
    network.buffer.values[...] = 0
    assert any(value.any() for value in kept.values())
    other.build(ops, 8, training=False)
    other.set_values(kept)
    assert {name: value.tobytes() for name, value in other.values().items()} == {
        name: value.tobytes() for name, value in kept.items()
    }


def test_initial_values_are_the_same_on_both_devices(load_ops, build):
    cpu, reference = (build("lenet", load_ops(device)).values() for device in ("cpu", "reference"))
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


def test_he_initialisation_of_a_convolution_counts_its_window(load_ops):
    weight = initial("lenet", load_ops, "he", seed=3)["conv2d_2/weight"]
    assert weight.std() == pytest.approx(np.sqrt(2 / (6 * 5 * 5)), rel=0.05)


def test_glorot_initialisation_is_uniform(load_ops):
    values = initial("lenet", load_ops, "glorot", seed=3)
    for name, fans in (("conv2d_2/weight", (6 + 16) * 25), ("dense_1/weight", 400 + 120)):
        u = values[name].ravel() / np.sqrt(6 / fans)
        assert 0.99 < np.abs(u).max() <= 1
        assert abs(u.mean()) < 5 / np.sqrt(3 * u.size)
        assert u.std() == pytest.approx(np.sqrt(1 / 3), rel=0.03)


def test_parameters_and_seeds_start_differently(load_ops):
    weights = [
        initial("mlp", load_ops, "he", seed, hidden=(128, 128, 128))[name]
        for seed in (0, 1, 2**32, 2**63 - 1)
        for name in ("dense_2/weight", "dense_3/weight")
    ]
    assert len({weight.tobytes() for weight in weights}) == len(weights)


def initial(model, load_ops, init, seed, **options):
    """The values that a network starts with."""
    network = Network(layers_of(model, ModelOptions(init=init, **options)))
    network.build(load_ops("reference"), 1, training=False)
    network.initialise(seed)
    return network.values()
