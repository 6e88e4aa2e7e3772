"""Networks by name: each is a short function that returns a list of layers, or a TOML file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fastdigits.errors import UserError
from fastdigits.models import alexnet, convolutional, dense, description, lenets, normalised
from fastdigits.nn.layers import Layer, Shape
from fastdigits.nn.network import Network


@dataclass(frozen=True)
class ModelOptions:
    """Options of a network; None stands for the default of the network."""

    hidden: tuple[int, ...] | None = None
    activation: str | None = None
    init: str | None = None
    pool: str | None = None
    width: float | None = None


MODELS: dict[str, Callable[..., list[Layer]]] = {
    "linear": dense.linear,
    "neuron": dense.neuron,
    "dnn": dense.dnn,
    "mlp": dense.mlp,
    "feedforward": dense.feedforward,
    "conv1": lenets.conv1,
    "conv2": lenets.conv2,
    "conv1-avgpool": lenets.conv1_avgpool,
    "lenet": lenets.lenet,
    "cnn": convolutional.cnn,
    "fast": convolutional.fast,
    "record": convolutional.record,
    "torch-example": convolutional.torch_example,
    "alexnet": alexnet.alexnet,
    "resnet": normalised.resnet,
    "tiny-8k": normalised.tiny_8k,
    "tiny-20k": normalised.tiny_20k,
    "best": normalised.best,
}


def layers_of(model: str, options: ModelOptions | None = None, classes: int = 10) -> list[Layer]:
    """Return the layers of a network.

    Parameters
    ----------
    model : str
        A name among MODELS, or a file that ends with .toml; see models/description.py.
    options : ModelOptions, optional
    classes : int
        Number of classes; ignored for a file, whose last layer decides.

    Raises
    ------
    UserError
        If there is no such network, or it does not have one of the options.
    """
    chosen = check_options(model, options)
    return description.read(model) if description.is_file(model) else MODELS[model](classes, **chosen)


def check_options(model: str, options: ModelOptions | None = None) -> dict:
    """Return the options that are set; raise UserError if there is no such network or it lacks one of them."""
    if model not in MODELS and not description.is_file(model):
        raise UserError(
            f"There is no model '{model}'; choose one of {', '.join(MODELS)}, or a file that ends with .toml."
        )
    chosen = {key: value for key, value in vars(options or ModelOptions()).items() if value is not None}
    has = {} if description.is_file(model) else MODELS[model].__annotations__
    for option in chosen:
        if option not in has:
            raise UserError(f"The model '{model}' has no option --{option}; leave it out.")
    return chosen


def network_of(model: str, options: ModelOptions | None = None, input_shape: Shape = (1, 28, 28)) -> Network:
    """Make the network for images of a shape; raise UserError if its layers cannot take them, or as `layers_of`."""
    layers = layers_of(model, options)
    try:
        return Network(layers, input_shape)
    except UserError as error:
        raise UserError(f"{model}: {error}" if description.is_file(model) else str(error)) from None


def name_of(model: str) -> str:
    """Return the name of a network: for a file its name without the suffix."""
    return Path(model).stem if description.is_file(model) else model
