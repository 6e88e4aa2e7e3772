"""Networks trained on dark ink read pictures, and are evaluated, as those trained on the same images with light ink."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from fastdigits import Dense, Flatten, Sequential
from fastdigits import ops as devices
from fastdigits.data import load_digits
from fastdigits.inference.ensemble import SHIFTS, evaluate_ensemble
from fastdigits.inference.explain import explain
from fastdigits.inference.recognizer import Recognizer
from fastdigits.serve.maps import feature_maps
from fastdigits.serve.models import load_models
from fastdigits.storage import weights

AUGMENT = "shift=2,rotate=15,scale=0.1,shear=5,contrast=0.3,gamma=0.2,erase=6"
pytestmark = pytest.mark.slow
SETTINGS = {
    "plain": {},
    "padded": {"pad": 2, "contrast": 2.0, "gamma": 0.7},
    "augmented": {"augment": AUGMENT},
    "padded and augmented": {"pad": 2, "augment": AUGMENT, "normalise": False},
}
TRAINED_ON, PICTURES = 2000, 100


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture(scope="module", params=SETTINGS)
def networks(request, digits, tmp_path_factory):
    """The files of two networks, trained on the same images with light and with dark ink."""
    settings, folder = SETTINGS[request.param], tmp_path_factory.mktemp("networks")
    images, labels = digits.train_images[:TRAINED_ON], digits.train_labels[:TRAINED_ON]
    side = 28 + 2 * settings.get("pad", 0)
    for name, set_images in (("light", images), ("dark", 255 - images)):
        model = Sequential([Flatten(), Dense(10)], (1, side, side), device="cpu")
        model.fit(set_images, labels, epochs=3, **settings)
        model.save(folder / f"{name}.h5")
    return folder / "light.h5", folder / "dark.h5"


@pytest.fixture(scope="module", params=["dark on paper", "light on black"])
def pictures(request, digits):
    """Pictures of digits at twice the size, off center, in either polarity."""
    pages = np.zeros((PICTURES, 90, 80), np.uint8)
    pages[:, 20:76, 4:60] = np.kron(digits.test_images[:PICTURES], np.ones((2, 2), np.uint8))
    return pages if request.param == "light on black" else (240 - pages * 0.8).astype(np.uint8)


def test_dark_ink_trains_the_same_network(networks):
    light, dark = map(weights.read, networks)
    assert dark.normalisation == replace(light.normalisation, preparation=dark.normalisation.preparation)
    assert dark.normalisation.preparation == replace(light.normalisation.preparation, invert=True)
    for name, values in light.weights.items():
        assert np.array_equal(dark.weights[name], values)


def test_pictures_of_either_polarity_are_read_alike(networks, pictures, digits):
    light, dark = (Recognizer(path, "cpu") for path in networks)
    expected = [light.recognize(picture)[1] for picture in pictures]
    assert [dark.recognize(picture)[1] for picture in pictures] == expected
    correct = [one.digit == label for one, label in zip(expected, digits.test_labels, strict=False)]
    assert np.mean(correct) > 0.7


def test_stored_images_are_evaluated_in_the_polarity_of_training(networks, digits):
    images, labels, ops = digits.test_images[:300], digits.test_labels[:300], devices.load("cpu")
    light, dark = map(weights.read, networks)
    for shifts in (SHIFTS[:1], SHIFTS):
        expected = evaluate_ensemble([light], images, labels, ops, shifts)
        found = evaluate_ensemble([dark], 255 - images, labels, ops, shifts)
        assert np.array_equal(found.probabilities, expected.probabilities)


def test_explanations_agree(networks, digits):
    light, dark = map(weights.read, networks)
    ops, image = devices.load("reference"), digits.test_images[3]
    of_light, of_dark = explain(light, image, ops), explain(dark, 255 - image, ops)
    of_picture = explain(Recognizer(networks[1], "reference").saved, image, ops)
    for found in (of_dark, of_picture):
        assert np.array_equal(found.image, of_light.image)
        assert np.array_equal(found.probabilities, of_light.probabilities)


def test_the_server_reads_and_explains_alike(networks, digits):
    light, dark = load_models(networks, "cpu", None)
    assert dark.recognizer.predict(digits.test_images[:3]) == light.recognizer.predict(digits.test_images[:3])
    maps = [feature_maps(model.explainer, digits.test_images[3]) for model in (light, dark)]
    assert maps[0] == maps[1]


def test_a_mixed_set_is_announced_and_read_as_mnist(digits):
    images = digits.train_images[:100].copy()
    images[::3] = 255 - images[::3]
    model = Sequential([Flatten(), Dense(10)], device="reference")
    with pytest.warns(UserWarning, match="34% of the images have dark ink"):
        model.fit(images, digits.train_labels[:100], epochs=1)
    assert not model.normalisation.preparation.invert


def test_evaluation_on_the_other_polarity_warns(digits):
    images, labels = digits.train_images[:100], digits.train_labels[:100]
    model = Sequential([Flatten(), Dense(10)], device="reference")
    model.fit(255 - images, labels, epochs=1)
    with pytest.warns(UserWarning, match="have light ink, but the network was trained on dark ink"):
        model.evaluate(images, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.evaluate(255 - images, labels)
