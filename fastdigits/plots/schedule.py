"""Plot the learning rate over the epochs."""

from typing import TYPE_CHECKING

from fastdigits.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@style.figure_style()
def draw(rates: list[float], epoch_steps: int, title: str) -> "Figure":
    """Draw the learning rate of every training step.

    Parameters
    ----------
    rates : list of float
        Learning rate of every step.
    epoch_steps : int
        Number of steps of an epoch.
    title : str
    """
    figure = style.new_figure(7, 4)
    axes = figure.subplots()
    axes.plot([step / epoch_steps for step in range(len(rates))], rates, color=style.BLUE)
    style.label_axes(axes, "epochs", "learning rate", title)
    axes.set_ylim(0, 1.05 * max(rates))
    axes.set_xlim(0, len(rates) / epoch_steps)
    return figure
