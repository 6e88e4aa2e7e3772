"""Bars, small curves and times as text."""

from collections.abc import Sequence

STEPS, PLAIN_STEPS = "▁▂▃▄▅▆▇█", "_.-=+*#%"
BAR, PLAIN_BAR = "━─", "=-"


def bar(share: float, width: int, plain: bool = False) -> tuple[str, str]:
    """The parts of a bar that are done and to do, together so many characters."""
    done, (full, empty) = min(int(share * width), width), tuple(PLAIN_BAR if plain else BAR)
    return full * done, empty * (width - done)


def sparkline(values: Sequence[float | None], plain: bool = False) -> str:
    """One character for each value, the higher the larger it is among them; a space where there is none."""
    steps, known = PLAIN_STEPS if plain else STEPS, [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    scale = (len(steps) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if value is None else steps[round((value - low) * scale)] for value in values)


def duration(seconds: float) -> str:
    """Minutes and seconds such as 2:05, with hours where there are any."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def packed(parts: Sequence[str], width: int, gap: str = "   ") -> str:
    """Parts side by side on as few lines as they need; later lines begin below the second part where that fits."""
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
