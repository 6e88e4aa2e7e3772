import math
from dataclasses import astuple, replace

import numpy as np
import pytest
from golden import GOLDEN_CONFIG, GOLDEN_LOSSES

from fastdigits import ops as devices
from fastdigits.config.recipes import MODEL_SETTINGS
from fastdigits.config.schedules import SCHEDULES
from fastdigits.config.training import LOSSES, OPTIMIZERS, TrainConfig
from fastdigits.data import load_digits
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation, Preparation
from fastdigits.errors import UserError
from fastdigits.inference.evaluate import Evaluation, evaluate, wilson_interval
from fastdigits.models import MODELS, layers_of
from fastdigits.nn import Dense, Flatten, Network
from fastdigits.training import loop
from fastdigits.training import trainer as trainer_module
from fastdigits.training.callbacks import Callbacks
from fastdigits.training.loop import Callback, Trainer, split, train
from fastdigits.training.precompile import compile_kernels

pytestmark = pytest.mark.slow

# Factor by which the loss falls at least, and minimum accuracy, for networks that are worse than the others
SLOW = {"neuron": (1.0, 0.15), "alexnet": (1.2, 0.3), "resnet": (1.2, 0.75), "tiny-8k": (1.2, 0.6)}


@pytest.fixture(scope="module")
def digits():
    """The first 2,000 training images of MNIST with their labels."""
    mnist = load_digits()
    return mnist.train_images[:2000], mnist.train_labels[:2000]


@pytest.fixture
def few(digits):
    """The first 300 of `digits`."""
    images, labels = digits
    return images[:300], labels[:300]


@pytest.fixture
def fit():
    """fit(digits, ...) trains a new network and returns it with its TrainingResult."""

    def fit(digits, model="linear", device="cpu", callback=None, **settings):
        network = Network(layers_of(model))
        config = TrainConfig(**{**MODEL_SETTINGS.get(model, {}), "epochs": 2, **settings})
        return network, train(network, *digits, devices.load(device), config, callback or Callback())

    return fit


class Recorder(Callback):
    """Callback that records all events."""

    def __init__(self):
        self.steps, self.epochs, self.compilations, self.totals = [], [], 0, [0.0]

    def on_compiled(self, seconds):
        self.compilations += 1

    def on_step(self, epoch, images, total, metrics):
        self.steps.append((epoch, images, total))
        self.totals.append(metrics()[0] * images)

    def on_epoch_end(self, record):
        self.epochs.append(record)

    def losses(self, batch_size):
        """Return the loss of each step of the first epoch."""
        return np.diff(self.totals) / batch_size


def content(network):
    """Return all parameters as bytes."""
    return {name: value.tobytes() for name, value in network.weights().items()}


def metrics_of(training):
    """Return the parts of the result that do not depend on time."""
    return [astuple(replace(epoch, seconds=0, images_per_second=0)) for epoch in training.epochs]


@pytest.mark.parametrize("model", MODELS)
def test_the_loss_falls_when_training(model, digits, fit):
    first, *_, last = fit(digits, model, epochs=3, seed=1, augment="")[1].epochs  # too few images to change them
    fall, accuracy = SLOW.get(model, (1.5, 0.85))
    assert last.train_loss < first.train_loss / fall
    assert last.train_accuracy > accuracy
    assert last.validation_loss < first.validation_loss
    assert last.validation_accuracy > accuracy - 0.1


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_optimizer_trains_with_every_loss_at_its_default_rate(optimizer, loss, digits, fit):
    first, *_, last = fit(digits, "mlp", optimizer=optimizer, loss=loss, epochs=4)[1].epochs
    assert last.train_loss < first.train_loss
    assert last.train_accuracy > 0.5


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_lead_to_different_networks(schedule, few, fit):
    others = [name for name in SCHEDULES if name != schedule and {name, schedule} != {"constant", "plateau"}]
    network, _ = fit(few, schedule=schedule)
    assert all(content(network) != content(fit(few, schedule=other)[0]) for other in others)


