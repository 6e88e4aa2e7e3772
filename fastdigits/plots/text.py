"""Texts as pictures need them."""

from functools import cache

from fastdigits.plots import style


@cache
def width_of(text: str, size: float = style.SMALL, weight: str = "normal") -> float:
    """How many points wide a line is."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    font = FontProperties(family=style.LOOK["font.family"], weight=weight)
    return TextPath((0, 0), text, size, prop=font).get_extents().width


def times(text: str) -> str:
    """Sizes as they are printed."""
    return text.replace(" x ", " \N{MULTIPLICATION SIGN} ")
