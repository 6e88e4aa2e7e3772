"""Several Python threads that use the same networks get the same bits as one thread."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread

import numpy as np
import pytest

from fastdigits import BatchNorm, Conv2D, Dense, Flatten, MaxPool2D, ReLU, Sequential, UserError, load_digits
from fastdigits.inference.recognizer import Recognizer
from fastdigits.training.callbacks import Callback

pytestmark = pytest.mark.slow

BATCHES = (1, 2, 5, 40, 100)  # one image, a few, a batch, several batches
CALLS = 20  # of each thread


@pytest.fixture(scope="module")
def digits():
    return load_digits("mnist")


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer(device="cpu")


@pytest.fixture(scope="module")
def models(digits):
    """Two trained networks, one of them with batch normalization, whose inference graph has weights of its own."""
    layers = [Conv2D(8, 3, padding="same"), ReLU(), MaxPool2D(2), Flatten(), Dense(10)]
    normalized = [Conv2D(8, 3), BatchNorm(), ReLU(), MaxPool2D(2), Flatten(), Dense(10)]
    return [trained(layers, digits), trained(normalized, digits)]


def trained(layers, digits, seed=1):
    model = Sequential(layers, device="cpu")
    model.fit(digits.train_images[:500], digits.train_labels[:500], epochs=1, seed=seed)
    return model


def run_together(functions):
    """Start one thread for each function, let all begin at the same time, and return their results."""
    barrier = Barrier(len(functions))

    def run(function):
        barrier.wait()
        return function()

    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result() for future in [pool.submit(run, function) for function in functions]]


def assert_alike_in_threads(predict, images, threads):
    """Let each thread predict other images in turn, and compare every answer with that of a single thread."""
    parts = [images[40 * first : 40 * first + size] for first in range(threads + 3) for size in BATCHES]
    expected = [predict(part).tobytes() for part in parts]

    def wrong_answers(thread):
        order = [(7 * call + 11 * thread) % len(parts) for call in range(CALLS)]
        return [index for index in order if predict(parts[index]).tobytes() != expected[index]]

    assert run_together([lambda thread=thread: wrong_answers(thread) for thread in range(threads)]) == [[]] * threads


@pytest.mark.parametrize("threads", [1, 2, 4, 8, 16])
def test_threads_share_a_recognizer(threads, recognizer, digits):
    assert_alike_in_threads(recognizer.class_probabilities, digits.test_images, threads)


@pytest.mark.parametrize("threads", [2, 8])
def test_threads_share_several_networks(threads, models, recognizer, digits):
    def predict(images):
        return np.concatenate(
            [model.predict(images).ravel() for model in models] + [recognizer.class_probabilities(images).ravel()]
        )

    assert_alike_in_threads(predict, digits.test_images, threads)


def test_threads_recognize_pictures(recognizer, digits):
    pictures = [255 - np.pad(image, 10).repeat(3, 0).repeat(3, 1) for image in digits.test_images[:12]]
    expected = [recognizer.recognize(picture)[1] for picture in pictures]
    answers = run_together([lambda: [recognizer.recognize(picture)[1] for picture in pictures]] * 4)
    assert answers == [expected] * 4


def test_threads_evaluate_and_save_the_same_network(models, digits, tmp_path):
    images, labels = digits.test_images[:1000], digits.test_labels[:1000]
    for model in models:
        model.save(tmp_path / "alone.h5")
        alone = model.evaluate(images, labels)

        def evaluate(model=model):
            result = model.evaluate(images, labels)
            return result.loss, result.confusion.tolist()

        def save(model=model):
            model.save(tmp_path / "together.h5")

        results = run_together([evaluate, save, evaluate, evaluate])
        assert [results[index] for index in (0, 2, 3)] == [(alone.loss, alone.confusion.tolist())] * 3
        assert (tmp_path / "together.h5").read_bytes() == (tmp_path / "alone.h5").read_bytes()


def test_two_networks_train_at_the_same_time_as_they_do_alone(digits):
    layers = [Conv2D(8, 3, padding="same"), ReLU(), MaxPool2D(2), Flatten(), Dense(10)]
    alone = [trained(layers, digits, seed).network.weights() for seed in (1, 2)]
    together = run_together([lambda seed=seed: trained(layers, digits, seed).network.weights() for seed in (1, 2)])
    for expected, weights in zip(alone, together, strict=True):
        assert {name: value.tobytes() for name, value in weights.items()} == {
            name: value.tobytes() for name, value in expected.items()
        }


class Pause(Callback):
    """Pause a training after its first step, until `resume` is set."""

    def __init__(self):
        self.paused, self.resume = Event(), Event()

    def on_step(self, *_):
        self.paused.set()
        assert self.resume.wait(60)


def test_a_network_that_another_thread_trains_is_refused_then_right(digits):
    layers = [Flatten(), Dense(10)]
    model, expected = trained(layers, digits, seed=1), trained(layers, digits, seed=2)
    images, labels = digits.train_images[:500], digits.train_labels[:500]
    pause = Pause()
    training = Thread(target=model.fit, args=(images, labels, pause), kwargs={"epochs": 1, "seed": 2})
    training.start()
    assert pause.paused.wait(60)
    for use in (
        lambda: model.predict(images),
        lambda: model.evaluate(images, labels),
        lambda: model.save("never-written.h5"),
        lambda: model.fit(images, labels),
    ):
        with pytest.raises(UserError, match="being trained"):
            use()
    pause.resume.set()
    training.join()
    assert model.predict(images).tobytes() == expected.predict(images).tobytes()


def test_a_training_that_begins_does_not_change_running_predictions(digits):
    """The predictions come from the weights of before, also when they need another copy of the network."""
    model = trained([Flatten(), Dense(10)], digits)
    images = digits.test_images[:100]
    expected, pool = model.predict(images), model._trained.pool
    model.fit(digits.train_images[:500], digits.train_labels[:500], epochs=1, seed=2)
    assert pool.probabilities(images).tobytes() == expected.tobytes()
    assert pool.probabilities(images[:5]).tobytes() == expected[:5].tobytes()
    assert model.predict(images).tobytes() != expected.tobytes()