@pytest.mark.parametrize(("batch_size", "steps"), [(100, 3), (None, 1)])
def test_an_epoch_keeps_the_learning_rate_of_its_last_step(batch_size, steps, few, fit):
    settings = {"epochs": 4, "batch_size": batch_size, "validation": 50, "lr": 0.02}
    _, training = fit(few, schedule="cosine", **settings)
    rates = [0.02 * (1 + math.cos(math.pi * (epoch * steps - 1) / (4 * steps))) / 2 for epoch in (1, 2, 3, 4)]
    assert [epoch.learning_rate for epoch in training.epochs] == pytest.approx(rates)
    _, training = fit(few, schedule="constant", **settings)
    assert [epoch.learning_rate for epoch in training.epochs] == [0.02] * 4


@pytest.mark.parametrize("model", ["mlp", "lenet", "cnn", "best"])
def test_a_seed_gives_the_same_bits_at_any_number_of_threads(model, digits, fit):
    numba = pytest.importorskip("numba")
    network, training = fit(digits, model)  # on all threads
    repeated, repetition = fit(digits, model)
    assert content(repeated) == content(network)
    assert metrics_of(repetition) == metrics_of(training)
    ops = devices.load("cpu", threads=1)
    alone = Network(layers_of(model))
    try:
        settings = {**MODEL_SETTINGS.get(model, {}), "epochs": 2}
        alone_training = train(alone, *digits, ops, TrainConfig(**settings), Callback())
        assert numba.get_num_threads() == 1
    finally:
        devices.load("cpu")
    assert content(alone) == content(network)
    assert metrics_of(alone_training) == metrics_of(training)


def test_another_seed_gives_another_network(few, fit):
    networks = [fit(few, seed=seed)[0] for seed in (0, 1, 2**32, 2**63 - 1)]
    assert len({str(content(network)) for network in networks}) == len(networks)


@pytest.mark.parametrize("steps_apart_s", [0, 1e-9, 1], ids=["few steps", "one step", "many steps"])
def test_a_callback_may_follow_several_steps_at_a_time(few, fit, monkeypatch, steps_apart_s):
    class Sparse(Recorder):
        every_step = False

    monkeypatch.setattr(loop, "BLOCK_S", steps_apart_s or loop.BLOCK_S)
    recorder, sparse = Recorder(), Sparse()
    settings = {"epochs": 2, "batch_size": 16, "validation": 0}
    expected, _ = fit(few, "mlp", callback=recorder, **settings)
    network, _ = fit(few, "mlp", callback=Callbacks([Callback(), sparse]), **settings)
    assert content(network) == content(expected)
    assert metrics_of(sparse) == metrics_of(recorder)
    steps = [step for step in recorder.steps if step in sparse.steps]
    assert steps == sparse.steps  # in order, each once
    assert {images for _, images, _ in steps} >= {16, 300}
    assert (len(steps) == len(recorder.steps)) == (steps_apart_s == 1e-9)


@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_golden_losses_of_ten_steps(device, digits, fit):
    recorder = Recorder()
    images, labels = digits
    fit((images[:320], labels[:320]), "lenet", device, recorder, **vars(GOLDEN_CONFIG))
    np.testing.assert_allclose(recorder.losses(32), GOLDEN_LOSSES, rtol=2e-6)


@pytest.mark.parametrize("batch_size", [1, 7, 100, 128, 300, 1000])
def test_any_batch_size_gives_the_losses_of_the_reference(batch_size, few, fit):
    settings = {"batch_size": batch_size, "epochs": 2, "lr": 0.01, "optimizer": "sgd", "validation": 20}
    network, training = fit(few, **settings)
    expected_network, expected = fit(few, device="reference", **settings)
    for epoch, expected_epoch in zip(metrics_of(training), metrics_of(expected), strict=True):
        np.testing.assert_allclose(epoch, expected_epoch, rtol=1e-4)
    for name, value in expected_network.weights().items():
        np.testing.assert_allclose(network.weights()[name], value, rtol=0, atol=1e-5)


