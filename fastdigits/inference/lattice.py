"""Judge texts by the single digits that the pieces of a line look like.

A network that reads lines sees them whole, one for single digits sees them sharply. Their agreement is better than
either of them, as in the graph transformer of LeCun et al. (1998), Gradient-based learning applied to document
recognition, section VI.
"""

import numpy as np

from fastdigits.imaging.pieces import Pieces
from fastdigits.inference.sequences import DIGITS

DISTRUST = 0.1  # added to the probability of each digit, for a piece that is badly cut
POWER, TOLERANCE = 1.5, 0.1  # of `Lattice.support`
# log-probabilities
SIGN = -0.5  # of a separator or sign, whose pieces the network for digits does not know
MISSING = -2.0  # of a digit without a piece of its own, where two digits are not cut apart
SURPLUS = -3.0  # of the ink between two neighboring cuts that belongs to no symbol


class Lattice:
    """What the pieces of a line look like.

    Parameters
    ----------
    pieces : Pieces
    probabilities : float (n, 10)
        Of the digits, for each piece.
    """

    def __init__(self, pieces: Pieces, probabilities: np.ndarray):
        self.pieces = pieces
        self._log_p = np.log((probabilities + DISTRUST) / (1 + DISTRUST))

    def support(self, text: str) -> float:
        """Return the factor (TOLERANCE - a)^-POWER of the probability of a text, where a is its `agreement`.

        A text that agrees with all pieces is worth much more than one that does not. How badly the others agree
        matters little, because pieces that agree with no text are badly cut.
        """
        return float((TOLERANCE - self.agreement(text)) ** -POWER)

    def agreement(self, text: str) -> float:
        """Return how well a text agrees with the pieces, as a log-probability: at most 0.

        It is the maximum, over the ways to cut the line into one piece for each symbol, of the sum of
        log((p(digit | piece) + DISTRUST) / (1 + DISTRUST)) for the digits and SIGN for the others. A symbol without a
        piece and ink without a symbol are possible, too.
        """
        pieces = self.pieces
        best = np.full(max(pieces.cuts, 1), -np.inf)  # by the last cut so far
        best[0] = 0
        best = _with_surplus(best)
        for symbol in text:
            is_digit = symbol in DIGITS
            longer = best + (MISSING if is_digit else SIGN)
            added = self._log_p[:, int(symbol)] if is_digit else SIGN
            np.maximum.at(longer, pieces.last, best[pieces.first] + added)
            best = _with_surplus(longer)
        return float(best[-1])


def _with_surplus(best: np.ndarray) -> np.ndarray:
    """Return the best log-probability for each cut if ink before it may belong to no symbol."""
    steps = SURPLUS * np.arange(len(best))
    return np.maximum.accumulate(best - steps) + steps
