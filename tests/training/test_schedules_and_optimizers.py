import numpy as np
import pytest

from fastdigits.config.schedules import DECAYING, RISE, SCHEDULES, Progress, lr_factor
from fastdigits.config.training import OPTIMIZERS, TrainConfig
from fastdigits.errors import UserError
from fastdigits.nn.parameter import Parameter, ParameterBuffer
from fastdigits.storage.history import Epoch
from fastdigits.training.optimizer import Optimizer

TARGET, STEEPNESS = np.linspace(-1, 1, 100, dtype=np.float32), np.linspace(0.5, 2, 100, dtype=np.float32)


@pytest.mark.parametrize("steps", [1, 2, 10, 469, 4300])
def test_one_cycle_stays_between_0_and_1(steps):
    rates = [SCHEDULES["one-cycle"](Progress(step, steps, steps)) for step in range(steps)]
    assert all(0 < rate <= 1 for rate in rates)


def test_one_cycle_rises_to_1_at_15_percent_and_falls_to_0():
    rates = np.array([SCHEDULES["one-cycle"](Progress(step, 1000, 100)) for step in range(1000)])
    peak = rates.argmax()
    assert peak == pytest.approx(0.15 * 1000, abs=2)
    assert rates[peak] > 0.99
    assert rates[0] < 0.01
    assert rates[-1] < 0.01
    for slopes, slope in ((np.diff(rates[:peak]), 1 / RISE), (np.diff(rates[peak + 1 :]), -1 / (1 - RISE))):
        np.testing.assert_allclose(slopes, slope / 1001)


EPOCHS, EPOCH_STEPS = 6, 10


def shares(schedule, ranks=(), **settings):
    """Return the factor of the learning rate at every step of six epochs of ten steps."""
    config = TrainConfig(epochs=EPOCHS, schedule=schedule, **settings)
    return np.array([lr_factor(config, step, EPOCH_STEPS, ranks) for step in range(EPOCHS * EPOCH_STEPS)])


def test_step_is_a_staircase():
    expected = np.repeat([1, 0.1, 0.01], 2 * EPOCH_STEPS)
    np.testing.assert_allclose(shares("step", lr_decay=0.1, decay_every=2), expected)


def test_exponential_meets_the_staircase_at_its_edges():
    rates = shares("exponential", lr_decay=0.1, decay_every=2)
    np.testing.assert_allclose(rates[:: 2 * EPOCH_STEPS], [1, 0.1, 0.01])
    np.testing.assert_allclose(rates[1:] / rates[:-1], 0.1 ** (1 / (2 * EPOCH_STEPS)))


def test_inverse_time():
    rates = shares("inverse-time", lr_decay=3.0, decay_every=2)
    np.testing.assert_allclose(rates[:: 2 * EPOCH_STEPS], [1, 1 / 4, 1 / 7])
    np.testing.assert_allclose(np.diff(1 / rates), 3 / (2 * EPOCH_STEPS))


