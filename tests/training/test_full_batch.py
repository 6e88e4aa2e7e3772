"""Full-batch gradient descent: all training images in one step, in micro-batches."""

import numpy as np
import pytest

from fastdigits.config import training as config
from fastdigits.training import trainer


@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_a_step_of_all_images_is_one_step_of_that_batch_size(device, fit):
    settings = {"optimizer": "sgd", "lr": 0.1, "validation": 20, "epochs": 3, "schedule": "constant"}
    together, training = fit("mlp", device, batch_size=None, **settings)
    counted, _ = fit("mlp", device, batch_size=280, **settings)
    assert training.batch_size == 280
    for name, value in counted.weights().items():
        assert value.tobytes() == together.weights()[name].tobytes()


@pytest.mark.parametrize("most", [7, 100, 279])
def test_micro_batches_add_up_to_the_gradient_of_the_batch(most, fit, monkeypatch):
    settings = {"optimizer": "momentum", "lr": 0.1, "validation": 20, "epochs": 3, "batch_size": None}
    whole, training = fit("mlp", **settings)
    monkeypatch.setattr(trainer, "MAX_MICRO_BATCH", most)
    parts, parts_training = fit("mlp", **settings)
    assert parts.batch_size == most  # the buffers have the size of a micro-batch
    for one, other in zip(training.epochs, parts_training.epochs, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-5)
        assert one.train_accuracy == other.train_accuracy
    for name, value in whole.weights().items():
        np.testing.assert_allclose(parts.weights()[name], value, rtol=0, atol=1e-5)


def test_batches_above_the_micro_batch_size_are_split_too(fit, monkeypatch):
    plain, _ = fit(batch_size=130, validation=20)
    monkeypatch.setattr(trainer, "MAX_MICRO_BATCH", 50)
    parts, _ = fit(batch_size=130, validation=20)
    assert parts.batch_size == 50
    for name, value in plain.weights().items():
        np.testing.assert_allclose(parts.weights()[name], value, rtol=0, atol=1e-4)


def test_full_batch_training_needs_no_more_memory_than_a_micro_batch(fit):
    network, _ = fit("lenet", batch_size=None, validation=0, epochs=1)
    assert network.batch_size == 300
    assert config.MAX_MICRO_BATCH <= 1024
