"""Networks trained on digits of another size or in another place read pictures as well as those trained on MNIST."""

import numpy as np
import pytest

from fastdigits import Dense, Flatten, Sequential
from fastdigits import ops as devices
from fastdigits.data import load_digits
from fastdigits.inference.explain import explain
from fastdigits.inference.recognizer import Recognizer
from fastdigits.serve.models import load_models
from fastdigits.storage import weights
from tests.helpers.placement import filled

pytestmark = pytest.mark.slow
TRAINED_ON, PICTURES, LOSS = 3000, 150, 0.07
SETS = {
    "fills the frame": lambda images: filled(images, 28),
    "fills the frame, dark": lambda images: 255 - filled(images, 28),
    "stretched to fill the frame": lambda images: filled(images, 28, "stretch"),
    "small": lambda images: filled(images, 12),
    "small, in a corner": lambda images: np.roll(filled(images, 12), (-6, 7), (1, 2)),
    "centered by box": lambda images: filled(images, 20),
}


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture(scope="module")
def pictures(digits):
    """Dark digits on paper, at twice the size and off center."""
    pages = np.zeros((PICTURES, 90, 80), np.uint8)
    pages[:, 20:76, 4:60] = np.kron(digits.test_images[:PICTURES], np.ones((2, 2), np.uint8))
    return (240 - pages * 0.8).astype(np.uint8)


def trained(images, digits, path, **settings):
    """Train a linear network on images, and return its file."""
    side = 28 + 2 * settings.get("pad", 0)
    model = Sequential([Flatten(), Dense(10)], (1, side, side), device="cpu")
    model.fit(images, digits.train_labels[: len(images)], epochs=5, **settings)
    model.save(path)
    return path


def accuracy(path, pictures, digits):
    recognizer = Recognizer(path, "cpu")
    answers = [recognizer.recognize(picture)[1].digit for picture in pictures]
    return np.mean(answers == digits.test_labels[: len(pictures)])


@pytest.fixture(scope="module")
def plain(digits, tmp_path_factory):
    return trained(digits.train_images[:TRAINED_ON], digits, tmp_path_factory.mktemp("plain") / "plain.h5")


@pytest.fixture(scope="module")
def expected(plain, digits, pictures):
    """The accuracy of a network trained on MNIST."""
    return accuracy(plain, pictures, digits)


@pytest.fixture(scope="module")
def tight(digits, tmp_path_factory):
    images = filled(digits.train_images[:TRAINED_ON], 28)
    return trained(images, digits, tmp_path_factory.mktemp("tight") / "tight.h5")


@pytest.mark.parametrize("settings", [{}, {"pad": 2}], ids=["plain", "padded"])
@pytest.mark.parametrize("name", SETS)
def test_pictures_are_read_as_by_a_network_trained_on_mnist(name, settings, expected, digits, pictures, tmp_path):
    path = trained(SETS[name](digits.train_images[:TRAINED_ON]), digits, tmp_path / "other.h5", **settings)
    assert expected > 0.88
    assert accuracy(path, pictures, digits) > expected - LOSS


def test_networks_trained_on_mnist_see_the_same_bits(plain, digits):
    saved, recognizer = weights.read(plain), Recognizer(plain, "cpu")
    assert recognizer.saved.normalisation == saved.normalisation
    images = digits.test_images[:20]
    assert recognizer.saved.normalisation.preparation.apply(images) is images


def test_the_server_and_explanations_see_the_same_image(tight, digits):
    image = digits.test_images[0]
    recognizer, (model,) = Recognizer(tight, "cpu"), load_models([tight], "cpu", None)
    (expected,) = recognizer.predict(image[None])
    assert model.recognizer.predict(image[None]) == [expected]
    found = explain(recognizer.saved, image, devices.load("reference"))
    assert found.digit == expected.digit
    ink = (found.image > 64).nonzero()[0]
    assert (ink.min(), ink.max()) == (0, 27)
    assert model.explainer.normalisation == recognizer.saved.normalisation


def test_stored_images_are_evaluated_as_they_are(tight, digits):
    """The images of a data set lie as those of training and are not moved."""
    saved = weights.read(tight)
    images = filled(digits.test_images[:300], 28)
    assert np.array_equal(saved.normalisation.preparation.apply(images), images)
