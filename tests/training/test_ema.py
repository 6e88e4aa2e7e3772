import numpy as np
import pytest

from fastdigits import ops as devices
from fastdigits.config.training import TrainConfig
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation
from fastdigits.inference.evaluate import evaluate
from fastdigits.models import layers_of
from fastdigits.nn import Network
from fastdigits.training.loop import split
from fastdigits.training.trainer import Trainer


@pytest.fixture
def trainer(few):
    network, ops = Network(layers_of("linear")), devices.load("cpu")
    network.build(ops, 100)
    network.initialise(0)
    batches, rows = Batches(ops, *few, 100, Normalisation(0.13, 0.31)), np.arange(300, dtype=np.int32)
    return Trainer(network, batches, TrainConfig(ema=0.75, lr=0.01), rows)


def test_the_average_weighs_the_weights_of_every_step_by_age(trainer):
    passed = []
    trainer.start_epoch(1, [1.0, 1.0, 1.0])
    for first in (0, 100, 200):
        trainer.step(first, 100)
        passed.append(trainer.network.weights()["dense_1/weight"].astype(float))
    expected = (0.75**2 * passed[0] + 0.75 * passed[1] + passed[2]) / (0.75**2 + 0.75 + 1)
    with trainer.using_evaluation_weights():
        average = trainer.network.weights()["dense_1/weight"]
    np.testing.assert_allclose(average, expected, rtol=0, atol=1e-6)
    assert np.array_equal(
        trainer.network.weights()["dense_1/weight"], passed[2]
    )  # training continues from these weights


def test_averages_are_evaluated_and_kept(few, fit):
    network, training = fit(ema=0.9)
    plain, plain_training = fit()
    last = training.epochs[-1]
    assert [epoch.train_loss for epoch in training.epochs] == [epoch.train_loss for epoch in plain_training.epochs]
    rows = split(few[1], TrainConfig())[1]
    again = evaluate(network, Batches(network.ops, *few, 128, training.normalisation), rows, "cross-entropy")
    assert (again.loss, again.accuracy) == (last.validation_loss, last.validation_accuracy)
    assert last.validation_loss != plain_training.epochs[-1].validation_loss
    assert not np.array_equal(network.weights()["dense_1/weight"], plain.weights()["dense_1/weight"])


def test_an_average_with_decay_0_is_the_network_itself(fit):
    plain = fit()[0].weights()
    for name, value in fit(ema=0.0)[0].weights().items():
        np.testing.assert_allclose(value, plain[name], rtol=0, atol=1e-7)
