"""Networks whose number of channels a user chooses."""

from fastdigits.errors import UserError

WIDEST = 8.0


def scaled(channels: int, width: float) -> int:
    """So many channels times the width, at least one; UserError if the width is none."""
    if not 0 < width <= WIDEST:
        raise UserError(f"A width lies above 0 and is {WIDEST:g} at most, not {width:g}.")
    return max(1, round(channels * width))
