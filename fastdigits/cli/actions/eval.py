"""What `fastdigits eval` draws: the confusion of digits, the worst mistakes, and examples of both kinds."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from fastdigits.cli.options import figure_files
from fastdigits.cli.options.common import together

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from fastdigits.inference.ensemble import EnsembleEvaluation

WORST, EXAMPLES = 24, 8  # mistakes, and images of each kind


def picture_options() -> Callable:
    """The files that can be drawn."""
    files = {
        "confusion": "Draw which digits are read as which, with counts and rates.",
        "mistakes": f"Draw the worst {WORST} mistakes.",
        "examples": "Draw images read right and misread with all probabilities.",
    }
    return together(
        *(
            click.option(f"--{name}", type=figure_files.PictureFile(), metavar="FILE.png", help=files[name])
            for name in files
        )
    )


def check_files(files: dict[str, str | None]) -> None:
    """UsageError or UserError, before any work is done, if they cannot all be written."""
    figure_files.check_files({f"--{name}": path for name, path in files.items()})


def write(
    files: dict[str, str | None], verdict: "EnsembleEvaluation", images: "np.ndarray", labels: "np.ndarray", title: str
) -> None:
    """Draw what was asked for; `title` says what has been read by what."""
    for name, path in files.items():
        if path:
            figure_files.write(path, DRAW[name](verdict, images, labels, title))


def draw_confusion(verdict: "EnsembleEvaluation", images: "np.ndarray", labels: "np.ndarray", title: str) -> "Figure":
    """The confusion matrix."""
    from fastdigits.plots import confusion

    result = verdict.combined
    return confusion.draw(result.confusion, f"{title}: {result.correct:,} of {result.images:,} images right")


def draw_mistakes(verdict: "EnsembleEvaluation", images: "np.ndarray", labels: "np.ndarray", title: str) -> "Figure":
    """The mistakes whose true digit was thought least probable."""
    from fastdigits.inference.evaluate import worst_mistakes
    from fastdigits.plots import mistakes

    count = verdict.combined.images - verdict.combined.correct
    rows = worst_mistakes(verdict.probabilities, labels, WORST)
    which = f"the worst {len(rows)} of {count:,} mistakes" if count > len(rows) else f"{count or 'no'} mistakes"
    return mistakes.draw(images, labels, verdict.probabilities, rows, f"{title}: {which}")


def draw_examples(verdict: "EnsembleEvaluation", images: "np.ndarray", labels: "np.ndarray", title: str) -> "Figure":
    """Images that were read right and images that were not."""
    from fastdigits.inference.evaluate import correct_and_wrong
    from fastdigits.plots import examples

    groups = correct_and_wrong(verdict.probabilities, labels, EXAMPLES)
    return examples.draw(images, labels, verdict.probabilities, groups, title)


DRAW = {"confusion": draw_confusion, "mistakes": draw_mistakes, "examples": draw_examples}
