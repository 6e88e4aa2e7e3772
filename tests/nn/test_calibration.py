"""Temperature scaling and the confidence that a prediction needs."""

import numpy as np
import pytest

from fastdigits.errors import UserError
from fastdigits.nn.calibration import Calibration, fit_no_digit_bias, fit_temperature


def overconfident(temperature, count=4000):
    """Draw probabilities, and labels from the same probabilities softened by a temperature."""
    rng = np.random.default_rng(5)
    scores = 4 * rng.standard_normal((count, 10))
    p = Calibration(temperature).apply(np.exp(scores) / np.exp(scores).sum(1, keepdims=True))
    labels = (rng.random((count, 1)) > np.cumsum(p, axis=1)).sum(1)
    return np.exp(scores) / np.exp(scores).sum(1, keepdims=True), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_fit_temperature_recovers_the_true_temperature(temperature):
    assert fit_temperature(*overconfident(temperature)) == pytest.approx(temperature, rel=0.08)


def test_calibrated_confidence_equals_accuracy():
    p, labels = overconfident(2.5, 20_000)
    calibrated = Calibration(fit_temperature(p, labels)).apply(p)
    assert calibrated.sum(1) == pytest.approx(1)
    confidence, correct = calibrated.max(1), calibrated.argmax(1) == labels
    for low, high in ((0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.0)):
        selected = (confidence >= low) & (confidence < high)
        assert correct[selected].mean() == pytest.approx(
            confidence[selected].mean(), abs=4 * 0.5 / np.sqrt(selected.sum())
        )


def test_temperature_1_changes_nothing_and_other_temperatures_keep_the_order():
    p, _ = overconfident(1.0, 50)
    assert Calibration().apply(p) == pytest.approx(p)
    for temperature in (0.3, 7.0):
        assert (Calibration(temperature).apply(p).argsort(1) == p.argsort(1)).all()


def test_probabilities_of_0_and_1_stay_finite():
    p = np.eye(10)[[3, 4]]
    assert Calibration(2.0).apply(p) == pytest.approx(p)
    assert np.isfinite(fit_temperature(p, np.array([3, 5])))


def test_the_bias_corrects_for_fewer_pictures_without_a_digit_than_in_training():
    """Of two networks that learned from the same pictures, the one that saw more negatives expects more of them."""
    rng = np.random.default_rng(3)
    scores = 3 * rng.standard_normal((40_000, 11))
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    labels = (rng.random((len(p), 1)) > np.cumsum(p, axis=1)).sum(1)
    kept = (labels < 10) | (rng.random(len(labels)) < 0.05)  # in use, one negative in twenty is left
    bias = fit_no_digit_bias(p[kept], labels[kept])
    assert bias == pytest.approx(np.log(0.05), abs=0.1)
    expected = Calibration(no_digit_bias=bias).expect_digits(p[kept])
    assert expected.sum(1) == pytest.approx(1)
    assert expected[:, 10].mean() == pytest.approx((labels[kept] == 10).mean(), abs=0.002)
    ratio = p[kept, 0] / p[kept, 1]
    assert expected[:, 0] / expected[:, 1] == pytest.approx(ratio)


def test_the_bias_does_not_change_a_network_without_an_output_for_no_digit():
    p, _ = overconfident(1.0, 50)
    assert Calibration(no_digit_bias=-3.0).expect_digits(p) == pytest.approx(p)


@pytest.mark.parametrize(
    "setting",
    [{"temperature": 0.0}, {"temperature": float("nan")}, {"unsure_below": 1.5}, {"no_digit_bias": -float("inf")}],
)
def test_values_out_of_range_are_errors(setting):
    with pytest.raises(UserError, match=next(iter(setting))):
        Calibration(**setting)


def test_each_further_attempt_needs_more_confidence():
    calibration = Calibration(unsure_below=0.5)
    needed = [1 - 0.5 / attempt for attempt in (1, 2, 3, 4)]
    for attempt, confidence in enumerate(needed, 1):
        assert calibration.is_sure(1 - confidence - 1e-9, attempt)
        assert not calibration.is_sure(1 - confidence + 1e-9, attempt)
    assert calibration.is_sure(0.0, attempt=100)
