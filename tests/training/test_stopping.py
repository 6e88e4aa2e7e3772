"""Early stopping, keeping the best epoch, and failed runs."""

import numpy as np
import pytest

from fastdigits.config.schedules import stalls
from fastdigits.config.training import TrainConfig
from fastdigits.data.batches import Batches
from fastdigits.errors import UserError
from fastdigits.inference.evaluate import evaluate
from fastdigits.storage.history import Epoch, best_epoch, epochs_since_best
from fastdigits.training.failure import TrainingFailed, chance_accuracy, check_above_chance
from fastdigits.training.loop import split

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
    with pytest.raises(UserError, match="--validation"):
        best_epoch([Epoch(1, 1.0, 0.5, None, None)])


def test_chance_accuracy():
    labels = np.repeat(np.arange(4, dtype=np.uint8), [40, 20, 20, 20])
    assert chance_accuracy(labels) == pytest.approx(0.4 + 3 * (0.4 * 0.6 / 100) ** 0.5)


def test_only_a_run_that_ends_at_chance_fails():
    check_above_chance(history(0.1, 0.1, 0.1, 0.1, 0.5), 0.12)
    check_above_chance(history(0.1, 0.1), 0.12)  # too short to decide
    with pytest.raises(TrainingFailed, match=r"--lr.*--restart-dead"):
        check_above_chance(history(0.5, 0.1, 0.11, 0.12), 0.12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_run_with_weights_that_are_not_finite_fails(fit):
    with pytest.raises(TrainingFailed, match="finite"):
        fit("mlp", optimizer="sgd", lr=1e30)
