"""The arguments of `Sequential.fit`, its history, callbacks and progress, and training batch by batch."""

import io
import signal
import sys

import numpy as np
import pytest

from fastdigits import Callback, Dense, Flatten, Sequential, UserError
from fastdigits.training.weighting import with_class_weight

SETTINGS = {"epochs": 3, "batch_size": 16, "lr": 0.01, "schedule": "constant"}


@pytest.fixture(scope="module")
def stripes():
    """Noisy images 8 x 8 of three classes on black, each with light in other rows."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 128).astype(np.uint8)
    images = np.zeros((128, 8, 8), np.uint8)
    images[:, 1:7, 1:7] = rng.integers(0, 100, (128, 6, 6))
    for label in range(3):
        images[labels == label, 2 * label + 1 : 2 * label + 3, 1:7] += np.uint8(100)
    return images, labels


def new_model(**options):
    return Sequential([Flatten(), Dense(3)], input_shape=(1, 8, 8), **{"device": "reference", **options})


def test_the_history_is_a_dict_of_lists(stripes):
    model = new_model()
    assert set(map(len, model.history.values())) == {0}
    history = model.fit(*stripes, validation_split=0.25, **SETTINGS)
    assert history == model.history
    assert history["epoch"] == [1, 2, 3]
    assert history["learning_rate"] == [0.01] * 3
    assert history["train_loss"][2] < history["train_loss"][0]
    assert all(isinstance(value, float) for value in history["validation_accuracy"])


def test_validation_data_are_only_validated_on(stripes):
    images, labels = stripes
    model, other = new_model(), new_model()
    wrong = (labels[96:] + 1) % 3
    history = model.fit(images[:96], labels[:96], validation_data=(images[96:], wrong), **SETTINGS)
    other.fit(images[:96], labels[:96], validation=0, **SETTINGS)
    assert model.predict(images).tobytes() == other.predict(images).tobytes()
    assert history["validation_accuracy"][-1] == model.evaluate(images[96:], wrong).accuracy < 0.1
    assert history["validation_loss"][-1] == pytest.approx(model.evaluate(images[96:], wrong).loss)
    assert model.config.validation == 32


def test_a_validation_split_is_a_fraction_of_the_images(stripes):
    model, other = new_model(), new_model()
    model.fit(*stripes, validation_split=0.25, **SETTINGS)
    other.fit(*stripes, validation=32, **SETTINGS)
    assert model.predict(stripes[0]).tobytes() == other.predict(stripes[0]).tobytes()
    without = new_model().fit(*stripes, validation_split=0, **SETTINGS)
    assert without["validation_loss"] == [None] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"validation_split": 1}, "validation_split must be a fraction"),
        ({"validation_split": "a tenth"}, "validation_split must be a fraction"),
        ({"validation_split": 0.1, "validation": 3}, "Give one of"),
        ({"validation_data": np.zeros((3, 8, 8), np.uint8)}, "two arrays"),
        (
            {"validation_data": (np.zeros((3, 8, 7), np.uint8), np.zeros(3, np.uint8))},
            "are 8 x 7; give images of 8 x 8",
        ),
        ({"validation_data": (np.zeros((3, 8, 8), np.uint8), np.zeros(2, np.uint8))}, "a label for each image"),
        ({"validation_data": (np.zeros((3, 8, 8)), np.zeros(3, np.uint8))}, "must be uint8"),
        (
            {"validation_data": (np.zeros((3, 8, 8), np.uint8), np.zeros(3, np.uint8)), "validation_split": 0.1},
            "not both",
        ),
        ({"callbacks": print}, "fastdigits.Callback"),
        ({"callbacks": [Callback]}, "fastdigits.Callback"),
        ({"verbose": 3}, "verbose must be"),
        ({"sample_weight": [1]}, "sample_weight must be 128 numbers"),
        ({"class_weight": "even"}, "class_weight must be"),
    ],
    ids=str,
)
def test_wrong_arguments_are_user_errors(arguments, message, stripes):
    with pytest.raises(UserError, match=message):
        new_model().fit(*stripes, **arguments)


class Recorder(Callback):
    """Keep what it is told, and act at a step or an epoch."""

    def __init__(self, at_step=None, at_epoch=None):
        self.at_step, self.at_epoch = at_step, at_epoch
        self.steps, self.epochs = [], []

    def on_step(self, epoch, images, total, metrics):
        self.steps.append((epoch, images))
        if self.at_step:
            self.at_step(self, epoch, images)

    def on_epoch_end(self, record):
        self.epochs.append(record)
        if self.at_epoch:
            self.at_epoch(self, record)


def test_a_callback_stops_training_after_an_epoch(stripes):
    one, both = Recorder(at_epoch=lambda self, record: self.training.stop()), Recorder()
    model, other = new_model(), new_model()
    history = model.fit(*stripes, [one, both], validation=0, **SETTINGS | {"epochs": 9})
    assert history["epoch"] == [1]
    assert one.epochs == both.epochs
    other.fit(*stripes, validation=0, **SETTINGS | {"epochs": 1})
    assert model.predict(stripes[0]).tobytes() == other.predict(stripes[0]).tobytes()


def test_a_callback_stops_training_within_an_epoch(stripes):
    def stop(self, epoch, images):
        if (epoch, images) == (2, 48):
            self.training.stop()

    recorder = Recorder(at_step=stop)
    model = new_model()
    history = model.fit(*stripes, recorder, validation_split=0.25, **SETTINGS)
    assert recorder.steps[-1] == (2, 48)
    assert history["epoch"] == [1, 2]
    assert history["validation_accuracy"][1] > 0.5
    assert history["train_loss"][1] < history["train_loss"][0]


def test_a_callback_changes_the_learning_rate(stripes):
    def halve(self, record):
        self.training.learning_rate /= 2

    model, plain = new_model(), new_model()
    assert model.fit(*stripes, Recorder(at_epoch=halve), **SETTINGS)["learning_rate"] == [0.01, 0.005, 0.0025]
    plain.fit(*stripes, **SETTINGS)
    assert model.predict(stripes[0]).tobytes() != plain.predict(stripes[0]).tobytes()


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), "1"])
def test_a_wrong_learning_rate_is_a_user_error(rate, stripes):
    def change(self, record):
        self.training.learning_rate = rate

    with pytest.raises(UserError, match="learning rate must be a positive number"):
        new_model().fit(*stripes, Recorder(at_epoch=change), **SETTINGS)


@pytest.fixture
def interruptible():
    """Let SIGINT raise KeyboardInterrupt even where the process ignores it, as one that a shell runs in background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_keeps_the_model(stripes):
    def interrupt(self, epoch, images):
        if epoch == 2:
            signal.raise_signal(signal.SIGINT)

    model = new_model()
    with pytest.raises(KeyboardInterrupt):
        model.fit(*stripes, Recorder(at_step=interrupt), **SETTINGS)
    assert model.history["epoch"] == [1]
    assert model.evaluate(*stripes).accuracy > 0.5


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.mark.parametrize(
    ("terminal", "verbose", "lines"),
    [(True, None, 1), (True, 1, 1), (True, 2, 3), (True, 0, 0), (False, None, 0), (False, 1, 3), (False, 2, 3)],
)
def test_progress(terminal, verbose, lines, stripes, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Stream(terminal))
    monkeypatch.setitem(sys.modules, "ipykernel", sys)  # programs that start notebooks import it
    new_model().fit(*stripes, verbose=verbose, **SETTINGS)
    text = sys.stderr.getvalue()
    assert text.count("\n") == lines
    if lines:
        last = text.rstrip("\n").replace("\r", "\n").splitlines()[-1]
        assert last.startswith("epoch 3 of 3: loss ")
        assert "validation loss" in last


