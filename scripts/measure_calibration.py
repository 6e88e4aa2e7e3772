"""Measure whether the confidence of a network equals the share of its correct answers.

    python scripts/measure_calibration.py
    python scripts/measure_calibration.py --weights weights.h5 --images 2000 --drawn 50
    python scripts/measure_calibration.py --pictures drawings.npz

All digits come from MNIST's test images: as they are, corrupted, and drawn as pictures. The mixture is the one on which
the shipped network was calibrated, with these digits and with other pictures without a digit. The spread is the
standard deviation over resamples of the answers.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from measure_pictures import negative_pictures
from pictures.collect import NO_DIGIT, CandidateImages, Collection
from pictures.corruptions import COMMON, UNCOMMON, Corruption
from pictures.holdout_negatives import HOLDOUT_NEGATIVES
from pictures.mixture import mixture

from fastdigits.data import load_part
from fastdigits.imaging import prepare
from fastdigits.inference.recognizer import Prediction, Recognizer

BINS = 15
RESAMPLES = 200
SEED = 11
MIN_PROBABILITY = 1e-30  # keeps logarithms finite


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers to images with labels (N,): probabilities of the digits (N, 10), and whether each is unsure (N,)."""

    probabilities: np.ndarray
    unsure: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, predictions: list[Prediction], labels: np.ndarray) -> "Answers":
        """Collect the answers of predictions."""
        p = np.array([prediction.probabilities for prediction in predictions])
        return cls(p, np.array([prediction.unsure for prediction in predictions]), labels)

    def sample(self, rows: np.ndarray) -> "Answers":
        """Return the answers in some rows."""
        return Answers(self.probabilities[rows], self.unsure[rows], self.labels[rows])

    @property
    def correct(self) -> np.ndarray:
        """Whether each answer is correct; never if there is no digit: bool (N,)."""
        return self.probabilities.argmax(1) == self.labels


def calibration_error(answers: Answers) -> float:
    """Return the expected calibration error: the mean distance of confidence and accuracy over bins of confidence."""
    confidence = answers.probabilities.max(1)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    excess = np.bincount(bins, confidence - answers.correct, BINS)
    return float(np.abs(excess).sum() / len(bins))


def brier_score(answers: Answers) -> float:
    """Return the mean squared distance of the probabilities from those that are 1 for the label and 0 elsewhere."""
    truth = answers.labels[:, None] == np.arange(answers.probabilities.shape[1])
    return float(((answers.probabilities - truth) ** 2).sum(1).mean())


def negative_log_likelihood(answers: Answers) -> float:
    """Return the mean negative logarithm of the probability of the label, over the images with a digit."""
    rows = np.flatnonzero(answers.labels != NO_DIGIT)
    of_label = answers.probabilities[rows, answers.labels[rows]]
    return float(-np.log(np.maximum(of_label, MIN_PROBABILITY)).mean())


MEASURES: tuple[Callable[[Answers], float], ...] = (calibration_error, brier_score, negative_log_likelihood)


def with_spread(measure: Callable[[Answers], float], answers: Answers) -> str:
    """Return a measure of the answers and its standard deviation over resamples."""
    rng = np.random.default_rng(SEED)
    count = len(answers.labels)
    resampled = [measure(answers.sample(rng.integers(count, size=count))) for _ in range(RESAMPLES)]
    return f"{measure(answers):.4f} ± {np.std(resampled):.4f}"


def line(name: str, answers: Answers) -> str:
    """Return a row of the table."""
    wrong = ~answers.correct & ~answers.unsure
    cells = [f"{len(answers.labels):,}", f"{answers.correct.mean():.2%}"]
    cells += [f"{answers.probabilities.max(1).mean():.2%}", *(with_spread(measure, answers) for measure in MEASURES)]
    cells += [f"{answers.unsure.mean():.2%}", f"{wrong.mean():.2%}"]
    return f"| {name} | {' | '.join(cells)} |"


def pictures_in_use(images: np.ndarray, labels: np.ndarray, count: int) -> CandidateImages:
    """Draw pictures with a digit, and enough without for a mixture."""
    collection = Collection(SEED, images, labels)
    digits = [collection.digit(number) for number in range(count)]
    drawn = [found[0] for found, _ in digits]
    per_kind = -(-len(digits) // 3 // len(HOLDOUT_NEGATIVES))
    negatives = [prepare(picture).image for kind in HOLDOUT_NEGATIVES for picture in negative_pictures(kind, per_kind)]
    drawn_labels = [label for _, label in digits] + [NO_DIGIT] * len(negatives)
    return CandidateImages(np.stack(drawn + negatives), np.array(drawn_labels, np.uint8), np.arange(len(drawn_labels)))


def corrupt(name: str, corruption: Corruption, images: np.ndarray) -> np.ndarray:
    """Corrupt each image with a random seed of its own."""
    seed = [*COMMON, *UNCOMMON].index(name)
    return np.stack([corruption(np.random.default_rng([SEED, seed, i]), image) for i, image in enumerate(images)])


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", help="weights file; the shipped network by default")
    parser.add_argument("--images", type=int, default=10_000, help="number of test images")
    parser.add_argument("--drawn", type=int, default=1000, help="number of drawn pictures with a digit")
    parser.add_argument("--pictures", help="npz file with pictures x and their digits y, to measure nothing else")
    options = parser.parse_args()
    recognizer = Recognizer(options.weights)
    print("| images | number | correct | mean confidence | ECE | Brier score | NLL | unsure | wrong and not unsure |")
    print("|---|---|---|---|---|---|---|---|---|")
    if options.pictures:
        given = np.load(options.pictures)
        print(line("pictures", Answers.of([recognizer.recognize(picture)[1] for picture in given["x"]], given["y"])))
        return
    images, labels = (part[: options.images] for part in load_part("mnist", "test"))

    def measure(name: str, images: np.ndarray, labels: np.ndarray) -> None:
        print(line(name, Answers.of(recognizer.predict(images), labels)), flush=True)

    pictures = pictures_in_use(images, labels, options.drawn)
    mixed, mixed_labels = mixture(images, labels, pictures)
    measure("mixture", mixed, mixed_labels)
    measure("its digits", mixed[mixed_labels != NO_DIGIT], mixed_labels[mixed_labels != NO_DIGIT])
    with_digit = pictures.labels != NO_DIGIT
    measure("drawn pictures", pictures.images[with_digit], pictures.labels[with_digit])
    measure("MNIST's test images", images, labels)
    for name, corruption in {**COMMON, **UNCOMMON}.items():
        measure(name, corrupt(name, corruption, images), labels)


if __name__ == "__main__":
    main()
