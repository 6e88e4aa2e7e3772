"""Read lines of digits, separators and signs with a trained network, and mark readings that are unsure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from fastdigits import ops as devices
from fastdigits.data.lines import WIDTH_STEP, LineBatches, Lines, by_width
from fastdigits.errors import NotFiniteError, UserError
from fastdigits.files import StrPath
from fastdigits.imaging.line_format import LINE_HEIGHT, to_line_format
from fastdigits.inference.pool import Copies
from fastdigits.inference.sequences import DIGITS, Reading, Restriction, align, beam_search
from fastdigits.nn.calibration import Calibration
from fastdigits.nn.sequence_network import SequenceNetwork
from fastdigits.storage import weights as files

BATCH_SIZE = 32


@dataclass(frozen=True)
class Symbol:
    """A symbol of a line.

    Attributes
    ----------
    symbol : str
    confidence : float
        The highest probability of the symbol at one of its time steps.
    start, end : float
        Where it lies, as fractions of the width of the line.
    """

    symbol: str
    confidence: float
    start: float
    end: float


@dataclass(frozen=True)
class LineReading:
    """What a network reads in one line.

    Attributes
    ----------
    text : str
        Digits, separators and signs; "" if there is none, or none that the restriction allows.
    confidence : float
        The probability of the text, calibrated, relative to those of the other texts that were found.
    unsure : bool
        Whether the confidence is too low to rely on the text.
    symbols : tuple of Symbol
    """

    text: str
    confidence: float
    unsure: bool
    symbols: tuple[Symbol, ...] = ()

    @property
    def digits(self) -> str:
        """The digits of the text."""
        return "".join(symbol for symbol in self.text if symbol in DIGITS)


class LineReader:
    """Reader of lines that uses the network of a weights file.

    Any number of threads may use a reader at the same time.

    Parameters
    ----------
    weights : path
    device : str
        "auto", "cpu", "cuda" or "reference".
    threads : int, optional
        Number of CPU threads; defaults to all cores.

    Raises
    ------
    UserError
        If the weights file is damaged, or its network does not read lines of LINE_HEIGHT pixels.
    """

    def __init__(self, weights: StrPath, device: str = "auto", threads: int | None = None):
        saved = files.read(weights)
        if saved.network.get("input_shape", ())[:2] != [1, LINE_HEIGHT] or "symbols" not in saved.network:
            raise UserError(f"{weights}: its network does not read lines of {LINE_HEIGHT} pixels; give another file.")
        self.normalisation, self.calibration = saved.normalisation, saved.calibration or Calibration()
        device = devices.choose_device()[0] if device == "auto" else device
        self.ops = devices.load(device, threads, saved.config["exact"])
        self.network = SequenceNetwork.from_config(saved.network)
        self.network.build(self.ops, 1, training=False)
        self.network.set_weights(saved.weights)
        self._copies = Copies()

    def read(self, pictures: Sequence[np.ndarray], restriction: Restriction | None = None) -> list[LineReading]:
        """Read the line in each picture uint8 (H, W, 3) or (H, W), which it fills from top to bottom.

        Parameters
        ----------
        pictures : sequence of arrays
        restriction : Restriction, optional
            Which texts may be found.

        Raises
        ------
        UserError
            If a line is too long.
        NotFiniteError
            If a score is NaN or infinite.
        """
        images = [to_line_format(picture) for picture in pictures]
        readings: list[LineReading] = [LineReading("", 0.0, True)] * len(images)
        for width, rows in by_width(images).items():
            log_p = self._log_probabilities([images[row] for row in rows], width)
            for row, one in zip(rows, log_p, strict=True):
                readings[row] = self._reading(one, width, images[row].shape[1], restriction)
        return readings

    def _log_probabilities(self, images: list[np.ndarray], width: int) -> np.ndarray:
        """Return the log-probabilities, float32 (N, T, K), of images that are padded to a width."""
        batch_size = BATCH_SIZE if len(images) > self.ops.lanes else self.ops.lanes
        make = partial(self.network.at_width, width, batch_size)
        with self._copies.lend((width, batch_size), make) as network:
            T = network.output_shape[2]
            lines = Lines(images, [""] * len(images))
            batches = LineBatches(self.ops, lines, width, T, network.symbols, batch_size, self.normalisation)
            order = self.ops.upload(np.arange(len(images), dtype=np.int32))
            scores = []
            for first in range(0, len(images), batch_size):
                x, _, _, count = batches.batch(order, first, 0, training=False)
                found = self.ops.download(network.forward(x))  # (B, K, T, L)
                scores.append(found.transpose(0, 3, 2, 1).reshape(-1, T, network.classes)[:count])
        every = np.concatenate(scores)
        if not np.isfinite(every).all():
            raise NotFiniteError
        shifted = every - every.max(2, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(2, keepdims=True))

    def _reading(self, log_p: np.ndarray, padded: int, width: int, restriction: Restriction | None) -> LineReading:
        """Return the reading of one line, given its width and the one it was padded to."""
        found = beam_search(log_p, self.network.symbols, restriction)
        if not found:
            return LineReading("", 0.0, True)
        text = found[0].text
        confidence = _share(found, self.calibration.temperature)
        T = len(log_p)
        columns = WIDTH_STEP / (self.network.steps_of(padded + WIDTH_STEP) - T)  # between two steps
        edge = (padded - T * columns) / 2  # columns that the first step does not see as its middle
        symbols = []
        for symbol, first, last in align(log_p, text, self.network.symbols):
            best = float(np.exp(log_p[first : last + 1, self.network.symbols.index(symbol)].max()))
            start, end = (min((edge + at * columns) / width, 1.0) for at in (first, last + 1))
            symbols.append(Symbol(symbol, best, start, end))
        unsure = not text or confidence < self.calibration.unsure_below
        return LineReading(text, confidence, unsure, tuple(symbols))


def _share(found: list[Reading], temperature: float) -> float:
    """Return the share of the first of all readings in the sum of their probabilities p^(1 / temperature)."""
    scores = np.array([reading.log_probability for reading in found]) / temperature
    powers = np.exp(scores - scores.max())
    return float(powers[0] / powers.sum())
