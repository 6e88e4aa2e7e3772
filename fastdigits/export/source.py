"""Parts of the source code that the exports to Python frameworks have in common."""

import json
import re
from collections.abc import Iterable

from fastdigits import __version__
from fastdigits.data.preprocessing import Preparation
from fastdigits.export.metadata import calibration_note
from fastdigits.nn.class_names import are_numbers
from fastdigits.storage.weights import SavedNetwork

INDENT = 4 * " "
MAX_NAME, MAX_LISTED = 40, 11  # characters of the name of a network; classes to list one by one


def name_of(saved: SavedNetwork) -> str:
    """Return the name of the network in characters that are safe in a docstring and in a file name."""
    return re.sub(r"[^\w.+-]+", "-", saved.model, flags=re.ASCII)[:MAX_NAME] or "network"


def title(saved: SavedNetwork, framework: str) -> str:
    """Return the first line of the docstring of a module."""
    return f"The network {name_of(saved)} in {framework}, exported by fastdigits {__version__}."


def constants(saved: SavedNetwork) -> list[str]:
    """Return the lines that define the names of the classes and the normalization."""
    names = saved.class_names
    listed = f"({', '.join(map(quoted, names))}{',' if len(names) < 2 else ''})"
    if len(names) > MAX_LISTED and are_numbers(names):
        listed = f"tuple(map(str, range({len(names)})))"
    calibration = calibration_note(saved)
    return [
        f"CLASSES = {listed}",
        f"MEAN, STD = {saved.normalisation.mean!r}, {saved.normalisation.std!r}  # of the pixels, from 0 to 1",
        *([f"# {calibration}"] if calibration else []),
    ]


def block(lines: Iterable[str], level: int) -> str:
    """Join lines, each indented by `level` steps."""
    return "\n".join(level * INDENT + line for line in lines)


def pair(rows: int, columns: int) -> str:
    """Return two sizes as one argument: a single number if they are equal."""
    return str(rows) if rows == columns else f"({rows}, {columns})"


def quoted(text: str) -> str:
    """Return a text as a literal of Python and JavaScript in double quotes."""
    return json.dumps(text)


def preparation_lines(preparation: Preparation, clip: str, where: str, round_: str, pad: str) -> list[str]:
    """Return the lines that prepare pixels `x` from 0 to 1, given the spelling of four functions of a framework.

    `clip` limits {x} to 0 and 1, `where` gives 1 where {x} is true and else 0, `round_` rounds {x} to integers, and
    `pad` adds {pad} zeros on each side.
    """
    lines, one = [], preparation
    if one.invert:
        lines.append("x = 1 - x  # dark ink on a light background")
    if one.pad:
        lines.append(f"x = {pad.format(pad=one.pad)}")
    if one.contrast != 1 or one.gamma != 1:
        power = f" ** {one.gamma!r}" if one.gamma != 1 else ""
        lines.append(f"x = {clip.format(x=f'(x - 0.5) * {one.contrast!r} + 0.5')}{power}")
        if one.binarize is None:
            lines.append(f"x = {round_.format(x='255 * x')} / 255")
    if one.binarize is not None:
        lines.append(f"x = {where.format(x=f'x > {one.binarize!r}')}")
    return lines
