"""Load the data set of `fastdigits train`, match it to the network, and add images to replay."""

from dataclasses import dataclass, replace
from typing import Any

import click

from fastdigits.cli.actions.common import load_data
from fastdigits.cli.actions.train_plan import Plan
from fastdigits.cli.options.common import is_given, usage_error
from fastdigits.cli.terminal.names import printable
from fastdigits.config.recipes import REPLAY_EMA, REPLAY_LR_DIVISOR, REPLAY_WARMUP
from fastdigits.config.training import OPTIMIZERS, TrainConfig
from fastdigits.data import DigitSet, load_digits
from fastdigits.data.matching import check_trainable, set_for
from fastdigits.errors import UserError
from fastdigits.nn import Network
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.repeats import RunSpec
from fastdigits.training.replay import is_small, rows_with_replay, with_replay
from fastdigits.training.transfer import head_of


@dataclass(frozen=True, eq=False)
class TrainingData:
    """A network and the images that it is trained on.

    Attributes
    ----------
    plan : Plan
        With the name of the data set that is replayed in its configuration.
    digits : DigitSet
        With the images to replay behind the others, and labels that number the classes of the network.
    network : Network
    new_images : int
        Number of training images without those to replay.
    warning : str
        What is wrong with the data set, if it can be trained on all the same; else "".
    """

    plan: Plan
    digits: DigitSet
    network: Network
    new_images: int
    warning: str = ""

    def run_specs(self, folds: int | None, runs: int) -> list[RunSpec]:
        """List the runs to do, one per fold or seed."""
        labels, config = self.digits.train_labels, self.plan.config
        specs = self.plan.run_specs(folds, runs, self.digits)
        if not config.replay:
            return specs
        return [replace(spec, rows=rows_with_replay(labels, spec.config, self.new_images, spec.rows)) for spec in specs]

    def notes(self, file: str) -> list[str]:
        """Say what training starts from, the weights in `file`, what it replays and which layers are frozen."""
        trained, network, config = self.plan.trained, self.network, self.plan.config
        notes = []
        if trained:
            notes.append(f"starts from {trained.model} in {printable(file)}, trained on {trained.dataset}")
            if network.class_names != trained.class_names:
                classes = f"{network.classes} instead of {len(trained.class_names)} classes"
                notes[0] += f", with a new {head_of(network)} for {classes}"
        if config.replay:
            replayed = len(self.digits.train_labels) - self.new_images
            notes.append(f"next to {replayed:,} images of {config.replay}, so that it does not forget them")
        elif trained and is_small(self.digits, trained):
            name, _ = source_of_replay(trained)
            notes.append(f"without images of {name}, which are not at hand or do not match: it may forget them")
        if network.frozen_count:
            frozen, parameters = network.frozen_count, network.parameter_count
            notes.append(f"frozen: {config.freeze} ({frozen:,} of {parameters:,} parameters)")
        return notes


def load(plan: Plan) -> TrainingData:
    """Load the data set of a plan and make the network.

    Raises
    ------
    UsageError
        If there is no layer of a name to freeze.
    UserError
        If the data set cannot be read, has images of one class only, or does not fit the network.
    """
    return match(plan, load_data(plan.data))


def match(plan: Plan, digits: DigitSet) -> TrainingData:
    """Make the network of a plan for a data set; see `load`."""
    warning = check_trainable(digits)
    network = plan.network(digits)
    digits = set_for(digits, network.class_names)
    try:
        network.freeze(plan.config.frozen_layers)
    except UserError as error:
        raise usage_error(error) from None
    joined, config = None, plan.config
    if resumed := plan.checkpoints.resumed:
        if config.replay:
            joined = _with_same_replay(digits, resumed.saved)
    elif (trained := plan.trained) and is_small(digits, trained):
        name, reading = source_of_replay(trained)
        joined = _with_replay(digits, name, reading)
        if joined:
            config = replace(config, replay=name, **_gentle_settings(config))
    new_images = len(digits.train_labels)
    return TrainingData(replace(plan, config=config), joined or digits, network, new_images, warning)


def source_of_replay(trained: SavedNetwork) -> tuple[str, dict[str, Any]]:
    """Return the data set to replay and how to read it: what a network was trained on, or what it replayed itself."""
    if trained.config["replay"]:
        return trained.config["replay"], trained.replay_reading
    return trained.dataset, trained.reading


def _gentle_settings(config: TrainConfig) -> dict[str, Any]:
    """Return defaults with which the network forgets little; options on the command line override them."""
    lr = OPTIMIZERS[config.optimizer].lr / REPLAY_LR_DIVISOR
    defaults = {"lr": lr, "warmup": REPLAY_WARMUP, "ema": REPLAY_EMA}
    ctx = click.get_current_context()
    return {name: value for name, value in defaults.items() if not is_given(ctx, name)}


def _with_replay(digits: DigitSet, name: str, reading: dict[str, Any]) -> DigitSet | None:
    try:
        return with_replay(digits, load_digits(name, **reading))
    except UserError:
        return None


def _with_same_replay(digits: DigitSet, saved: SavedNetwork) -> DigitSet:
    """Append the images that a training to resume replayed; raise UserError if they are not at hand."""
    name = saved.config["replay"]
    try:
        joined = with_replay(digits, load_digits(name, **saved.replay_reading))
    except UserError as error:
        raise UserError(f"{error} The training to resume replayed these images.") from error
    if joined is None:
        raise UserError(
            f"The images of {printable(name)}, which the training to resume replayed, do not match the others."
        )
    return joined
