import numpy as np
import pytest

from fastdigits.config import OPTIMIZERS, TrainConfig
from fastdigits.nn.parameter import Parameter, ParameterBuffer
from fastdigits.optim import Optimizer
from fastdigits.schedule import SCHEDULES, WARM_UP

TARGET, STEEPNESS = np.linspace(-1, 1, 100, dtype=np.float32), np.linspace(0.5, 2, 100, dtype=np.float32)


@pytest.mark.parametrize("steps", [1, 2, 10, 469, 4300])
def test_one_cycle_stays_between_0_and_1(steps):
    rates = [SCHEDULES["one-cycle"](step, steps) for step in range(steps)]
    assert all(0 < rate <= 1 for rate in rates)


def test_one_cycle_rises_to_1_at_15_percent_and_falls_to_0():
    rates = np.array([SCHEDULES["one-cycle"](step, 1000) for step in range(1000)])
    peak = rates.argmax()
    assert peak == pytest.approx(0.15 * 1000, abs=2)
    assert rates[peak] > 0.99
    assert rates[0] < 0.01
    assert rates[-1] < 0.01
    for slopes, slope in ((np.diff(rates[:peak]), 1 / WARM_UP), (np.diff(rates[peak + 1 :]), -1 / (1 - WARM_UP))):
        np.testing.assert_allclose(slopes, slope / 1001)


def test_constant_is_1():
    assert {SCHEDULES["constant"](step, 10) for step in range(10)} == {1.0}


@pytest.fixture
def learner(ops):
    """learner(optimizer, ...) is an optimiser of one parameter (100,) that starts at zero, and that parameter."""

    def learner(optimizer, **settings):
        parameter = Parameter("weight", TARGET.shape)
        buffer = ParameterBuffer(ops, [parameter], training=True)
        return Optimizer(ops, TrainConfig(optimizer=optimizer, **settings), buffer), parameter

    return learner


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_finds_the_bottom_of_a_bowl(optimizer, learner):
    stepper, p = learner(optimizer, lr=0.1, weight_decay=0)
    for _ in range(300):
        p.gradient[...] = STEEPNESS * (p.value - TARGET)
        stepper.step(0.5)
    np.testing.assert_allclose(p.value, TARGET, atol=0.01)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_share_of_the_learning_rate_changes_nothing(optimizer, learner):
    stepper, p = learner(optimizer, weight_decay=0.1)
    p.value[...] = TARGET
    p.gradient[...] = STEEPNESS
    before = p.value.tobytes()
    for _ in range(2):
        stepper.step(0)
    assert p.value.tobytes() == before


@pytest.mark.parametrize(
    ("optimizer", "moved"),
    [
        ("sgd", 1 + 1),
        ("momentum", 1 + (0.5 + 1)),
        ("nesterov", (1 + 0.5) + (1 + 0.5 * 1.5)),
        ("adam", 1 + 1),
        ("adamw", 1 + 1),
    ],
)
def test_two_steps_along_a_gradient_of_1(optimizer, moved, learner):
    stepper, p = learner(optimizer, lr=0.5, momentum=0.5, weight_decay=0)
    p.gradient[...] = 1
    for _ in range(2):
        stepper.step(0.5)
    np.testing.assert_allclose(p.value, -0.25 * moved, rtol=1e-5)


@pytest.mark.parametrize(
    ("optimizer", "left"), [("sgd", 0.75), ("momentum", 0.75), ("nesterov", 0.625), ("adam", 0.5), ("adamw", 0.75)]
)
def test_weight_decay_alone(optimizer, left, learner):
    stepper, p = learner(optimizer, lr=0.5, momentum=0.5, weight_decay=0.5)
    p.value[...] = 1
    p.gradient[...] = 0
    stepper.step(1)
    np.testing.assert_allclose(p.value, left, rtol=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_is_not_chosen_is_the_usual(optimizer, learner):
    usual = {"lr": OPTIMIZERS[optimizer].lr, "weight_decay": OPTIMIZERS[optimizer].weight_decay}
    moved = []
    for settings in ({}, usual):
        stepper, p = learner(optimizer, **settings)
        p.value[...] = TARGET
        p.gradient[...] = STEEPNESS
        stepper.step(1)
        moved.append(p.value.tobytes())
    assert moved[0] == moved[1] != TARGET.tobytes()
