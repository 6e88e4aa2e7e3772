"""Which images are chosen to be looked at."""

import numpy as np

from fastdigits.samples import examples, worst_mistakes

# images 1, 3 and 4 are misread, and 3 is the one whose true class is least probable
LABELS = np.array([0, 0, 1, 2, 2, 1], np.uint8)
PROBABILITIES = np.array(
    [[0.9, 0.1, 0.0], [0.3, 0.5, 0.2], [0.2, 0.6, 0.2], [0.5, 0.4, 0.1], [0.6, 0.2, 0.2], [0.1, 0.8, 0.1]], np.float32
)


def test_the_worst_mistakes_come_first():
    assert worst_mistakes(PROBABILITIES, LABELS, 10).tolist() == [3, 4, 1]
    assert worst_mistakes(PROBABILITIES, LABELS, 2).tolist() == [3, 4]
    assert worst_mistakes(PROBABILITIES, PROBABILITIES.argmax(1), 10).tolist() == []


def test_examples_are_spread_over_all():
    assert examples(PROBABILITIES, LABELS, True, 10).tolist() == [0, 2, 5]
    assert examples(PROBABILITIES, LABELS, True, 2).tolist() == [0, 5]
    assert examples(PROBABILITIES, LABELS, False, 10).tolist() == [1, 3, 4]
    assert examples(PROBABILITIES, PROBABILITIES.argmax(1), False, 10).tolist() == []
    labels = np.zeros(100, np.uint8)
    assert examples(np.tile([1.0, 0.0], (100, 1)), labels, True, 4).tolist() == [0, 33, 66, 99]
