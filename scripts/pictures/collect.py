"""Many pictures, prepared as `fastdigits predict` does."""

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
PENNED = 0.2  # of the digits are drawn as pens move, the others are MNIST's


def digit(rng: Rng, images: np.ndarray, labels: np.ndarray) -> tuple[Glyph, int]:
    """A digit at random: one of some of MNIST's, or a style of writing."""
    if rng.random() > PENNED:
        row = int(rng.integers(len(images)))
        return from_image(images[row]), int(labels[row])
    label = int(rng.integers(10))
    styles = DIGITS[str(label)]
    strokes = jittered(rng, styles[rng.integers(len(styles))], 0.035)
    return from_strokes(strokes, rng.uniform(0.05, 0.13)), label


def any_digit(rng: Rng, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, int]:
    """A picture of a digit, of any kind, and its label."""
    glyph, label = digit(rng, images, labels)
    return _any(rng, KINDS)(rng, glyph), label


def any_negative(rng: Rng) -> tuple[np.ndarray, int]:
    """A picture of anything else."""
    return _any(rng, NEGATIVES)(rng), NO_DIGIT


@dataclass(frozen=True, eq=False)
class Seen:
    """Images uint8 (N, 28, 28), their labels uint8 (N,), 10 for no digit, and the numbers (N,) of the pictures in which
    they are seen.
    """

    images: np.ndarray
    labels: np.ndarray
    pictures: np.ndarray

    @property
    def ways(self) -> np.ndarray:
        """Which of the ways to see its picture each image shows, from 1: int (N,)."""
        return np.arange(len(self.pictures)) - np.searchsorted(self.pictures, self.pictures) + 1


class Collection:
    """Draws and prepares pictures, each from numbers of its own: the same ones in any number of processes.

    A digit is seen in the likeliest way, what is none in every way: `fastdigits predict` tries the next way where it
    is unsure, and none of them may look like a digit.
    """

    def __init__(self, seed: int, images: np.ndarray, labels: np.ndarray):
        self.seed, self.images, self.labels = seed, images, labels

    def digit(self, number: int) -> tuple[list[np.ndarray], int]:
        picture, label = any_digit(np.random.default_rng([self.seed, 0, number]), self.images, self.labels)
        return [prepare(picture).image], label

    def negative(self, number: int) -> tuple[list[np.ndarray], int]:
        picture, label = any_negative(np.random.default_rng([self.seed, 1, number]))
        return [prepared.image for prepared in candidates(picture)], label

    def draw(
        self, digits: int, negatives: int, processes: int, tell: Callable[[int], None] = lambda done: None
    ) -> Seen:
        """So many pictures of digits and others; `tell` hears how many are done."""
        with Pool(processes) as pool:
            looks = list(_counted(pool.imap(self.digit, range(digits), 64), tell, 0))
            looks += list(_counted(pool.imap(self.negative, range(negatives), 64), tell, digits))
        images, labels = zip(*looks, strict=True)
        times = [len(ways) for ways in images]
        pictures = np.repeat(np.arange(len(times)), times)
        return Seen(np.concatenate(images), np.array(labels, np.uint8)[pictures], pictures)


def _counted(results: Iterable, tell: Callable[[int], None], before: int) -> Iterable:
    for number, result in enumerate(results, before + 1):
        tell(number)
        yield result


def _any(rng: Rng, makers: dict[str, Callable]) -> Callable:
    return makers[list(makers)[rng.integers(len(makers))]]
