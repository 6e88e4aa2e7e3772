"""Read the numbers in a picture of a page: find its lines, and read each of them."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fastdigits.data.sources import shipped_folder
from fastdigits.files import StrPath
from fastdigits.imaging import Box, Line, find_lines
from fastdigits.imaging.line_format import line_width, to_line_format
from fastdigits.inference.line_reader import SHIPPED, LineReader, LineReading
from fastdigits.inference.recognizer import Recognizer
from fastdigits.inference.sequences import DIGITS, Restriction

LINES_AT_ONCE = 32
INK = 100  # 0 .. 255; of the pixels of strokes in the format of a line
MAX_HALF_WIDTH = 0.8  # of a digit, as a fraction of the height of a line


@dataclass(frozen=True)
class Digit:
    """A digit of a number, the highest probability of it at one of its positions, and where it is in the picture."""

    digit: int
    confidence: float
    box: Box


@dataclass(frozen=True)
class Number:
    """What a line of a picture says.

    Attributes
    ----------
    text : str
        Digits, separators "." and ",", and signs "-".
    confidence : float
        The calibrated probability that all of it is right; see `line_reader.choose`.
    unsure : bool
        Whether the confidence is too low to rely on the text.
    digits : tuple of Digit
    corners : tuple of (x, y)
        The corners of the line in the picture: top left, top right, bottom right and bottom left.
    """

    text: str
    confidence: float
    unsure: bool
    digits: tuple[Digit, ...]
    corners: tuple[tuple[float, float], ...]


class NumberReader:
    """Reader of the numbers in pictures that uses the network of a weights file.

    Any number of threads may use a reader at the same time.

    Parameters
    ----------
    weights : path, optional
        Defaults to the model for numbers that ships with fastdigits.
    device : str
        "auto", "cpu", "cuda" or "reference".
    threads : int, optional
        Number of CPU threads; defaults to all cores.

    Raises
    ------
    UserError
        If the weights file is damaged, or its network does not read lines.
    """

    def __init__(self, weights: StrPath | None = None, device: str = "auto", threads: int | None = None):
        self.weights = weights or shipped_folder() / SHIPPED
        self.line_reader = LineReader(self.weights, device, threads, Recognizer(None, device, threads))
        self.ops, self.calibrated = self.line_reader.ops, self.line_reader.calibrated
        self.model = self.line_reader.model

    def read(
        self,
        picture: np.ndarray,
        restriction: Restriction | None = None,
        on_progress: Callable[[int, int], Any] | None = None,
    ) -> list[Number]:
        """Read the numbers in a picture uint8 (H, W, 3) or (H, W), in reading order; see `imaging.find_lines`.

        Lines without a digit are omitted.

        Parameters
        ----------
        picture : uint8 (H, W, 3) or (H, W)
        restriction : Restriction, optional
            Which texts may be found. A line that can be none of them is omitted.
        on_progress : callable, optional
            Called with the number of lines that are done and the number of all lines.

        Raises
        ------
        UserError
            If the picture shows too many lines.
        NotFiniteError
            If a score of the network is NaN or infinite.
        """
        lines, numbers = find_lines(picture), []
        for first in range(0, len(lines), LINES_AT_ONCE):
            some = lines[first : first + LINES_AT_ONCE]
            readings = self.line_reader.read([line.picture for line in some], restriction)
            numbers += [_number(*pair) for pair in zip(some, readings, strict=True) if pair[1].digits]
            if on_progress:
                on_progress(first + len(some), len(lines))
        return numbers


def _number(line: Line, reading: LineReading) -> Number:
    boxes = _boxes(line, reading)
    digits = tuple(
        Digit(int(symbol.symbol), symbol.confidence, box)
        for symbol, box in zip(reading.symbols, boxes, strict=True)
        if symbol.symbol in DIGITS
    )
    corners = tuple((float(x), float(y)) for x, y in line.corners)
    return Number(reading.text, reading.confidence, reading.unsure, digits, corners)


def _boxes(line: Line, reading: LineReading) -> list[Box]:
    """Return the boxes of the symbols of a line in the whole picture.

    Two neighbors are cut apart at the column with the least ink between their centers.
    """
    ink = to_line_format(line.picture)[:, : line_width(line.picture)]
    columns = np.where(ink > INK, ink, 0).sum(0, dtype=np.int64)
    centers = [(symbol.start + symbol.end) / 2 * ink.shape[1] for symbol in reading.symbols]
    cuts = [_least(columns, *pair) for pair in pairwise(centers)]
    spans = zip(centers, [0, *cuts], [*cuts, len(columns)], strict=True)
    return [_box(line, ink, *span) for span in spans]


def _least(columns: np.ndarray, start: float, end: float) -> int:
    """Return the column with the least ink between two, the middle one of all if there are several."""
    first = min(int(start), len(columns) - 1)  # both may be the end of the line
    between = columns[first : max(int(end), first + 1) + 1]
    least = np.flatnonzero(between == between.min())
    return first + int(least[len(least) // 2])


def _box(line: Line, ink: np.ndarray, center: float, start: int, end: int) -> Box:
    """Return the box in the whole picture of the ink around the center of a symbol, between two columns."""
    H, W = ink.shape
    start, end = max(start, round(center - MAX_HALF_WIDTH * H)), min(end, round(center + MAX_HALF_WIDTH * H))
    strokes = ink[:, start : max(end, start + 1)] > INK
    rows, columns = np.flatnonzero(strokes.any(1)), np.flatnonzero(strokes.any(0))
    if not len(rows):
        return line.box_in_whole(start / W, 0, end / W, 1)
    return line.box_in_whole((start + columns[0]) / W, rows[0] / H, (start + columns[-1] + 1) / W, (rows[-1] + 1) / H)
