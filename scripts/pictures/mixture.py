"""Mix images as in practice: clean, corrupted and photographed digits, and a few pictures without a digit."""

import numpy as np

from pictures.collect import NO_DIGIT, CandidateImages
from pictures.corruptions import corrupted

NO_DIGIT_SHARE = 0.1  # of the pictures
SEED = 4


def mixture(
    images: np.ndarray, labels: np.ndarray, pictures: CandidateImages, seed: int = SEED
) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (N, 28, 28) and their labels, NO_DIGIT for those without a digit.

    There are as many MNIST images as they are, and as many corrupted ones, as drawn pictures of digits.

    Parameters
    ----------
    images, labels
        MNIST images that the network has not seen.
    pictures : CandidateImages
        The first candidate of each picture is used.
    """
    first = pictures.attempts == 1
    drawn, negative = (first & (pictures.labels != NO_DIGIT)), (first & (pictures.labels == NO_DIGIT))
    count = int(drawn.sum())
    images, labels = images[:count], labels[:count]
    damaged = [corrupted(np.random.default_rng([seed, number]), image) for number, image in enumerate(images)]
    digits = np.concatenate([images, damaged, pictures.images[drawn]])
    negatives = pictures.images[negative][: round(len(digits) * NO_DIGIT_SHARE / (1 - NO_DIGIT_SHARE))]
    digit_labels = np.concatenate([labels, labels, pictures.labels[drawn]])
    return np.concatenate([digits, negatives]), np.append(digit_labels, np.full(len(negatives), NO_DIGIT, np.uint8))
