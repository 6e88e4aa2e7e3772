"""Options that several commands share, and types that explain themselves when a value is wrong."""

from typing import Any

import click

from fastdigits.errors import UserError
from fastdigits.ops import DEVICES as COMPUTING_DEVICES

DEVICES = ("auto", *COMPUTING_DEVICES)

data_option = click.option(
    "--data", default="mnist", show_default=True, help="mnist, or a folder with the four IDX files."
)
device_option = click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True)
threads_option = click.option("--threads", type=click.IntRange(min=1), help="Processor cores to use; all if not given.")
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


def load_ops(device: str, threads: int | None, say: Any) -> Any:
    """The operations of the device that the user chose; "auto" says what it chose and why."""
    from fastdigits import ops

    if device == "auto":
        device, reason = ops.choose_device()
        say(f"device: {reason}")
    return ops.load(device, threads)


def as_usage(error: UserError) -> click.UsageError:
    """The same sentence as a mistake in the command line, exit code 2."""
    return click.UsageError(str(error))
