"""The networks by name: each a short function that lists layers."""

from collections.abc import Callable
from dataclasses import dataclass

from fastdigits.errors import UserError
from fastdigits.models import convolutional, dense
from fastdigits.nn.layers import Layer


@dataclass(frozen=True)
class ModelOptions:
    """What a user may choose about a network; None leaves it to the network."""

    hidden: tuple[int, ...] | None = None
    activation: str | None = None
    init: str | None = None


MODELS: dict[str, Callable[..., list[Layer]]] = {
    "linear": dense.linear,
    "mlp": dense.mlp,
    "lenet": convolutional.lenet,
    "cnn": convolutional.cnn,
    "fast": convolutional.fast,
    "record": convolutional.record,
    "torch-example": convolutional.torch_example,
}


def layers_of(name: str, options: ModelOptions | None = None, classes: int = 10) -> list[Layer]:
    """The layers of a network.

    Raises
    ------
    UserError
        If there is no such network, or it does not have what the options choose.
    """
    if name not in MODELS:
        raise UserError(f"There is no model '{name}'; choose one of {', '.join(MODELS)}.")
    chosen = {key: value for key, value in vars(options or ModelOptions()).items() if value is not None}
    build = MODELS[name]
    for option in chosen:
        if option not in build.__annotations__:
            raise UserError(f"The model '{name}' has no option --{option}; leave it out.")
    return build(classes, **chosen)
