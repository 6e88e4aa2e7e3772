import copy
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fastdigits
from fastdigits import (
    BatchNorm,
    Callback,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
    Tanh,
    TrainingWarning,
    UserError,
    load,
    load_digits,
)
from fastdigits.storage.history import TIMING_FIELDS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def digits():
    """MNIST with only the first 1,000 training and 300 test images."""
    mnist = load_digits("mnist")
    return replace(
        mnist,
        train_images=mnist.train_images[:1000],
        train_labels=mnist.train_labels[:1000],
        test_images=mnist.test_images[:300],
        test_labels=mnist.test_labels[:300],
    )


def new_model(device="cpu"):
    return Sequential([Conv2D(8, 3, padding="same"), ReLU(), MaxPool2D(2), Flatten(), Dense(10)], device=device)


@pytest.fixture(scope="module")
def model(digits):
    """A network trained for a short time, with a batch size that is not a multiple of any number of lanes."""
    model = new_model()
    model.fit(digits.train_images, digits.train_labels, epochs=3, batch_size=100, loss="cross-entropy", seed=4)
    return model


def metrics(model):
    """The history without the times."""
    return {name: values for name, values in model.history.items() if name not in TIMING_FIELDS}


def test_fit_returns_the_history(model):
    assert model.history["epoch"] == [1, 2, 3]
    assert model.history["train_loss"][2] < model.history["train_loss"][0]
    assert (model.config.batch_size, model.config.seed) == (100, 4)


def test_evaluate(model, digits):
    result = model.evaluate(digits.test_images, digits.test_labels)
    assert result.images == 300
    assert result.accuracy > 0.7


def test_predictions_are_probabilities_that_fit_the_evaluation(model, digits):
    probabilities = model.predict(digits.test_images)
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (300, 10)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    evaluation = model.evaluate(digits.test_images, digits.test_labels)
    assert (probabilities.argmax(1) == digits.test_labels).sum() == evaluation.correct
    loss = -np.log(probabilities[np.arange(300), digits.test_labels].astype(float)).mean()
    assert loss == pytest.approx(evaluation.loss, rel=1e-4)


@pytest.mark.parametrize("count", [1, 17, 64, 65, 99, 100, 101])
def test_predictions_do_not_depend_on_the_other_images(count, model, digits):
    expected = model.predict(digits.test_images)[:count]
    assert model.predict(digits.test_images[:count]).tobytes() == expected.tobytes()


