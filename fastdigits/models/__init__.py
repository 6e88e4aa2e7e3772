"""Networks by name, each a function that returns a list of layers, and networks in TOML files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastdigits.errors import UserError
from fastdigits.models import alexnet, convolutional, dense, description, lenets, normalised
from fastdigits.nn.class_names import DIGITS, are_numbers
from fastdigits.nn.layers import Layer, Shape
from fastdigits.nn.network import Network


@dataclass(frozen=True)
class ModelOptions:
    """Options of a network; None selects the network's default.

    Attributes
    ----------
    hidden : tuple of int, optional
        Units of the hidden layers.
    activation, init, pool : str, optional
        Names among ACTIVATIONS, INITIALIZERS and POOLINGS of `nn.registry`.
    dropout : float, optional
        Rate of the dropout layers, 0 for none.
    width : float, optional
        Factor of the numbers of channels and units.
    """

    hidden: tuple[int, ...] | None = None
    activation: str | None = None
    init: str | None = None
    pool: str | None = None
    dropout: float | None = None
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
    """Make the layers of a network.

    Parameters
    ----------
    model : str
        A name among MODELS, or the path of a .toml file; see models/description.py.
    options : ModelOptions, optional
    classes : int
        Number of classes; ignored for a file, in which the last layer decides.

    Raises
    ------
    UserError
        If there is no such network, it lacks one of the options, an option has a wrong value or the file is damaged.
    """
    chosen = check_options(model, options)
    return description.read(model) if description.is_file(model) else MODELS[model](classes, **chosen)


def check_options(model: str, options: ModelOptions | None = None) -> dict[str, Any]:
    """Return the options that are not None; raise UserError if there is no such network or it lacks one of them."""
    if model not in MODELS and not description.is_file(model):
        raise UserError(
            f"There is no model '{model}'; choose one of {', '.join(MODELS)}, or a file that ends with .toml."
        )
    chosen = {key: value for key, value in vars(options or ModelOptions()).items() if value is not None}
    known = {} if description.is_file(model) else MODELS[model].__annotations__
    for option in chosen:
        if option not in known:
            raise UserError(f"The model '{model}' has no option --{option}; leave it out.")
    return chosen


def network_of(
    model: str,
    options: ModelOptions | None = None,
    input_shape: Shape = (1, 28, 28),
    classes: Sequence[str] | None = None,
) -> Network:
    """Make a network for images of one shape and for classes of these names: by default digits, or as a file says.

    Raises
    ------
    UserError
        If the images do not fit its layers, the layers of a file have another number of outputs, or as `layers_of`.
    """
    layers = layers_of(model, options, len(classes) if classes else DIGITS)
    try:
        network = Network(layers, input_shape)
        if classes is None:
            return network
        if network.classes < len(classes) or (network.classes > len(classes) and not are_numbers(classes)):
            raise UserError(
                f"The network has {network.classes} outputs, but there are {len(classes)} classes; give the last Dense "
                f"layer {len(classes)} units."
            )
        return Network(layers, input_shape, classes) if network.classes == len(classes) else network
    except UserError as error:
        raise UserError(f"{model}: {error}" if description.is_file(model) else str(error)) from None


def name_of(model: str) -> str:
    """Return the name of a network: that of a file is the file's name without the suffix."""
    return Path(model).stem if description.is_file(model) else model
