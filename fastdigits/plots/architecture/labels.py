"""What is written to stages, and how wide it is."""

from typing import Any

from fastdigits.inspection.stages import Skip, Stage
from fastdigits.plots import style
from fastdigits.plots.text import text_width, with_times_signs

LINE = 1.35 * style.SMALL  # the height of a line of text


def label_of(stage: Stage) -> list[str]:
    """The shape, the layers and the parameters of a stage, line by line."""
    shape = " x ".join(f"{size:,}" for size in stage.shape)
    return [with_times_signs(shape), *map(with_times_signs, stage.lines), *_parameters(stage.parameters)]


def skip_label(skip: Skip | Any) -> list[str]:
    """What a way around a block goes through, if anything, line by line."""
    return [with_times_signs(" ".join(skip.lines)), " ".join(_parameters(skip.parameters))] if skip.lines else []


def label_width(lines: list[str]) -> float:
    """How wide they are, with the first in bold."""
    return max(text_width(line, weight="normal" if number else "bold") for number, line in enumerate(lines))


def _parameters(count: int) -> list[str]:
    return [f"{count:,}", "parameter" + "s" * (count != 1)] if count else []