def test_a_saved_network_comes_back(model, digits, tmp_path):
    path = tmp_path / "model.h5"
    model.save(path)
    again = load(path, device="cpu")
    assert again.predict(digits.test_images).tobytes() == model.predict(digits.test_images).tobytes()
    assert metrics(again) == metrics(model)
    assert again.config == model.config
    assert again.normalisation == model.normalisation
    assert again.network.config() == model.network.config()
    again.save(tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_predicts_the_same(copied, model, digits):
    again = copied(model)
    assert again.predict(digits.test_images).tobytes() == model.predict(digits.test_images).tobytes()
    assert again.config == model.config
    assert metrics(again) == metrics(model)
    again.fit(digits.train_images, digits.train_labels, epochs=1)
    assert again.predict(digits.test_images).tobytes() != model.predict(digits.test_images).tobytes()


def test_a_copy_of_an_untrained_network_can_be_trained(digits):
    again = pickle.loads(pickle.dumps(new_model()))
    with pytest.raises(UserError, match="call fit first"):
        again.predict(digits.test_images)
    assert again.fit(digits.train_images, digits.train_labels, epochs=1)["epoch"] == [1]


def test_exact_convolutions_come_back_exact(digits, tmp_path):
    layers = [Conv2D(16, 3), ReLU(), Conv2D(16, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(10)]
    predictions = []
    for exact in (False, True):
        model = Sequential(layers, device="cpu")
        model.fit(digits.train_images[:200], digits.train_labels[:200], epochs=1, exact=exact)
        model.save(tmp_path / "model.h5")
        again = load(tmp_path / "model.h5", device="cpu")
        predictions.append(model.predict(digits.test_images))
        assert again.predict(digits.test_images).tobytes() == predictions[-1].tobytes()
    quick, exact = predictions
    assert quick.tobytes() != exact.tobytes()
    np.testing.assert_allclose(quick, exact, rtol=0, atol=1e-3)


def test_a_saved_network_comes_back_on_another_device(model, digits, tmp_path):
    model.save(tmp_path / "model.h5")
    again = load(str(tmp_path / "model.h5"), device="reference")
    np.testing.assert_allclose(
        again.predict(digits.test_images[:50]), model.predict(digits.test_images[:50]), rtol=0, atol=1e-5
    )


def test_fit_after_load_starts_from_initial_weights(model, digits, tmp_path):
    model.save(tmp_path / "model.h5")
    again = load(tmp_path / "model.h5", device="cpu")
    again.fit(digits.train_images, digits.train_labels, epochs=3, batch_size=100, seed=4)
    assert again.predict(digits.test_images).tobytes() == model.predict(digits.test_images).tobytes()


def test_fit_again_begins_at_the_start(digits):
    model, images, labels = new_model(), digits.train_images[:200], digits.train_labels[:200]
    first = [model.fit(images, labels, epochs=1, batch_size=size)["train_loss"] for size in (20, 128, 20)]
    assert first[0] == first[2] != first[1]


def test_one_layer_object_in_two_places_trains_like_two_layers(digits):
    shared, predictions = Tanh(), []
    for first, second in ((Tanh(), Tanh()), (shared, shared)):
        model = Sequential([Flatten(), Dense(32), first, Dense(32), second, Dense(10)], device="cpu")
        model.fit(digits.train_images, digits.train_labels, epochs=1)
        predictions.append(model.predict(digits.test_images))
    assert predictions[0].tobytes() == predictions[1].tobytes()


def test_two_networks_of_the_same_layers_train_independently(digits):
    layers = [Flatten(), Dense(10)]
    one, other = Sequential(layers, device="cpu"), Sequential(layers, device="cpu")
    one.fit(digits.train_images, digits.train_labels, epochs=1)
    before = one.predict(digits.test_images)
    other.fit(digits.train_images, digits.train_labels, epochs=1, seed=1)
    assert one.predict(digits.test_images).tobytes() == before.tobytes()


def test_a_training_that_fails_at_once_leaves_the_network_as_it_was(digits):
    model, images, labels = new_model(), digits.train_images[:200], digits.train_labels[:200]
    with pytest.raises(UserError, match="lr"):
        model.fit(images, labels, epochs=2, optimizer="sgd", lr=1e30)
    with pytest.raises(UserError, match="fit"):
        model.predict(images)
    history = model.fit(images, labels, epochs=1)
    before = model.predict(images)
    with pytest.raises(UserError, match="lr"):
        model.fit(images, labels, epochs=2, optimizer="sgd", lr=1e30)
    assert model.predict(images).tobytes() == before.tobytes()
    assert model.history == history


# Weight decay that multiplies every weight by -1.5 in each step, so that they overflow after some epochs
GROWING = {"optimizer": "sgd", "lr": 1e-4, "weight_decay": 25000.0, "schedule": "constant"}


def test_a_training_that_diverges_keeps_the_last_finite_epoch(digits):
    images, labels = digits.train_images[:1000], digits.train_labels[:1000]
    model, shorter = (Sequential([Flatten(), Dense(10)], device="cpu") for _ in range(2))
    with pytest.raises(UserError, match="lower lr"):
        model.fit(images, labels, epochs=100, batch_size=25, **GROWING)
    epochs = len(model.history["epoch"])
    assert 1 < epochs < 10
    with pytest.warns(TrainingWarning, match="no better than chance"):
        shorter.fit(images, labels, epochs=epochs, batch_size=25, **GROWING)
    assert model.predict(images[:9]).tobytes() == shorter.predict(images[:9]).tobytes()


class InterruptingCallback(Callback):
    """Raise KeyboardInterrupt after the first step of the second epoch."""

    def on_step(self, epoch, images, total, metrics):
        if epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("settings", [{}, {"ema": 0.9}, {"keep_best": True}], ids=str)
def test_interrupting_fit_keeps_weights_and_history(settings, digits):
    model, images, labels = new_model(), digits.train_images[:500], digits.train_labels[:500]
    settings = {"epochs": 9, "lr": 0.01, "schedule": "constant", **settings}
    with pytest.raises(KeyboardInterrupt):
        model.fit(images, labels, InterruptingCallback(), **settings)
    assert model.history["epoch"] == [1]
    assert model.evaluate(images, labels).accuracy > 0.5
    model.fit(images, labels, epochs=1)  # the network is not locked
    assert model.history["epoch"] == [1]


def test_training_that_ends_at_chance_warns(digits):
    model = new_model()
    with pytest.warns(TrainingWarning, match="no better than chance"):
        model.fit(digits.train_images[:500], digits.train_labels[:500], epochs=1, lr=1e-9, optimizer="sgd")
    assert model.predict(digits.test_images[:3]).shape == (3, 10)


def normalised_model(device="cpu"):
    block = Residual([Conv2D(8, 3, stride=2, padding=1), BatchNorm(), ReLU(), Dropout(0.1)], projection=True)
    layers = [Conv2D(6, 3), BatchNorm(), ReLU(), MaxPool2D(2), block, ReLU(), Flatten()]
    return Sequential([*layers, Dense(16), BatchNorm(), ReLU(), Dropout(0.2), Dense(10)], device=device)


@pytest.fixture(scope="module")
def normalised(digits):
    """A trained network with running statistics and dropout; the batch size is not a multiple of the lanes."""
    model = normalised_model()
    model.fit(digits.train_images, digits.train_labels, epochs=4, batch_size=50, seed=4)
    return model


def test_a_normalized_network_can_be_trained(normalised, digits):
    assert normalised.evaluate(digits.test_images, digits.test_labels).accuracy > 0.7


def test_a_normalised_network_comes_back(normalised, digits, tmp_path):
    normalised.save(tmp_path / "model.h5")
    again = load(tmp_path / "model.h5", device="cpu")
    expected = normalised.predict(digits.test_images)
    assert again.predict(digits.test_images).tobytes() == expected.tobytes()
    again.save(tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "model.h5").read_bytes()
    reference = load(tmp_path / "model.h5", device="reference")
    np.testing.assert_allclose(reference.predict(digits.test_images[:50]), expected[:50], rtol=0, atol=1e-5)


@pytest.mark.parametrize("count", [1, 49, 51])
def test_a_normalised_networks_predictions_do_not_depend_on_the_other_images(count, normalised, digits):
    expected = normalised.predict(digits.test_images)[:count]
    assert normalised.predict(digits.test_images[:count]).tobytes() == expected.tobytes()


def test_predicting_does_not_change_a_normalized_network(normalised, digits):
    before = normalised.network.weights()
    normalised.predict(digits.test_images)
    after = normalised.network.weights()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)


def test_fused_and_plain_normalized_networks_train_alike(digits):
    """Compare the losses of an epoch; both use the same dropout masks."""
    losses = []
    for fused in (True, False):
        model = normalised_model()
        losses.append(model.fit(digits.train_images, digits.train_labels, epochs=1, batch_size=50, fused=fused))
    assert losses[0]["train_loss"] == pytest.approx(losses[1]["train_loss"], rel=1e-4)
    assert losses[0]["validation_loss"] == pytest.approx(losses[1]["validation_loss"], rel=1e-3)


@pytest.mark.filterwarnings("ignore:.*dark ink")  # noise has neither light nor dark ink
def test_images_of_another_size():
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (64, 12, 9), np.uint8), random.integers(0, 3, 64).astype(np.uint8)
    model = Sequential([Conv2D(4, 3), MaxPool2D(2), Flatten(), Dense(3)], input_shape=(1, 12, 9), device="cpu")
    model.fit(images, labels, epochs=60, batch_size=16, optimizer="adam", lr=0.03, validation=0)
    assert model.evaluate(images, labels).accuracy > 0.9  # memorized
    assert model.predict(images).shape == (64, 3)


