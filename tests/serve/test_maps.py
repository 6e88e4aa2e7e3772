import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from fastdigits import BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, ReLU, Residual, Tanh, ops
from fastdigits.data import load_part
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation, Preparation
from fastdigits.inference.evaluate import probabilities
from fastdigits.inference.explain import Explainer
from fastdigits.nn import Network
from fastdigits.serve.maps import feature_maps
from fastdigits.storage.weights import SavedNetwork

LAYERS = [
    Conv2D(4, 3),
    BatchNorm(),
    ReLU(),
    MaxPool2D(2),
    Residual([Conv2D(4, 3, padding="same"), BatchNorm()]),
    ReLU(),
    Conv2D(70, 3, padding="same"),
    Flatten(),
    Dropout(0.3),
    Dense(33),
    Tanh(),
    Dense(10),
]
NORMALISATION = Normalisation(0.2, 0.3, Preparation(pad=2, gamma=0.7))


def saved_network(layers, normalisation=NORMALISATION):
    """A network with random weights for images of MNIST."""
    side = 28 + 2 * normalisation.preparation.pad
    network = Network(layers, (1, side, side))
    network.build(ops.load("reference"), 1, training=False)
    network.initialise(1)
    numbers = np.random.default_rng(1)
    values = {
        name: value + numbers.uniform(0, 0.2, value.shape).astype("f4") for name, value in network.weights().items()
    }
    return SavedNetwork(network.config(), values, normalisation, "", "", {}, [], {})


@pytest.fixture(scope="module")
def saved():
    return saved_network(LAYERS)


@pytest.fixture(scope="module")
def cpu():
    return ops.load("cpu")


@pytest.fixture(scope="module")
def image():
    return load_part("mnist", "test")[0][0]


@pytest.fixture(scope="module")
def explainer_of(cpu):
    return lambda saved: Explainer(saved, ops.inference_ops(cpu, 1))


def test_layers_are_shown_after_normalization_and_activation(saved, explainer_of, image):
    shown = [(maps.layer, maps.values.shape, maps.total) for maps in feature_maps(explainer_of(saved), image)]
    assert shown == [
        ("conv2d_1, BatchNorm, ReLU", (4, 30, 30), 4),
        ("maxpool2d_1", (4, 15, 15), 4),
        ("residual_1.conv2d_1, BatchNorm, Residual, ReLU", (4, 15, 15), 4),
        ("conv2d_2", (64, 15, 15), 70),
        ("dense_1, Tanh", (33,), 33),
    ]


def test_the_last_maps_lead_to_the_probabilities(saved, cpu, explainer_of, image):
    """The last layer turns the last maps into the network's scores."""
    *_, last = feature_maps(explainer_of(saved), image)
    scores = saved.weights["dense_2/weight"] @ last.values + saved.weights["dense_2/bias"]
    shares = np.exp(scores - scores.max())
    batches = Batches(cpu, image[None], None, 16, NORMALISATION)
    expected = probabilities(saved.built(cpu, 16), batches, np.arange(1))[0]
    np.testing.assert_allclose(shares / shares.sum(), expected, rtol=0, atol=1e-5)


def test_the_first_maps_are_the_convolution_of_the_normalised_image(explainer_of, image):
    saved = saved_network([Conv2D(3, 5), ReLU(), Flatten(), Dense(10)], Normalisation(0.2, 0.3))
    (maps,) = feature_maps(explainer_of(saved), image)
    windows = np.lib.stride_tricks.sliding_window_view((image / 255 - 0.2) / 0.3, (5, 5))
    weight, bias = saved.weights["conv2d_1/weight"], saved.weights["conv2d_1/bias"]
    expected = np.einsum("ijpq,opq->oij", windows, weight[:, 0]) + bias[:, None, None]
    np.testing.assert_allclose(maps.values, np.maximum(expected, 0), rtol=0, atol=1e-4)


def test_a_network_without_hidden_layers_has_no_maps(explainer_of, image):
    assert feature_maps(explainer_of(saved_network([Flatten(), Dense(10)])), image) == []


def test_maps_are_not_overwritten_by_the_next_image(saved, explainer_of, image):
    same = explainer_of(saved)
    first = feature_maps(same, image)
    kept = [maps.values.copy() for maps in first]
    feature_maps(same, 255 - image)
    assert all((maps.values == copy).all() for maps, copy in zip(first, kept, strict=True))
