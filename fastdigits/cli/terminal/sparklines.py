"""Bars, sparklines and durations as text."""

from collections.abc import Sequence

LEVELS, ASCII_LEVELS = "▁▂▃▄▅▆▇█", "_.-=+*#%"
BAR, ASCII_BAR = "━─", "=-"


def bar(fraction: float, width: int, ascii_only: bool = False) -> tuple[str, str]:
    """Return the finished and the remaining part of a bar of `width` characters."""
    done, (full, empty) = min(int(fraction * width), width), tuple(ASCII_BAR if ascii_only else BAR)
    return full * done, empty * (width - done)


def sparkline(values: Sequence[float | None], ascii_only: bool = False) -> str:
    """Return one character per value, scaled between the lowest and the highest value; a space for None."""
    levels, known = ASCII_LEVELS if ascii_only else LEVELS, [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    scale = (len(levels) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if value is None else levels[round((value - low) * scale)] for value in values)


def duration(seconds: float) -> str:
    """Format a duration as 2:05, or as 1:02:05 from one hour on."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def wrap(parts: Sequence[str], width: int, gap: str = "   ") -> str:
    """Join parts into as few lines as possible; align later lines with the second part if they fit."""
    indent = " " * len(parts[0] + gap)
    if any(len(indent + part) > width for part in parts[1:]):
        indent = " "
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1] + gap + part) <= width:
            lines[-1] += gap + part
        else:
            lines.append(indent + part)
    return "\n".join(lines)
