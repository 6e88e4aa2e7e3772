"""Measure how well a network recognizes digits in synthetic pictures, and how often it is sure about other pictures.

    python scripts/measure_pictures.py --each 100
    python scripts/measure_pictures.py --weights weights.h5 --each 20

The digits are MNIST validation images, on which the shipped network was not trained, and synthetic pen strokes. The
pictures without a digit come from generators that were not used in training (scripts/pictures/holdout_negatives.py).
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


def digit_pictures(kind: str, count: int, seed: int = SEED) -> Iterator[tuple[np.ndarray, int]]:
    """Yield pictures of a kind with their labels."""
    images, labels = load_part("mnist", "train")
    _, rows = split(labels, TrainConfig())
    for number in range(count):
        rng = np.random.default_rng([seed, list(KINDS).index(kind), number])
        glyph, label = digit(rng, images[rows], labels[rows])
        yield KINDS[kind](rng, glyph), label


def negative_pictures(kind: str, count: int, seed: int = SEED) -> Iterator[np.ndarray]:
    """Yield pictures of a kind without a digit."""
    for number in range(count):
        yield HOLDOUT_NEGATIVES[kind](np.random.default_rng([seed, list(HOLDOUT_NEGATIVES).index(kind), number]))


def main() -> None:
    """Print a line for each kind of picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", help="weights file; the shipped network by default")
    parser.add_argument("--each", type=int, default=50, help="number of pictures of each kind")
    options = parser.parse_args()
    recognizer = Recognizer(options.weights)
    print(f"{'with a digit':20}{'correct':>9}{'unsure':>9}{'wrong and sure':>17}")
    all_results = []
    for kind in KINDS:
        found = [(recognizer.recognize(picture)[1], label) for picture, label in digit_pictures(kind, options.each)]
        results = [(r.digit == label, r.unsure, r.digit != label and not r.unsure) for r, label in found]
        all_results += results
        print(_line(kind, results), flush=True)
    print(_line("all", all_results))
    print(f"\n{'without a digit':20}{'sure':>9}")
    sure = []
    for kind in HOLDOUT_NEGATIVES:
        found = [(not recognizer.recognize(picture)[1].unsure,) for picture in negative_pictures(kind, options.each)]
        sure += found
        print(_line(kind, found), flush=True)
    print(_line("all", sure))


def _line(name: str, results: list[tuple[bool, ...]]) -> str:
    widths = (9, 9, 17)
    shares = zip(np.mean(results, axis=0), widths, strict=False)
    return f"{name.replace('_', ' '):20}" + "".join(f"{share:{width}.1%}" for share, width in shares)


if __name__ == "__main__":
    main()
