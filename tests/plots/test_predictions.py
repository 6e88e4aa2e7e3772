"""The figure of `predict --show`."""

import numpy as np
import pytest

from fastdigits.imaging.types import PreparationStep, Prepared
from fastdigits.inference.recognizer import Prediction
from fastdigits.plots.predictions import draw


def test_the_panels_of_a_row_have_the_same_upper_and_lower_ends():
    image = np.zeros((28, 28), np.uint8)
    steps = tuple(PreparationStep(name, np.zeros((90, 90), np.uint8)) for name in ("picture", "ink", "components"))
    prediction = Prediction(3, 0.9, (*[0.1] * 3, 0.9, *[0.0] * 6), 0, False, 0.1)
    figure = draw([("a.png", (Prepared(image, None, steps), prediction))])
    figure.draw_without_rendering()
    ends = [axes.get_window_extent() for axes in figure.axes]
    assert len(ends) == 5
    assert [box.y0 for box in ends] == pytest.approx([ends[0].y0] * 5, abs=2)
    assert [box.y1 for box in ends] == pytest.approx([ends[0].y1] * 5, abs=2)
