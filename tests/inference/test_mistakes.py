"""The choice of mistakes and examples to show."""

import numpy as np

from fastdigits.inference.evaluate import correct_and_wrong, worst_mistakes

# images 1, 3 and 4 are predicted wrongly; the true class of 3 is the least probable
LABELS = np.array([0, 0, 1, 2, 2, 1], np.uint8)
PROBABILITIES = np.array(
    [[0.9, 0.1, 0.0], [0.3, 0.5, 0.2], [0.2, 0.6, 0.2], [0.5, 0.4, 0.1], [0.6, 0.2, 0.2], [0.1, 0.8, 0.1]], np.float32
)


def test_the_worst_mistakes_come_first():
    assert worst_mistakes(PROBABILITIES, LABELS, 10).tolist() == [3, 4, 1]
    assert worst_mistakes(PROBABILITIES, LABELS, 2).tolist() == [3, 4]
    assert worst_mistakes(PROBABILITIES, PROBABILITIES.argmax(1), 10).tolist() == []


def test_correct_and_wrong_examples_are_spread_evenly():
    def rows(labels, max_count):
        return [chosen.tolist() for chosen in correct_and_wrong(PROBABILITIES, labels, max_count).values()]

    assert rows(LABELS, 10) == [[0, 2, 5], [1, 3, 4]]
    assert rows(LABELS, 2) == [[0, 5], [1, 4]]
    assert rows(PROBABILITIES.argmax(1), 10) == [[0, 1, 2, 3, 4, 5], []]
    assert correct_and_wrong(np.tile([1.0, 0.0], (100, 1)), np.zeros(100, np.uint8), 4)["Correct"].tolist() == [
        0,
        33,
        66,
        99,
    ]
