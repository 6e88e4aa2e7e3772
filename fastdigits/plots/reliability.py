"""Plot how often predictions of each confidence are right."""

from typing import TYPE_CHECKING

from fastdigits.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fastdigits.inference.reliability import Reliability

MAX_AREA = 300  # area of the marker of the fullest bin, in points squared
MIN_SHARE = 0.02  # emptier bins, relative to the fullest one, get the marker of this size


@style.figure_style()
def draw(found: "Reliability", title: str) -> "Figure":
    """Draw accuracy against confidence, with a marker for each bin whose area grows with the number of its images.

    Parameters
    ----------
    found : Reliability
    title : str
    """
    figure = style.new_figure(6.5, 6.5)
    axes = figure.subplots()
    filled = found.counts > 0
    areas = MAX_AREA * (found.counts[filled] / found.counts.max()).clip(MIN_SHARE)
    axes.plot([0, 100], [0, 100], color=style.GRAY, linestyle="--", label="calibrated")
    points = 100 * found.confidence[filled], 100 * found.accuracy[filled]
    axes.plot(*points, color=style.BLUE)
    axes.scatter(*points, s=areas, color=style.BLUE, label="images of similar confidence", clip_on=False, zorder=3)
    style.label_axes(axes, "confidence (%)", "accuracy (%)")
    figure.suptitle(style.literal(title), fontsize=style.TEXT)
    axes.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
    axes.text(
        *(0.97, 0.05, f"expected calibration error {found.expected_error:.2%}"),
        transform=axes.transAxes,
        ha="right",
    )
    axes.legend(loc="upper left")
    return figure
