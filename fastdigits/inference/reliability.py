"""How far confidence can be trusted, and whether one network is better than another by more than chance."""

from dataclasses import dataclass
from typing import Any

import numpy as np

BINS = 15  # of equal width, from confidence 0 to 1


@dataclass(frozen=True, eq=False)
class Reliability:
    """Confidence and accuracy of the images by confidence.

    Attributes
    ----------
    counts : int (BINS,)
        Number of images in each bin of the confidence, the probability of the predicted class.
    confidence, accuracy : float (BINS,)
        Mean confidence and fraction of correct predictions of each bin; NaN in an empty one.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def expected_error(self) -> float:
        """Expected calibration error: mean difference of confidence and accuracy, weighted by the images of a bin."""
        filled = self.counts > 0
        gaps = np.abs(self.confidence[filled] - self.accuracy[filled])
        return float((gaps * self.counts[filled]).sum() / self.counts.sum())


def reliability(probabilities: np.ndarray, labels: np.ndarray) -> Reliability:
    """Compare the confidence of predictions with how often they are right.

    Parameters
    ----------
    probabilities : float32 (N, classes)
    labels : uint8 (N,)

    References
    ----------
    Guo, Pleiss, Sun and Weinberger (2017), On calibration of modern neural networks.
    """
    confidence, correct = probabilities.max(1).astype(float), probabilities.argmax(1) == labels
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(bins, values, BINS) / counts for values in (confidence, correct)]
    return Reliability(counts, *means)


def mcnemar(first: np.ndarray, second: np.ndarray) -> dict[str, Any]:
    """Test whether two networks are right equally often on the same images, by McNemar's exact test.

    Only images on which exactly one of them is right say anything. If both are equally good, each of them is right on
    half of these images: the p-value is twice the probability that so few or fewer of them fall to the worse network.

    Parameters
    ----------
    first, second : bool (N,)
        Whether each network is right on each image.

    Returns
    -------
    dict
        `first_only` and `second_only`, the images on which only one is right, and `p_value`.

    References
    ----------
    McNemar (1947), Note on the sampling error of the difference between correlated proportions or percentages.
    """
    first_only, second_only = int((first & ~second).sum()), int((second & ~first).sum())
    n, ways, choices = first_only + second_only, 0, 1  # of 2**n; choices: n over i, an exact integer
    for i in range(min(first_only, second_only) + 1):
        ways += choices
        choices = choices * (n - i) // (i + 1)
    return {"first_only": first_only, "second_only": second_only, "p_value": min(1.0, 2 * ways / 2**n)}