def test_every_epoch_visits_the_training_rows_once_in_a_new_order(few, fit, monkeypatch):
    orders, epochs = [], []

    class Recording(Batches):
        def parts(self, order, images, training=False):
            if not self.start[0]:  # the order is passed for the whole epoch, batch by batch
                orders.append(np.array(order))
                epochs.append(int(self.epoch[0]) if training else None)
            return super().parts(order, images, training)

    monkeypatch.setattr(trainer_module, "Batches", Recording)
    fit(few, validation=60, epochs=3, seed=5, graph=False)  # a replay would not call `parts`
    rows, validation_rows = split(few[1], TrainConfig(validation=60, seed=5))
    assert len(rows) == 240
    assert sorted([*rows, *validation_rows]) == list(range(300))
    # Validation and the verdict have no epoch: their images are not augmented
    assert epochs == [0, None, 1, None, 2, None, 3, None, None]
    compilation, orders, judged = orders[:2], orders[2:-1], orders[-1]
    assert [len(order) for order in compilation] == [1, 1]  # see test_compiling_changes_no_parameter
    assert sorted(judged) == list(range(300))
    assert [order.tolist() for order in orders[1::2]] == [validation_rows.tolist()] * 3  # only evaluated
    epochs = orders[0::2]
    assert all(np.array_equal(np.sort(order), rows) for order in epochs)
    assert len({order.tobytes() for order in [rows, *epochs]}) == 4


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_compiling_changes_no_parameter(optimizer, few):
    network, config = Network(layers_of("mlp")), TrainConfig(optimizer=optimizer, weight_decay=0.5)
    ops = devices.load("cpu")
    network.build(ops, 128)
    network.initialise(0)
    before = content(network)
    compile_kernels(network, Batches(ops, *few, 128, Normalisation(0.1, 0.3)), config)
    assert content(network) == before


def test_pixels_are_normalised_by_the_training_rows_alone(few, fit):
    images, labels = few
    rows, validation_rows = split(labels, TrainConfig(validation=100))
    images = images.copy()
    images[validation_rows] = 255
    _, training = fit((images, labels), validation=100)
    pixels = images[rows] / 255
    assert training.normalisation.mean == pytest.approx(pixels.mean())
    assert training.normalisation.std == pytest.approx(pixels.std())


def test_prepared_pixels_are_normalised_and_the_stored_preparation_is_applied_in_inference(few, fit):
    images, labels = few
    preparation = Preparation(pad=2, contrast=4.0, gamma=0.7)
    network = Network(layers_of("linear"), (1, 32, 32))
    config, ops = TrainConfig(epochs=1, validation=100, pad=2, contrast=4.0, gamma=0.7), devices.load("cpu")
    normalisation = train(network, images, labels, ops, config, Callback()).normalisation
    assert normalisation.preparation == preparation
    pixels = preparation.apply(images[split(labels, config)[0]]) / 255
    assert (normalisation.mean, normalisation.std) == pytest.approx((pixels.mean(), pixels.std()))
    [(x, _, _)] = Batches(ops, images[: ops.lanes], labels[: ops.lanes], ops.lanes, normalisation).over(
        np.arange(ops.lanes, dtype=np.int32)
    )
    expected = (preparation.apply(images[: ops.lanes]) / 255 - normalisation.mean) / normalisation.std
    np.testing.assert_allclose(np.moveaxis(x[0, 0], -1, 0), expected, atol=1e-5)


def test_pixels_may_stay_between_0_and_1(few, fit):
    _, training = fit(few, normalise=False)
    assert training.normalisation == Normalisation(0.0, 1.0)


def test_augmentation_changes_training_but_not_evaluation(few, fit):
    plain, _ = fit(few)
    changed, training = fit(few, augment="shift=3,noise=0.2")
    again, _ = fit(few, augment="noise=0.2,shift=3")
    assert content(changed) == content(again) != content(plain)
    images, labels = few
    rows = split(labels, TrainConfig())[1]
    batches = Batches(changed.ops, images, labels, 128, training.normalisation)
    assert evaluate(changed, batches, rows, "cross-entropy").loss == training.epochs[-1].validation_loss


