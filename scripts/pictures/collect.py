"""Draw many pictures and prepare them like `fastdigits predict`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing import Pool

import numpy as np

from fastdigits.imaging import candidates, prepare
from pictures.alphabet import DIGITS
from pictures.glyphs import Glyph, from_image, from_strokes, jittered
from pictures.kinds import KINDS
from pictures.negatives import NEGATIVES
from pictures.scenes import Rng

NO_DIGIT = 10
PEN_STROKES = 0.2  # fraction of the digits that are drawn from pen strokes; the others are MNIST's


def digit(rng: Rng, images: np.ndarray, labels: np.ndarray) -> tuple[Glyph, int]:
    """Return a random digit with its label: one of the MNIST images, or pen strokes."""
    if rng.random() > PEN_STROKES:
        row = int(rng.integers(len(images)))
        return from_image(images[row]), int(labels[row])
    label = int(rng.integers(10))
    styles = DIGITS[str(label)]
    strokes = jittered(rng, styles[rng.integers(len(styles))], 0.035)
    return from_strokes(strokes, rng.uniform(0.05, 0.13)), label


def any_digit(rng: Rng, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Return a picture of a random kind with a digit, and its label."""
    glyph, label = digit(rng, images, labels)
    return _choice(rng, KINDS)(rng, glyph), label


def any_negative(rng: Rng) -> tuple[np.ndarray, int]:
    """Return a picture of a random kind without a digit, and the label NO_DIGIT."""
    return _choice(rng, NEGATIVES)(rng), NO_DIGIT


@dataclass(frozen=True, eq=False)
class CandidateImages:
    """The candidate images of many pictures: the 28 x 28 images that `fastdigits predict` may take from them.

    Parameters
    ----------
    images : uint8 (N, 28, 28)
    labels : uint8 (N,)
        NO_DIGIT for negatives.
    pictures : int (N,)
        Number of the picture of each image, ascending.
    """

    images: np.ndarray
    labels: np.ndarray
    pictures: np.ndarray

    @property
    def attempts(self) -> np.ndarray:
        """The number of each image among the candidates of its picture, starting at 1: int (N,)."""
        return np.arange(len(self.pictures)) - np.searchsorted(self.pictures, self.pictures) + 1


class Collection:
    """Draws and prepares pictures, each from its own random seed, so that they do not depend on the processes.

    A picture of a digit gives its first candidate. A negative gives all of its candidates: `fastdigits predict` tries
    the next one while it is unsure, and none of them may be recognized as a digit.
    """

    def __init__(self, seed: int, images: np.ndarray, labels: np.ndarray):
        self.seed, self.images, self.labels = seed, images, labels

    def digit(self, number: int) -> tuple[list[np.ndarray], int]:
        """Return the first candidate of the n-th picture of a digit, and its label."""
        picture, label = any_digit(np.random.default_rng([self.seed, 0, number]), self.images, self.labels)
        return [prepare(picture).image], label

    def negative(self, number: int) -> tuple[list[np.ndarray], int]:
        """Return all candidates of the n-th picture without a digit, and the label NO_DIGIT."""
        picture, label = any_negative(np.random.default_rng([self.seed, 1, number]))
        return [prepared.image for prepared in candidates(picture)], label

    def draw(
        self, digits: int, negatives: int, processes: int, report: Callable[[int], None] = lambda done: None
    ) -> CandidateImages:
        """Draw pictures of digits, then negatives; call `report` with the number done after each."""
        with Pool(processes) as pool:
            drawn = list(_counted(pool.imap(self.digit, range(digits), 64), report, 0))
            drawn += list(_counted(pool.imap(self.negative, range(negatives), 64), report, digits))
        images, labels = zip(*drawn, strict=True)
        counts = [len(found) for found in images]
        pictures = np.repeat(np.arange(len(counts)), counts)
        return CandidateImages(np.concatenate(images), np.array(labels, np.uint8)[pictures], pictures)


def _counted(results: Iterable, report: Callable[[int], None], before: int) -> Iterable:
    for number, result in enumerate(results, before + 1):
        report(number)
        yield result


def _choice(rng: Rng, makers: dict[str, Callable]) -> Callable:
    return makers[list(makers)[rng.integers(len(makers))]]
