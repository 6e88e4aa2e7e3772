"""Measure how well pictures are read: of every kind with a digit, and of every making without one.

    python scripts/measure_pictures.py --each 100
    python scripts/measure_pictures.py --weights weights.h5 --each 20

The digits are MNIST's validation images, which the network that ships has not learned from, and strokes of a pen; the
pictures without a digit are of other makings than those it has learned from (scripts/pictures/holdout_negatives.py).
"""

import argparse
from collections.abc import Iterator

import numpy as np
from pictures.collect import digit
from pictures.holdout_negatives import HOLDOUT_NEGATIVES
from pictures.kinds import KINDS

from fastdigits.config.training import TrainConfig
from fastdigits.data import load_part
from fastdigits.inference.recognizer import Recognizer
from fastdigits.training.loop import split

SEED = 7


def pictures_of_digits(kind: str, count: int, seed: int = SEED) -> Iterator[tuple[np.ndarray, int]]:
    """So many pictures of a kind, and their labels."""
    images, labels = load_part("mnist", "train")
    _, rows = split(labels, TrainConfig())
    for number in range(count):
        rng = np.random.default_rng([seed, list(KINDS).index(kind), number])
        glyph, label = digit(rng, images[rows], labels[rows])
        yield KINDS[kind](rng, glyph), label


def pictures_of_others(making: str, count: int, seed: int = SEED) -> Iterator[np.ndarray]:
    """So many pictures of a making."""
    for number in range(count):
        yield HOLDOUT_NEGATIVES[making](np.random.default_rng([seed, list(HOLDOUT_NEGATIVES).index(making), number]))


def main() -> None:
    """Print a line for each kind and each making."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", help="the network that ships if not given")
    parser.add_argument("--each", type=int, default=50, help="pictures of each kind and making")
    options = parser.parse_args()
    recognizer = Recognizer(options.weights)
    print(f"{'with a digit':20}{'right':>9}{'unsure':>9}{'wrong and sure':>17}")
    everything = []
    for kind in KINDS:
        found = [(recognizer.recognize(picture)[1], label) for picture, label in pictures_of_digits(kind, options.each)]
        figures = [(r.digit == label, r.unsure, r.digit != label and not r.unsure) for r, label in found]
        everything += figures
        print(_line(kind, figures), flush=True)
    print(_line("all", everything))
    print(f"\n{'without one':20}{'sure':>9}")
    sure = []
    for making in HOLDOUT_NEGATIVES:
        found = [(not recognizer.recognize(picture)[1].unsure,) for picture in pictures_of_others(making, options.each)]
        sure += found
        print(_line(making, found), flush=True)
    print(_line("all", sure))


def _line(name: str, figures: list[tuple[bool, ...]]) -> str:
    widths = (9, 9, 17)
    shares = zip(np.mean(figures, axis=0), widths, strict=False)
    return f"{name.replace('_', ' '):20}" + "".join(f"{share:{width}.1%}" for share, width in shares)


if __name__ == "__main__":
    main()