def test_cosine_is_half_a_wave():
    rates = shares("cosine")
    assert rates[0] == 1
    np.testing.assert_allclose(rates[len(rates) // 2], 0.5)
    np.testing.assert_allclose(rates[1:] + rates[:0:-1], 1)  # symmetric about the middle
    assert (np.diff(rates) < 0).all()
    assert 0 < rates[-1] < 0.001


def test_plateau_falls_with_every_stall_and_is_level_between():
    accuracies = (0.5, 0.6, 0.6, 0.5, 0.7, 0.6, 0.6)
    ranks = [Epoch(number, 1.0, 0.5, 0.5, accuracy).rank for number, accuracy in enumerate(accuracies, 1)]
    for number, rate in enumerate([1, 1, 1, 1, 1 / 4, 1 / 4, 1 / 4, 1 / 16]):
        assert set(shares("plateau", ranks[:number], lr_decay=0.25, decay_every=2)) == {rate}


@pytest.mark.parametrize("schedule", DECAYING)
def test_the_default_decay_is_one_half_per_epoch(schedule):
    assert np.array_equal(shares(schedule), shares(schedule, lr_decay=0.5, decay_every=1))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_is_between_0_and_1(schedule):
    rates = shares(schedule)
    assert ((rates > 0) & (rates <= 1)).all()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warm_up_is_a_line_that_multiplies_any_schedule(schedule):
    ramp = shares(schedule, warmup=0.25) / shares(schedule)
    np.testing.assert_allclose(ramp[:15], np.arange(1, 16) / 15)  # a quarter of 60 steps
    assert set(ramp[15:]) == {1}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"schedule": "cosine", "lr_decay": 0.5}, "schedule='cosine' takes no lr_decay"),
        ({"schedule": "one-cycle", "decay_every": 2}, "schedule='one-cycle' takes no lr_decay and decay_every"),
        ({"schedule": "step", "lr_decay": 1.5}, "at most 1"),
        ({"schedule": "step", "lr_decay": 0.0}, "lr_decay"),
        ({"schedule": "step", "decay_every": 0}, "decay_every"),
        ({"warmup": 1.5}, "warmup"),
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"ema": 1.0}, "ema"),
        ({"early_stop": 0}, "early_stop"),
    ],
    ids=str,
)
def test_invalid_settings_are_refused(settings, says):
    with pytest.raises(UserError, match=says):
        TrainConfig(**settings)


def test_constant_is_1():
    assert {SCHEDULES["constant"](Progress(step, 10, 5)) for step in range(10)} == {1.0}


@pytest.fixture
def make_optimizer(ops):
    """make_optimizer(optimizer, ...) returns an optimizer and its only parameter (100,), which starts at zero."""

    def make_optimizer(optimizer, **settings):
        parameter = Parameter("weight", TARGET.shape)
        buffer = ParameterBuffer(ops, [parameter], training=True)
        return Optimizer(ops, TrainConfig(optimizer=optimizer, **settings), buffer), parameter

    return make_optimizer


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_finds_the_bottom_of_a_bowl(optimizer, make_optimizer):
    stepper, p = make_optimizer(optimizer, lr=0.1, weight_decay=0)
    for _ in range(300):
        p.gradient[...] = STEEPNESS * (p.value - TARGET)
        stepper.step(0.5)
    np.testing.assert_allclose(p.value, TARGET, atol=0.01)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_learning_rate_of_0_changes_nothing(optimizer, make_optimizer):
    stepper, p = make_optimizer(optimizer, weight_decay=0.1)
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
def test_two_steps_along_a_gradient_of_1(optimizer, moved, make_optimizer):
    stepper, p = make_optimizer(optimizer, lr=0.5, momentum=0.5, weight_decay=0)
    p.gradient[...] = 1
    for _ in range(2):
        stepper.step(0.5)
    np.testing.assert_allclose(p.value, -0.25 * moved, rtol=1e-5)


@pytest.mark.parametrize(
    ("optimizer", "left"), [("sgd", 0.75), ("momentum", 0.75), ("nesterov", 0.625), ("adam", 0.5), ("adamw", 0.75)]
)
def test_weight_decay_alone(optimizer, left, make_optimizer):
    stepper, p = make_optimizer(optimizer, lr=0.5, momentum=0.5, weight_decay=0.5)
    p.value[...] = 1
    p.gradient[...] = 0
    stepper.step(1)
    np.testing.assert_allclose(p.value, left, rtol=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_settings_default_to_those_of_the_optimizer(optimizer, make_optimizer):
    usual = {"lr": OPTIMIZERS[optimizer].lr, "weight_decay": OPTIMIZERS[optimizer].weight_decay}
    moved = []
    for settings in ({}, usual):
        stepper, p = make_optimizer(optimizer, **settings)
        p.value[...] = TARGET
        p.gradient[...] = STEEPNESS
        stepper.step(1)
        moved.append(p.value.tobytes())
    assert moved[0] == moved[1] != TARGET.tobytes()
