"""Calibration and McNemar's test, compared with their definitions and with scipy."""

import numpy as np
import pytest
from scipy.stats import binomtest

from fastdigits.inference.reliability import BINS, mcnemar, reliability
from fastdigits.plots import reliability as plot
from fastdigits.plots import style

RANDOM = np.random.default_rng(1)


def predictions(confidence):
    """Probabilities of two classes, the first of which is predicted with this confidence."""
    confidence = np.asarray(confidence, np.float32)
    return np.stack([confidence, 1 - confidence], 1)


def test_confidence_and_accuracy_of_each_bin():
    found = reliability(predictions([0.9, 0.92, 0.91, 0.6, 1.0]), np.array([0, 0, 1, 1, 0]))
    assert found.counts.sum() == 5
    assert found.counts[13] == 3  # 13/15 to 14/15
    assert (found.confidence[13], found.accuracy[13]) == pytest.approx((0.91, 2 / 3))
    assert (found.counts[BINS - 1], found.accuracy[BINS - 1]) == (1, 1)
    assert np.isnan(found.accuracy[0])
    assert found.expected_error == pytest.approx((3 * (0.91 - 2 / 3) + 0.6 + 0) / 5)


def test_calibrated_predictions_have_no_error():
    confidence = RANDOM.uniform(0.5, 1, 200_000)
    labels = (RANDOM.uniform(size=200_000) > confidence).astype(int)
    assert reliability(predictions(confidence), labels).expected_error < 0.01
    assert reliability(predictions(confidence), np.zeros(200_000, int)).expected_error == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(("first_only", "second_only"), [(0, 0), (1, 0), (5, 5), (3, 12), (40, 21), (900, 1000)])
def test_mcnemars_test_is_the_binomial_test_of_the_images_on_which_the_networks_differ(first_only, second_only):
    first = np.array([True] * 50 + [False] * 7 + [True] * first_only + [False] * second_only)
    second = np.array([True] * 50 + [False] * 7 + [False] * first_only + [True] * second_only)
    found = mcnemar(first, second)
    expected = binomtest(first_only, first_only + second_only).pvalue if first_only + second_only else 1
    assert found == {"first_only": first_only, "second_only": second_only, "p_value": pytest.approx(expected)}
    assert mcnemar(second, first)["p_value"] == found["p_value"]


def test_the_figure_shows_the_bins_that_have_images():
    found = reliability(predictions([0.9, 0.92, 0.91, 0.6, 1.0]), np.array([0, 0, 1, 1, 0]))
    figure = plot.draw(found, "a title")
    [points] = figure.axes[0].collections
    assert points.get_offsets()[:, 0].tolist() == pytest.approx([60, 91, 100])
    assert points.get_offsets()[:, 1].tolist() == pytest.approx([0, 200 / 3, 100])
    assert style.encode_figure(figure, "png").startswith(b"\x89PNG")