def test_padded_and_augmented(digits, tmp_path):
    """A network trained on padded images pads images in inference too, also after loading."""
    layers = [Conv2D(8, 5), ReLU(), MaxPool2D(2), Flatten(), Dense(10)]
    model = Sequential(layers, input_shape=(1, 32, 32), device="cpu")
    model.fit(digits.train_images, digits.train_labels, epochs=3, pad=2, contrast=4.0, augment="shift=1,rotate=10")
    model.save(tmp_path / "model.h5")
    again = load(tmp_path / "model.h5", device="cpu")
    assert again.predict(digits.test_images).tobytes() == model.predict(digits.test_images).tobytes()
    assert again.evaluate(digits.test_images, digits.test_labels).accuracy > 0.7
    with pytest.raises(UserError, match=r"Expected 32 x 32 images, got 36 x 36 with 2 zeros added on each side"):
        again.predict(np.zeros((3, 32, 32), np.uint8))


IMAGES, LABELS = np.zeros((20, 28, 28), np.uint8), np.zeros(20, np.uint8)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (IMAGES / 255, LABELS),
        (IMAGES.astype(int), LABELS),
        (IMAGES[0], LABELS),
        (IMAGES[:, None], LABELS),
        (IMAGES.reshape(20, -1), LABELS),
        (IMAGES[:0], LABELS[:0]),
        (IMAGES[:, 1:], LABELS),
        ([[1]], LABELS),
        ([[1], [2, 3]], LABELS),
        (None, LABELS),
        (IMAGES, LABELS.astype(int)),
        (IMAGES, LABELS[:, None]),
        (IMAGES, LABELS + np.uint8(10)),
        (IMAGES, LABELS[:19]),
        (IMAGES[:19], LABELS),
        (IMAGES, None),
    ],
    ids=lambda value: f"{value.dtype}{value.shape}" if isinstance(value, np.ndarray) else str(value),
)
def test_wrong_arrays_are_user_errors(images, labels, model):
    with pytest.raises(UserError):
        new_model().fit(images, labels, epochs=1)
    with pytest.raises(UserError):
        model.evaluate(images, labels)


