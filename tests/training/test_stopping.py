"""Early stopping, keeping the best epoch, and failed runs."""

from dataclasses import replace

import pytest

from fastdigits import ops as devices
from fastdigits.config.schedules import stalls
from fastdigits.config.training import TrainConfig
from fastdigits.data.batches import Batches
from fastdigits.errors import UserError
from fastdigits.inference.evaluate import evaluate
from fastdigits.models import network_of
from fastdigits.storage.history import Epoch, best_epoch, epochs_since_best
from fastdigits.training.callbacks import Callback
from fastdigits.training.failure import TrainingFailed
from fastdigits.training.loop import split, train

# Settings for which validation oscillates and is not best at the end
JUMPY = {"optimizer": "sgd", "lr": 0.3, "schedule": "constant", "validation": 60, "batch_size": 20}


def history(*accuracies, losses=None):
    """Return epochs with these accuracies, both in training and in validation."""
    losses = losses or [0.5] * len(accuracies)
    return [Epoch(n, 1.0, a, loss, a) for n, (a, loss) in enumerate(zip(accuracies, losses, strict=True), 1)]


def test_the_best_epoch_is_the_first_of_equal_ones():
    assert best_epoch(history(0.5, 0.9, 0.7, 0.9)).epoch == 2
    assert best_epoch(history(0.9, 0.9, 0.8, losses=[0.4, 0.3, 0.1])).epoch == 2
    assert [epochs_since_best(history(0.5, 0.9, 0.7, 0.9)[:n]) for n in range(5)] == [0, 0, 0, 1, 2]


@pytest.mark.parametrize(("every", "expected"), [(1, [0, 0, 1, 2, 2, 3, 4]), (2, [0, 0, 0, 1, 1, 1, 2])])
def test_the_count_of_stalled_epochs_restarts_after_each_stall(every, expected):
    epochs = history(0.5, 0.4, 0.5, 0.6, 0.6, 0.6)
    assert [stalls([epoch.rank for epoch in epochs[:n]], every) for n in range(7)] == expected


def test_early_stop_ends_after_epochs_without_a_better_validation_and_keeps_the_best(few, fit):
    network, training = fit("mlp", epochs=60, early_stop=3, **JUMPY)
    assert len(training.epochs) < 60
    assert training.kept_epoch == len(training.epochs) - 3 == best_epoch(training.epochs).epoch
    assert all(epochs_since_best(training.epochs[:n]) < 3 for n in range(len(training.epochs)))
    batches = Batches(network.ops, *few, 20, training.normalisation)
    rows = split(few[1], TrainConfig(validation=60))[1]
    kept = training.epochs[training.kept_epoch - 1]
    result = evaluate(network, batches, rows, "cross-entropy")
    assert (result.accuracy, result.loss) == (kept.validation_accuracy, kept.validation_loss)


def test_keep_best_gives_the_weights_of_a_shorter_run(fit, content):
    network, training = fit("mlp", epochs=12, keep_best=True, **JUMPY)
    assert training.kept_epoch < 12  # otherwise the test shows nothing
    assert content(network) == content(fit("mlp", epochs=training.kept_epoch, **JUMPY)[0])
    last, last_training = fit("mlp", epochs=12, **JUMPY)
    assert last_training.kept_epoch == 12
    assert content(last) != content(network)


def test_early_stop_may_keep_the_last(fit):
    _, training = fit("mlp", epochs=60, early_stop=2, keep_best=False, **JUMPY)
    assert training.kept_epoch == len(training.epochs) < 60


def test_the_rate_of_a_plateau_falls_where_validation_stalls(fit, content):
    settings = JUMPY | {"epochs": 12, "lr_decay": 1e-9}
    _, constant = fit("mlp", **JUMPY | {"epochs": 12})
    plateau, training = fit("mlp", **settings | {"schedule": "plateau", "decay_every": 2})
    stalled = next(n for n in range(13) if stalls([epoch.rank for epoch in constant.epochs[:n]], 2))
    assert [e.train_loss for e in training.epochs[:stalled]] == [e.train_loss for e in constant.epochs[:stalled]]
    rest = training.epochs[stalled - 1 :]  # steps are tiny from here on, so validation stays the same
    assert len({round(epoch.validation_loss, 5) for epoch in rest}) == 1


@pytest.mark.parametrize("settings", [{"early_stop": 1}, {"keep_best": True}, {"schedule": "plateau"}], ids=str)
def test_without_images_to_validate_on_there_is_no_best(settings):
    with pytest.raises(UserError, match="validation"):
        TrainConfig(validation=0, **settings)
    with pytest.raises(UserError, match="set some aside with validation"):
        best_epoch([Epoch(1, 1.0, 0.5, None, None)])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_run_with_weights_that_are_not_finite_fails(fit):
    with pytest.raises(TrainingFailed, match="finite"):
        fit("mlp", optimizer="sgd", lr=1e30)


# Weight decay that multiplies every weight by -1.5 in each step, so that they overflow after some epochs
GROWING = {"optimizer": "sgd", "lr": 1e-4, "weight_decay": 25000.0, "schedule": "constant", "batch_size": 7}


@pytest.mark.parametrize("settings", [{}, {"ema": 0.5}, {"keep_best": True}], ids=str)
def test_a_run_that_diverges_keeps_the_weights_of_the_last_finite_epoch(settings, fit):
    epochs = []

    class Keeping(Callback):
        def on_epoch_end(self, record):
            epochs.append(record)

    with pytest.raises(TrainingFailed, match="lower lr") as raised:
        fit(epochs=100, callback=Keeping(), **GROWING | settings)
    result = raised.value.result
    assert result.epochs == epochs
    assert 1 < len(epochs) < 20
    kept = best_epoch(epochs).epoch if "keep_best" in settings else len(epochs)
    assert (result.kept_epoch, result.verdict) == (kept, None)


def test_a_run_that_diverges_leaves_finite_weights_in_the_network(few):
    network, config = network_of("linear", input_shape=(1, 28, 28)), TrainConfig(epochs=100, **GROWING)
    with pytest.raises(TrainingFailed) as raised:
        train(network, *few, devices.load("cpu"), config, Callback())
    shorter = network_of("linear", input_shape=(1, 28, 28))
    train(shorter, *few, devices.load("cpu"), replace(config, epochs=raised.value.result.kept_epoch), Callback())
    assert {n: v.tobytes() for n, v in network.weights().items()} == {
        n: v.tobytes() for n, v in shorter.weights().items()
    }


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_run_that_diverges_at_once_has_no_result(fit):
    with pytest.raises(TrainingFailed) as raised:
        fit("mlp", optimizer="sgd", lr=1e30)
    assert raised.value.result is None