def test_progress_in_a_notebook_stays_one_line(stripes, monkeypatch):
    notebook = type("OutStream", (Stream,), {"__module__": "ipykernel.iostream"})
    monkeypatch.setattr(sys, "stderr", notebook(terminal=False))
    new_model().fit(*stripes, **SETTINGS)
    text = sys.stderr.getvalue()
    assert text.count("\n") == 1
    assert text.count("\r") >= 3


def test_the_summary_shows_as_a_table():
    summary = new_model().summary()
    assert repr(summary) == str(summary)
    *_, dense, total = summary.splitlines()
    assert dense.split() == ["dense_1", "3", "195", "192"]
    assert total.split() == ["total", "195", "192"]


def test_figures_show_in_a_notebook(stripes):
    model = new_model()
    model.fit(*stripes, **SETTINGS)
    figures = [model.plot_history(), model.plot_confusion(*stripes), model.plot_mistakes(*stripes, max_count=3)]
    for figure in figures:
        assert figure._repr_png_().startswith(b"\x89PNG")
    loss, accuracy, rate = figures[0].axes
    assert loss.lines[0].get_ydata().tolist() == model.history["train_loss"]
    mistakes = int((model.predict(stripes[0]).argmax(1) != stripes[1]).sum())
    assert figures[2]._suptitle.get_text() == f"{min(3, mistakes)} of {mistakes} mistakes"
    with pytest.raises(UserError, match="call fit first"):
        new_model().plot_history()


# Training batch by batch


