"""Options that several commands share, and types that explain themselves when a value is wrong."""

from collections.abc import Callable
from typing import Any

import click

from fastdigits.errors import UserError
from fastdigits.ops import DEVICES as COMPUTING_DEVICES
from fastdigits.ops.interface import Ops
from fastdigits.ops.runtime import numba_setup

DEVICES = ("auto", *COMPUTING_DEVICES)


class Cores(click.IntRange):
    """A number of processor cores that this machine has."""

    def __init__(self) -> None:
        super().__init__(min=1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number, most = super().convert(value, param, ctx), numba_setup.cores()
        if number > most:
            self.fail(f"{number} is more than the cores that are here; choose 1 to {most}.", param, ctx)
        return number


data_option = click.option(
    "--data", default="mnist", show_default=True, help="mnist, or a folder with the four IDX files."
)
device_option = click.option(
    "--device", type=click.Choice(DEVICES), default="auto", show_default=True, help="What to compute on."
)
threads_option = click.option("--threads", type=Cores(), help="Processor cores to use; all if not given.")
exact_option = click.option(
    "--exact", is_flag=True, help="Convolutions add up the very products of their definition; slower."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")


class ModelName(click.ParamType):
    """The name of a network that exists, or a file that describes one."""

    name = "model"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from fastdigits.errors import UserError
        from fastdigits.models import check_options

        try:
            check_options(value)
        except UserError as error:
            self.fail(str(error), param, ctx)
        return value


class LayerSizes(click.ParamType):
    """Sizes of hidden layers such as 256x256."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        parts = str(value).split("x")
        if not all(part.isascii() and part.isdigit() and len(part) < 6 and int(part) for part in parts):
            self.fail(f"'{value}' is not a list of layer sizes such as 256x256.", param, ctx)
        return tuple(map(int, parts))


def together(*options: Callable) -> Callable:
    """Several options as one decorator, in this order."""

    def decorate(command: Callable) -> Callable:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def load_ops(device: str, threads: int | None, say: Any, exact: bool = False) -> Ops:
    """The operations of the device that the user chose; "auto" says what it chose and why."""
    from fastdigits import ops

    if device == "auto":
        device, reason = ops.choose_device()
        say(f"device: {reason}")
    return ops.load(device, threads, exact)


def as_usage(error: UserError) -> click.UsageError:
    """The same sentence as a mistake in the command line, exit code 2."""
    return click.UsageError(str(error))