def test_augmentation_is_the_same_on_every_device(few, fit):
    effects = "shift=2,rotate=15,scale=0.1,shear=5,elastic=0.5,contrast=0.2,gamma=0.2,noise=0.1,erase=5"
    losses = [
        [epoch.train_loss for epoch in fit(few, device=device, augment=effects)[1].epochs]
        for device in ("cpu", "reference")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_augmentation_differs_in_every_epoch(few, fit, monkeypatch):
    seen = []

    class Recording(Batches):
        def parts(self, order, images, training=False):
            for x, targets, count in super().parts(order, images, training):
                if training and images > 1:  # not while compiling
                    rows = np.argsort(np.array(order))
                    seen.append(np.moveaxis(x, -1, 1).reshape(-1, 784)[:count][rows])
                yield x, targets, count

    monkeypatch.setattr(trainer_module, "Batches", Recording)
    fit(few, augment="rotate=20,shift=2", validation=0, batch_size=300)
    assert len(seen) == 2
    assert (np.abs(seen[0] - seen[1]).max(1) > 0.1).all()


def test_normalisation_of_equal_pixels():
    assert Normalisation.of(np.full((3, 4, 5), 51, np.uint8), np.arange(3)) == Normalisation(pytest.approx(0.2), 1.0)


def test_without_validation(few, fit):
    _, training = fit(few, validation=0)
    assert [(epoch.validation_loss, epoch.validation_accuracy) for epoch in training.epochs] == [(None, None)] * 2
    assert training.seconds["validation"] == 0


def test_the_callback_receives_every_step_and_epoch(few, fit):
    recorder = Recorder()
    _, training = fit(few, callback=recorder, validation=50, batch_size=100)
    assert recorder.steps == [(epoch, images, 250) for epoch in (1, 2) for images in (100, 200, 250)]
    assert recorder.epochs == training.epochs
    assert recorder.compilations == 1
    assert [epoch.epoch for epoch in training.epochs] == [1, 2]
    assert recorder.totals[3] / 250 == pytest.approx(training.epochs[0].train_loss)
    assert training.seconds.keys() == {"compile", "train", "validation"}
    assert training.seconds["train"] == pytest.approx(sum(epoch.seconds for epoch in training.epochs))
    assert training.images_per_second == pytest.approx(500 / training.seconds["train"])


@pytest.mark.parametrize(("model", "device"), [("mlp", "cpu"), ("lenet", "cpu"), ("mlp", "reference")])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy warns of the intended overflow
def test_a_loss_that_explodes_names_the_option_to_change(model, device, few, fit):
    with pytest.raises(UserError, match="lower lr"):
        fit(few, model, device, optimizer="sgd", lr=1e30, epochs=3)


def test_a_loss_that_explodes_in_the_last_step_names_the_option_to_change(few, fit):
    with pytest.raises(UserError, match="lower lr"):
        fit(few, optimizer="sgd", lr=1e38, weight_decay=1e30, epochs=1, batch_size=300)


@pytest.mark.parametrize(
    ("images", "labels", "says"),
    [
        ((5, 27, 28), 9, "Expected 28 x 28 images, got 27 x 28"),
        ((5, 28, 29), 9, "Expected 28 x 28 images, got 28 x 29"),
        ((5, 28, 28), 10, "Label 10 is out of range for 10 outputs"),
        ((4, 28, 28), 9, "4 images"),
        ((6, 28, 28), 9, "6 images"),
    ],
)
def test_images_that_do_not_fit(images, labels, says):
    with pytest.raises(UserError, match=says):
        Network(layers_of("linear")).check_images(np.zeros(images, np.uint8), np.full(5, labels, np.uint8))


@pytest.mark.parametrize("validation", [-1, 300, 1000])
def test_validation_must_leave_something_to_train_on(validation, few, fit):
    with pytest.raises(UserError, match=r"choose 0 to 299|setting validation"):
        fit(few, validation=validation)


def test_training_on_the_fewest_images(few, fit):
    network, training = fit(few, validation=299, batch_size=1, epochs=1)
    assert np.isfinite(training.epochs[0].train_loss)
    assert training.epochs[0].validation_loss > 0


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize("loss", LOSSES)
def test_evaluation_is_what_numpy_computes(device, loss, digits):
    images, labels = digits
    ops, random, rows = devices.load(device), np.random.default_rng(0), np.arange(50, 383)
    weight, bias = random.normal(size=(10, 784)).astype(np.float32) / 28, random.normal(size=10).astype(np.float32)
    network = Network([Flatten(), Dense(10)])
    network.build(ops, 100, training=False)
    network.set_weights({"dense_1/weight": weight, "dense_1/bias": bias})
    result = evaluate(network, Batches(ops, images, labels, 100, Normalisation(0.13, 0.31)), rows, loss)

    x, y = (images[rows].reshape(len(rows), -1) / 255 - 0.13) / 0.31, labels[rows]
    scores = x @ weight.T.astype(float) + bias
    powers = np.exp(scores - scores.max(1, keepdims=True))
    right = np.arange(10) == y[:, None]
    losses = {
        "cross-entropy": -np.log((powers / powers.sum(1, keepdims=True))[right]).mean(),
        "mse": ((scores - right) ** 2).mean(),
    }
    read = scores.argmax(1)
    confusion = [[((y == true) & (read == column)).sum() for column in range(10)] for true in range(10)]
    assert result.confusion.tolist() == confusion
    assert result.loss == pytest.approx(losses[loss], rel=1e-5)
    assert result.images == 333
    assert result.correct == (read == y).sum()
    assert result.accuracy == pytest.approx((read == y).mean())
    assert result.per_class == pytest.approx([(read[y == digit] == digit).mean() for digit in range(10)])
    assert result.interval_95 == wilson_interval(result.correct, 333)


def test_metrics_of_a_class_without_images():
    result = Evaluation(np.array([[3, 1, 0], [0, 0, 0], [0, 2, 2]]), loss=0.5, seconds=1.0)
    assert result.per_class == [0.75, None, 0.5]
    assert (result.images, result.correct, result.accuracy) == (8, 5, 0.625)


@pytest.mark.parametrize(
    ("correct", "images", "low", "high"),
    [  # Newcombe (1998), Two-sided confidence intervals for the single proportion, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0000),
        (9, 10, 0.5958, 0.9821),
    ],
)
def test_wilson_interval(correct, images, low, high):
    assert wilson_interval(correct, images) == pytest.approx((low, high), abs=5e-5)
    assert all(0 <= bound <= 1 for bound in wilson_interval(correct, images))


@pytest.mark.parametrize("model", ["lenet", "cnn"])
def test_a_network_trained_on_the_cpu_evaluates_the_same_on_the_reference(model, digits, few, fit):
    network, training = fit(digits, model)
    results = []
    for device in ("cpu", "reference"):
        ops = devices.load(device)
        other = Network(layers_of(model))
        other.build(ops, 64, training=False)
        other.set_weights(network.weights())
        results.append(evaluate(other, Batches(ops, *few, 64, training.normalisation), np.arange(300), "cross-entropy"))
    assert results[0].confusion.tolist() == results[1].confusion.tolist()
    assert results[0].loss == pytest.approx(results[1].loss, rel=1e-4)


def test_metrics_restart_after_a_reset(few):
    ops, config = devices.load("cpu"), TrainConfig(batch_size=300, lr=0.01)
    network = Network(layers_of("linear"))
    network.build(ops, 300)
    network.initialise(0)
    batches = Batches(ops, *few, 300, Normalisation(0.13, 0.31))
    order = np.arange(300, dtype=np.int32)
    trainer = Trainer(network, batches, config, order)
    trainer.start_epoch(1, [0.0])
    evaluated = evaluate(network, batches, order, config.loss)
    for _ in range(2):
        trainer.reset_metrics()
        trainer.step(0, 300)
        assert trainer.metrics(300) == pytest.approx((evaluated.loss, evaluated.accuracy))
