"""Measure and format text in figures."""

from functools import cache
from typing import Any

from fastdigits.plots import style


@cache
def text_width(text: str, size: float = style.SMALL, weight: str = "normal") -> float:
    """Return the width of a line of text in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    font = FontProperties(family=style.RC_PARAMS["font.family"], weight=weight)
    return TextPath((0, 0), text, size, prop=font).get_extents().width


def with_times_signs(text: str) -> str:
    """Replace the x of sizes such as "3 x 3" by multiplication signs."""
    return text.replace(" x ", " \N{MULTIPLICATION SIGN} ")


def setting_text(value: Any) -> str:
    """Format the value of a setting of a training; None is that of a default which depends on other settings."""
    if value is None:
        return "default"
    if value == "":
        return "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "x".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
