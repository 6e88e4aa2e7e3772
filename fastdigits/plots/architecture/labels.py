"""What is written to stages, and how wide it is."""

from functools import cache

from fastdigits.nn.stages import Skip, Stage
from fastdigits.plots import style

LINE = 1.35 * style.SMALL  # the height of a line of text


def label_of(stage: Stage) -> list[str]:
    """The shape, the layers and the parameters of a stage, line by line."""
    shape = " x ".join(f"{size:,}" for size in stage.shape)
    return [times(shape), *map(times, stage.lines), *_parameters(stage.parameters)]


def skip_label(skip: Skip) -> list[str]:
    """What a way around a block goes through, if anything, line by line."""
    return [times(" ".join(skip.lines)), " ".join(_parameters(skip.parameters))] if skip.lines else []


@cache
def width_of(text: str, size: float = style.SMALL, weight: str = "bold") -> float:
    """How many points wide a text is."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(family=style.LOOK["font.family"], weight=weight)
    return TextPath((0, 0), text, size, prop=font).get_extents().width


def times(text: str) -> str:
    """Sizes as they are printed."""
    return text.replace(" x ", " \N{MULTIPLICATION SIGN} ")


def _parameters(count: int) -> list[str]:
    return [f"{count:,}", "parameter" + "s" * (count != 1)] if count else []
