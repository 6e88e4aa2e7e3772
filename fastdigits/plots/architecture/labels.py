"""Text of the labels of stages and skip connections, line by line."""

from fastdigits.inspection.stages import Skip, Stage
from fastdigits.plots import style
from fastdigits.plots.text import text_width, with_times_signs

LINE = 1.35 * style.SMALL  # points from one line of text to the next


def label_of(stage: Stage) -> list[str]:
    """Return the shape, the layers and the number of parameters of a stage."""
    shape = " x ".join(f"{size:,}" for size in stage.shape)
    return [with_times_signs(shape), *map(with_times_signs, stage.lines), *_parameters(stage.parameters)]


def skip_label(skip: Skip) -> list[str]:
    """Return the projection of a skip connection and its number of parameters; nothing without a projection."""
    return [with_times_signs(" ".join(skip.lines)), " ".join(_parameters(skip.parameters))] if skip.lines else []


def label_width(lines: list[str]) -> float:
    """Return the width in points of lines of which the first one is bold."""
    return max(text_width(line, weight="normal" if number else "bold") for number, line in enumerate(lines))


def _parameters(count: int) -> list[str]:
    return [f"{count:,}", "parameter" + "s" * (count != 1)] if count else []
