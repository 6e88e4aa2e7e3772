"""Read lines of digits, separators and signs with a trained network, and mark readings that are unsure."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np

from fastdigits import ops as devices
from fastdigits.data.lines import WIDTH_STEP, LineBatches, Lines, by_width, padded_width
from fastdigits.errors import NotFiniteError, UserError
from fastdigits.files import StrPath
from fastdigits.imaging.line_format import LINE_HEIGHT, MIN_WIDTH, ink_strength, line_width, scale_line, views
from fastdigits.imaging.pieces import pieces
from fastdigits.inference.lattice import Lattice
from fastdigits.inference.pool import Copies
from fastdigits.inference.recognizer import Recognizer
from fastdigits.inference.sequences import (
    DIGITS,
    Reading,
    Restriction,
    align,
    beam_search,
    required_steps,
)
from fastdigits.nn.calibration import Calibration
from fastdigits.nn.sequence_network import SequenceNetwork
from fastdigits.ops.runtime.rehearsal import Rehearsal, planned
from fastdigits.storage import weights as files

SHIPPED = "models/numbers.h5"
BATCH_SIZE = 32
CLEAR = 0.98  # confidence of a text that needs no second opinion
Found = Sequence[Sequence[Reading]]  # the most probable texts in each view of a line, the most probable first


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
        The calibrated probability that the text has the right value, among the texts that were found; see `choose`.
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
    second : Recognizer, optional
        Gives a second opinion on single digits of lines that are not clear.

    Raises
    ------
    UserError
        If the weights file is damaged, or its network does not read lines of LINE_HEIGHT pixels.
    """

    def __init__(
        self,
        weights: StrPath,
        device: str = "auto",
        threads: int | None = None,
        second: Recognizer | None = None,
    ):
        saved = files.read(weights)
        if saved.network.get("input_shape", ())[:2] != [1, LINE_HEIGHT] or "symbols" not in saved.network:
            raise UserError(f"{weights}: its network does not read lines of {LINE_HEIGHT} pixels; give another file.")
        self.calibrated, self.calibration = saved.calibration is not None, saved.calibration or Calibration()
        self.model, self.normalisation = saved.model, saved.normalisation
        device = devices.choose_device()[0] if device == "auto" else device
        self.ops = devices.load(device, threads, saved.config["exact"])
        self.network = SequenceNetwork.from_config(saved.network)
        self.network.build(self.ops, 1, training=False)
        self.network.set_weights(saved.weights)
        self._copies, self._second = Copies(), second

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
        inks = [ink_strength(picture) for picture in pictures]
        found = self.search([scale_line(ink) for ink in inks], restriction)
        return [self._reading(*one, ink) for one, ink in zip(found, inks, strict=True)]

    def search(
        self, images: Sequence[np.ndarray], restriction: Restriction | None = None
    ) -> list[tuple[np.ndarray, Found]]:
        """Return the log-probabilities of each image in line format, and the texts found in each of its `views`.

        Texts that need more time steps than the image has are left out.

        Parameters
        ----------
        images : sequence of uint8 (LINE_HEIGHT, W)
            See `to_line_format`.
        restriction : Restriction, optional
            Which texts may be found.

        Raises
        ------
        NotFiniteError
            If a score is NaN or infinite.
        """
        of_line = [views(image) for image in images]
        log_p = iter(self.log_probabilities([view for line in of_line for view in line]))
        results: list[tuple[np.ndarray, Found]] = []
        for line in of_line:
            of_views = list(islice(log_p, len(line)))
            T, found = len(of_views[0]), [beam_search(one, self.network.symbols, restriction) for one in of_views]
            fitting = [[reading for reading in view if required_steps(reading.text) <= T] for view in found]
            results.append((of_views[0], fitting))
        return results

    def lattice(self, strength: np.ndarray) -> Lattice:
        """Return what the second network sees in the pieces of a line, given the strength of its ink (H, W)."""
        assert self._second is not None
        cut = pieces(strength)
        return Lattice(cut, self._second.digit_probabilities(cut.images))

    def log_probabilities(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the log-probabilities float32 (T, K) of the symbols at the time steps of each image in line format.

        Parameters
        ----------
        images : sequence of uint8 (LINE_HEIGHT, W)
            See `to_line_format`.

        Raises
        ------
        NotFiniteError
            If a score is NaN or infinite.
        """
        log_p = [np.empty((0, 0), np.float32)] * len(images)
        with planned(lambda rehearsal: self.deferred(rehearsal).log_probabilities(images)):
            for width, rows in by_width(images).items():
                for row, one in zip(rows, self._of_width([images[row] for row in rows], width), strict=True):
                    log_p[row] = one
        return log_p

    def deferred(self, rehearsal: Rehearsal) -> "LineReader":
        """Return a reader with the same networks whose operations do not run; see `Rehearsal.defer`."""
        reader = copy(self)
        reader.ops, reader._copies = rehearsal.defer(self.ops, self.network.has_custom_layers), Copies()
        reader._second = self._second and self._second.deferred(rehearsal)
        return reader

    def _of_width(self, images: list[np.ndarray], width: int) -> np.ndarray:
        """Return the log-probabilities, float32 (N, T, K), of images that are padded to a width."""
        batch_size = BATCH_SIZE if len(images) > self.ops.lanes else self.ops.lanes
        make = partial(self.network.at_width, width, batch_size, ops=self.ops)
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

    def _reading(self, log_p: np.ndarray, found: Found, strength: np.ndarray) -> LineReading:
        """Return the reading of a line, given what `search` found and the strength of its ink (H, W)."""
        if not any(found):
            return LineReading("", 0.0, True)
        lattice = partial(self.lattice, strength) if self._second else None
        text, confidence = choose(found, self.calibration.temperature, lattice)
        width = line_width(strength)
        padded, T = padded_width(max(width, MIN_WIDTH)), len(log_p)
        columns = WIDTH_STEP / (self.network.steps_of(padded + WIDTH_STEP) - T)  # between two steps
        edge = (padded - T * columns) / 2  # columns that the first step does not see as its middle
        symbols = []
        for symbol, first, last in align(log_p, text, self.network.symbols):
            best = float(np.exp(log_p[first : last + 1, self.network.symbols.index(symbol)].max()))
            start, end = (min((edge + at * columns) / width, 1.0) for at in (first, last + 1))
            symbols.append(Symbol(symbol, best, start, end))
        unsure = not text or confidence < self.calibration.unsure_below
        return LineReading(text, confidence, unsure, tuple(symbols))


def choose(found: Found, temperature: float, lattice: Callable[[], Lattice] | None = None) -> tuple[str, float]:
    """Return the text of the most probable value, and how probable it is.

    The probability of a text is the mean of its share in what was found in each view. If no value is clear, each
    probability is multiplied by the support of the text by the lattice, and all are divided by their sum.

    Texts have the same value if they differ only in the kind of a separator or in strokes after the last digit, as
    "1.250", "1,250" and "1.250.-" do; the text is the most probable one of them.

    Parameters
    ----------
    found : Found
        With at least one text in one of the views.
    temperature : float
        A probability p counts as p^(1 / temperature).
    lattice : function, optional
        Returns what the pieces of the line look like.
    """
    texts = _shares(found, temperature)
    text, confidence = _most_probable(texts)
    if lattice is None or confidence >= CLEAR:
        return text, confidence
    second = lattice()
    weighed = {text: share * second.support(text) for text, share in texts.items()}
    total = sum(weighed.values())
    return _most_probable({text: weight / total for text, weight in weighed.items()})


def _shares(found: Found, temperature: float) -> dict[str, float]:
    """Return the mean share of each text in what was found in each view."""
    texts: dict[str, float] = {}
    for view in filter(None, found):
        scores = np.array([reading.log_probability for reading in view]) / temperature
        powers = np.exp(scores - scores.max())
        for reading, share in zip(view, powers / powers.sum(), strict=True):
            texts[reading.text] = texts.get(reading.text, 0.0) + float(share) / len(found)
    return texts


def _most_probable(texts: dict[str, float]) -> tuple[str, float]:
    """Return the most probable text of the most probable value, and the probability of the value."""
    values: dict[str, float] = {}
    for text, share in texts.items():
        values[value_of(text)] = values.get(value_of(text), 0.0) + share
    best = max(values, key=lambda value: values[value])
    return max((text for text in texts if value_of(text) == best), key=lambda text: texts[text]), min(values[best], 1.0)


def value_of(text: str) -> str:
    """Return what is the same for all texts of the same value; see `choose`."""
    return text.replace(",", ".").rstrip(".-")