@pytest.mark.parametrize(
    "images",
    [IMAGES / 255, IMAGES[0], IMAGES[:0], IMAGES[:, 1:], [[1], [2, 3]], None],
    ids=lambda value: str(value)[:9],
)
def test_wrong_images_to_predict_are_user_errors(images, model):
    with pytest.raises(UserError):
        model.predict(images)


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"optimizer": "nothing"},
        {"loss": "nothing"},
        {"schedule": "nothing"},
        {"lr": -0.1},
        {"seed": -1},
        {"validation": 20},
    ],
    ids=str,
)
def test_wrong_settings_are_user_errors(settings):
    with pytest.raises(UserError):
        new_model().fit(IMAGES, LABELS, **{"epochs": 1, **settings})


@pytest.mark.parametrize(
    "use",
    [
        lambda model, path: model.evaluate(IMAGES, LABELS),
        lambda model, path: model.predict(IMAGES),
        lambda model, path: model.save(path),
    ],
    ids=["evaluate", "predict", "save"],
)
def test_use_before_fit_is_a_user_error(use, tmp_path):
    with pytest.raises(UserError, match="call fit first"):
        use(new_model(), tmp_path / "model.h5")
    assert list(tmp_path.iterdir()) == []


def test_layers_that_do_not_fit_are_a_user_error():
    with pytest.raises(UserError, match="dense_1"):
        Sequential([Dense(10)])


@pytest.mark.parametrize("layers", [[1, 2], [Dense], [Flatten(), "Dense"], Dense(10), None, "cnn"], ids=str)
def test_values_that_are_not_layers_are_user_errors(layers):
    with pytest.raises(UserError, match=r"Sequential takes .*such as .*Flatten\(\)"):
        Sequential(layers)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 1}, "Unknown setting 'epoch'; choose among epochs, batch_size, "),
        ({"epochs": "1"}, "epochs must be a whole number, not '1'"),
        ({"batch_size": 2.5}, "batch_size must be a whole number, not 2.5"),
        ({"lr": "fast"}, "lr must be a number, not 'fast'"),
        ({"loss": ["mse"]}, r"loss must be a text, not \['mse'\]"),
        ({"augment": {"shift": 1}}, "augment must be a text, not {'shift': 1}"),
        ({"seed": None}, "seed must be a whole number, not None"),
        ({"normalise": 1}, "normalise must be True or False, not 1"),
    ],
    ids=str,
)
def test_settings_of_a_wrong_name_or_type_are_user_errors(settings, message):
    with pytest.raises(UserError, match=message):
        new_model().fit(IMAGES, LABELS, **settings)


def test_a_device_that_does_not_exist_is_a_user_error():
    with pytest.raises(UserError, match="nothing"):
        new_model(device="nothing").fit(IMAGES, LABELS)


def test_a_file_that_is_missing_or_no_network_is_a_user_error(tmp_path):
    (tmp_path / "text.h5").write_text("no network")
    for name in ("text.h5", "missing.h5"):
        with pytest.raises(UserError, match=name):
            load(tmp_path / name)


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, fastdigits; print([name for name in ('numpy', 'numba', 'h5py') if name in sys.modules])"
    environment = os.environ | {"PYTHONPATH": str(Path(fastdigits.__file__).parents[1])}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert result.stdout == "[]\n", result.stderr


def test_public_names():
    assert fastdigits.__all__ == sorted(fastdigits.__all__)
    for name in fastdigits.__all__:
        assert callable(getattr(fastdigits, name))
        assert name in dir(fastdigits)
    assert fastdigits.Dense is Dense
    with pytest.raises(AttributeError, match="nonsense"):
        _ = fastdigits.nonsense


def test_the_example_of_the_package(digits, monkeypatch):
    monkeypatch.setattr(fastdigits, "load_digits", {"mnist": digits}.get)
    lines = [line[4:] for line in fastdigits.__doc__.splitlines() if line.startswith((">>> ", "... "))]
    *statements, expression = lines
    assert "Sequential([" in "".join(statements)
    names: dict = {}
    exec("\n".join(statements), names)
    assert eval(expression, names) > 0.5


@pytest.mark.parametrize("fused", [True, False])
def test_few_images_get_the_same_predictions_as_among_many(fused, digits):
    inner = Residual([Conv2D(4, 3, padding="same"), BatchNorm()])
    layers = [Conv2D(4, 3), BatchNorm(), ReLU(), inner, ReLU(), MaxPool2D(2), Flatten(), Dropout(0.2), Dense(10)]
    model = Sequential(layers, device="cpu")
    for seed in (1, 2):  # after a second `fit`, `predict` must not use the network of the first
        model.fit(digits.train_images, digits.train_labels, epochs=1, fused=fused, seed=seed)
        expected = model.predict(digits.test_images)[:5]
        assert model.predict(digits.test_images[:5]).tobytes() == expected.tobytes()
