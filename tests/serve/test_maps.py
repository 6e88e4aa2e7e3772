import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from fastdigits import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
    Tanh,
    load_digits,
)
from fastdigits.serve.maps import Explainer

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


@pytest.fixture(scope="module")
def model():
    digits = load_digits()
    model = Sequential(LAYERS, input_shape=(1, 32, 32), device="cpu")
    model.fit(digits.train_images[:500], digits.train_labels[:500], epochs=1, pad=2, gamma=0.7)
    return model


def explainer(model):
    return Explainer(model.network, model.normalisation)


@pytest.fixture(scope="module")
def image():
    return load_digits().test_images[0]


def test_a_layer_is_shown_with_what_alters_it(model, image):
    shown = [(maps.layer, maps.values.shape, maps.total) for maps in explainer(model).maps(image)]
    assert shown == [
        ("conv2d_1, batchnorm_1, relu_1", (4, 30, 30), 4),
        ("maxpool2d_1", (4, 15, 15), 4),
        ("residual_1, relu_2", (4, 15, 15), 4),
        ("conv2d_2", (64, 15, 15), 70),
        ("dense_1, tanh_1", (33,), 33),
    ]


def test_the_last_maps_lead_to_the_probabilities(model, image):
    """What the last layer makes of the last maps is what the network says."""
    *_, last = explainer(model).maps(image)
    values = model.network.values()
    scores = values["dense_2/weight"] @ last.values + values["dense_2/bias"]
    shares = np.exp(scores - scores.max())
    np.testing.assert_allclose(shares / shares.sum(), model.predict(image[None])[0], rtol=0, atol=1e-5)


def test_the_first_maps_are_the_convolution_of_the_prepared_image(image):
    digits = load_digits()
    model = Sequential([Conv2D(3, 5), ReLU(), Flatten(), Dense(10)], device="cpu")
    model.fit(digits.train_images[:200], digits.train_labels[:200], epochs=1)
    (maps,) = explainer(model).maps(image)
    x = (image / 255 - model.normalisation.mean) / model.normalisation.std
    windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5))
    values = model.network.values()
    expected = (
        np.einsum("ijpq,opq->oij", windows, values["conv2d_1/weight"][:, 0]) + values["conv2d_1/bias"][:, None, None]
    )
    np.testing.assert_allclose(maps.values, np.maximum(expected, 0), rtol=0, atol=1e-4)


def test_a_network_without_inner_layers_has_no_maps(image):
    digits = load_digits()
    model = Sequential([Flatten(), Dense(10)], device="cpu")
    model.fit(digits.train_images[:100], digits.train_labels[:100], epochs=1)
    assert explainer(model).maps(image) == []


def test_maps_stay_when_the_next_image_is_explained(model, image):
    same = explainer(model)
    first = same.maps(image)
    kept = [maps.values.copy() for maps in first]
    same.maps(255 - image)
    assert all((maps.values == copy).all() for maps, copy in zip(first, kept, strict=True))
