"""The learning rate over the epochs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(rates: list[float], epoch_steps: int, title: str) -> "Figure":
    """The curve of the learning rate.

    Parameters
    ----------
    rates : list of float
        The learning rate of every step.
    epoch_steps : int
        Steps of an epoch.
    title : str
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([step / epoch_steps for step in range(len(rates))], rates, color="#0072B2", linewidth=2)
    axes.set_title(title)
    axes.set_xlabel("epochs")
    axes.set_ylabel("learning rate")
    axes.set_ylim(0, 1.05 * max(rates))
    axes.set_xlim(0, len(rates) / epoch_steps)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
