"""What `fastdigits describe --schedule` shows: the learning rate, step by step."""

from typing import TYPE_CHECKING, Any

from fastdigits.config.schedules import lr_factor
from fastdigits.config.training import OPTIMIZERS, TrainConfig

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPOCH_STEPS = 100
WORST_RANK = (0.0, -1.0)  # validation accuracy and minus the loss


def curve(config: TrainConfig) -> dict[str, Any]:
    """The learning rate of every step, with epochs of 100 steps, as plain JSON types.

    `plateau` is shown for the validation that lowers it most: one that never gets better after the first epoch.
    """
    highest = OPTIMIZERS[config.optimizer].lr if config.lr is None else config.lr
    ranks = [WORST_RANK] * config.epochs
    steps = range(config.epochs * EPOCH_STEPS)
    rates = [highest * lr_factor(config, step, EPOCH_STEPS, ranks[: step // EPOCH_STEPS]) for step in steps]
    return {"schedule": config.schedule, "epochs": config.epochs, "epoch_steps": EPOCH_STEPS, "rates": rates}


def as_text(curve: dict[str, Any]) -> str:
    """The rates at the beginning, at every tenth of the way, and at the end."""
    rates, steps = curve["rates"], curve["epoch_steps"]
    at = sorted({*(number * len(rates) // 10 for number in range(10)), len(rates) - 1})
    lines = [title(curve), "  epochs   learning rate", *(f"{step / steps:8.2f}   {rates[step]:.6g}" for step in at)]
    return "\n".join(lines)


def title(curve: dict[str, Any]) -> str:
    """One line for figure and text."""
    never = ", if validation never gets better" if curve["schedule"] == "plateau" else ""
    return f"schedule {curve['schedule']} over {curve['epochs']} epochs{never}"


def figure(curve: dict[str, Any]) -> "Figure":
    """The curve drawn."""
    from fastdigits.plots.schedule import draw

    return draw(curve["rates"], curve["epoch_steps"], title(curve))