def test_batches_train_as_fit_does_in_the_same_order(stripes):
    """One epoch of `fit` without shuffling would take these steps; the order is that of the first epoch of `fit`."""
    images, labels = stripes
    order = []
    model = new_model()

    class Order(Callback):
        def on_train_start(self, training):
            self.trainer = training._trainer

        def on_step(self, epoch, images, total, metrics):
            order[:] = self.trainer.order.tolist()

    model.fit(images, labels, Order(), validation=0, **SETTINGS | {"epochs": 1, "normalise": False})
    batchwise = new_model()
    settings = {"lr": 0.01, "batch_size": 16, "normalise": False}
    for first in range(0, 128, 16):
        rows = order[first : first + 16]
        batchwise.train_on_batch(images[rows], labels[rows], **settings)
    np.testing.assert_allclose(batchwise.predict(images), model.predict(images), atol=1e-6)


def test_batches_of_several_sizes_go_on_from_each_other(stripes, tmp_path):
    images, labels = stripes
    model = new_model()
    losses = [
        model.train_on_batch(images[first : first + size], labels[first : first + size])[0]
        for first, size in [(0, 64), (64, 10), (74, 54)] * 5
    ]
    assert losses[-1] < losses[0]
    loss, accuracy = model.train_on_batch(images, labels)
    evaluation = model.evaluate(images, labels)
    assert evaluation.loss < loss
    assert 0 <= accuracy <= 1
    model.save(tmp_path / "model.h5")
    before = model.predict(images)
    model.train_on_batch(images, labels)
    assert model.predict(images).tobytes() != before.tobytes()


def test_batches_go_on_from_fit_and_fit_begins_again(stripes):
    images, labels = stripes
    model = new_model()
    model.fit(images, labels, **SETTINGS)
    trained, expected = model.evaluate(images, labels), model.predict(images)
    normalisation = model.normalisation
    loss, accuracy = model.train_on_batch(images, labels, lr=1e-6)
    assert (loss, accuracy) == pytest.approx((trained.loss, trained.accuracy))
    assert model.normalisation == normalisation
    assert model.history["epoch"] == [1, 2, 3]
    model.fit(images, labels, **SETTINGS)
    assert model.predict(images).tobytes() == expected.tobytes()


def test_weights_of_samples_in_a_batch(stripes):
    images, labels = stripes
    models = [new_model(), new_model()]
    models[0].train_on_batch(images[:32], labels[:32], sample_weight=np.arange(32) < 16, batch_size=32)
    models[1].train_on_batch(images[:32], (labels[:32] + (np.arange(32) >= 16)) % 3, sample_weight=np.arange(32) < 16)
    assert models[0].predict(images).tobytes() == models[1].predict(images).tobytes()


def test_wrong_batches_are_user_errors(stripes):
    images, labels = stripes
    model = new_model()
    with pytest.raises(UserError, match="must be uint8"):
        model.train_on_batch(images / 255, labels)
    with pytest.raises(UserError, match="Expected 8 x 8 images, got 7 x 8"):
        model.train_on_batch(images[:, :7], labels)
    with pytest.raises(UserError, match="call fit first"):
        model.predict(images)
    model.train_on_batch(images[:10], labels[:10], batch_size=16)
    with pytest.raises(UserError, match="more than the 16 of the first call"):
        model.train_on_batch(images[:17], labels[:17])
    with pytest.raises(UserError, match="hold from its first call on"):
        model.train_on_batch(images[:10], labels[:10], lr=0.5)
    model.train_on_batch(images[:10], labels[:10], batch_size=16)


def test_a_batch_that_diverges_leaves_the_network_as_it_was(stripes):
    model = new_model()
    model.fit(*stripes, **SETTINGS)
    before = model.predict(stripes[0])
    model.train_on_batch(*stripes, optimizer="sgd", lr=1e38, loss="mse")
    with pytest.raises(UserError, match="lower the learning rate"), np.errstate(all="ignore"):
        model.train_on_batch(*stripes)
    assert model.predict(stripes[0]).tobytes() == before.tobytes()


def test_class_weights_count_the_training_images_only():
    labels, rows = np.array([0, 0, 0, 1, 1, 5], np.uint8), np.array([0, 1, 2, 3])
    weights = with_class_weight(None, labels, rows, "balanced")
    np.testing.assert_allclose(weights, [4 / (2 * 3)] * 3 + [4 / 2] + [1, 1], rtol=1e-6)  # n / (classes * count)
    twice = with_class_weight(np.full(6, 2, np.float32), labels, rows, "balanced")
    np.testing.assert_allclose(twice, 2 * weights)
    assert with_class_weight(None, labels, rows, None) is None
