"""Measure how many whole numbers are read: in pictures of a folder, and in lines of MNIST's test digits.

    python scripts/measure_numbers.py
    python scripts/measure_numbers.py --weights numbers.h5 --pictures amounts/ --lines 1000

The folder has a file labels.csv with the columns "file" and "digits". Separators and signs are ignored. Half of the
lines are written with digits that touch.
"""

import argparse
import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import perf_counter

import numpy as np

from fastdigits.data import load_part
from fastdigits.errors import UserError
from fastdigits.imaging import read_picture
from fastdigits.inference.numbers import NumberReader

SEED = 5
MIN_DIGITS, MAX_DIGITS = 2, 6
MAX_GAP = 8  # pixels between digits that do not touch
MARGIN = 4  # pixels around a line
INK = 100  # 0 .. 255; of the pixels of strokes
PAPER = 255


def labelled_pictures(folder: Path) -> Iterator[tuple[np.ndarray, str]]:
    """Yield the pictures of a folder with their digits."""
    with open(folder / "labels.csv", newline="") as file:
        for row in csv.DictReader(file):
            yield read_picture(folder / row["file"]), row["digits"]


def mnist_lines(count: int) -> Iterator[tuple[np.ndarray, str]]:
    """Yield pictures uint8 (36, W) of lines of test digits, dark on white, with their digits; the same every time."""
    images, labels = load_part("mnist", "test")
    for number in range(count):
        rng = np.random.default_rng([SEED, number])
        rows = rng.integers(len(images), size=rng.integers(MIN_DIGITS, MAX_DIGITS, endpoint=True))
        touching = number % 2 == 0
        gaps = np.zeros(len(rows), int) if touching else rng.integers(1, MAX_GAP, len(rows), endpoint=True)
        yield line(images[rows], gaps), "".join(str(labels[row]) for row in rows)


def line(images: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Place images uint8 (N, 28, 28) next to each other, with a gap in columns before each; 0 makes strokes touch."""
    H = images.shape[1]
    width = sum(image.shape[1] for image in images) + int(gaps.sum())
    ink, end = np.zeros((H, width), np.uint8), 0
    for image, gap in zip(images, gaps, strict=True):
        columns = np.flatnonzero((image > INK).any(0))
        digit = image[:, columns[0] : columns[-1] + 1]
        start = end + int(gap) if gap or not end else end - _overlap(ink[:, :end], digit)
        area = ink[:, start : start + digit.shape[1]]
        np.maximum(area, digit, out=area)
        end = start + digit.shape[1]
    return PAPER - np.pad(ink[:, :end], MARGIN)


def _overlap(before: np.ndarray, digit: np.ndarray) -> int:
    """Return by how many columns a digit must be moved to the left so that its strokes just touch those before."""
    left, right = (before > INK), (digit > INK)
    shared = left.any(1) & right.any(1)
    gaps = left[:, ::-1].argmax(1) + right.argmax(1)
    return min(int(gaps[shared].min()) if shared.any() else 0, digit.shape[1] // 2, before.shape[1] - 1)


def measure(reader: NumberReader, pictures: Iterable[tuple[np.ndarray, str]]) -> str:
    """Return the columns of a table: lines, right, sure, wrong among the sure, and lines per minute."""
    right, sure, seconds = [], [], 0.0
    for picture, digits in pictures:
        start = perf_counter()
        numbers = reader.read(picture)
        seconds += perf_counter() - start
        found = "".join(str(digit.digit) for number in numbers for digit in number.digits)
        right.append(found == digits)
        sure.append(bool(numbers) and not any(number.unsure for number in numbers))
    if not right:
        raise UserError("There is no picture to measure; name some in labels.csv.")
    wrong = np.array(sure) & ~np.array(right)
    wrong_share = wrong.sum() / max(1, np.sum(sure))
    speed = 60 * len(right) / seconds
    return f"{len(right):,} | {np.mean(right):.1%} | {np.mean(sure):.1%} | {wrong_share:.1%} | {speed:,.0f}"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", help="weights file; the shipped network by default")
    parser.add_argument("--pictures", type=Path, help="folder of pictures with labels.csv")
    parser.add_argument("--lines", type=int, default=1000, help="number of lines of MNIST's test digits")
    options = parser.parse_args()
    reader = NumberReader(options.weights)
    measure(reader, mnist_lines(1))  # compiles
    print("| pictures | number | right | sure | wrong among the sure | lines/min |")
    print("|---|---|---|---|---|---|")
    if options.pictures:
        print(f"| {options.pictures.name} | {measure(reader, labelled_pictures(options.pictures))} |", flush=True)
    if options.lines:
        print(f"| lines of MNIST | {measure(reader, mnist_lines(options.lines))} |", flush=True)


if __name__ == "__main__":
    main()
