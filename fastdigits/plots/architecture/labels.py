"""What is written to stages, and how wide it is."""

from typing import Any

from fastdigits.inspection.stages import Skip, Stage
from fastdigits.plots import style
from fastdigits.plots.text import times, width_of

LINE = 1.35 * style.SMALL  # the height of a line of text


def label_of(stage: Stage) -> list[str]:
    """The shape, the layers and the parameters of a stage, line by line."""
    shape = " x ".join(f"{size:,}" for size in stage.shape)
    return [times(shape), *map(times, stage.lines), *_parameters(stage.parameters)]


def skip_label(skip: Skip | Any) -> list[str]:
    """What a way around a block goes through, if anything, line by line."""
    return [times(" ".join(skip.lines)), " ".join(_parameters(skip.parameters))] if skip.lines else []


def label_width(lines: list[str]) -> float:
    """How wide they are, with the first in bold."""
    return max(width_of(line, weight="normal" if number else "bold") for number, line in enumerate(lines))


def _parameters(count: int) -> list[str]:
    return [f"{count:,}", "parameter" + "s" * (count != 1)] if count else []
