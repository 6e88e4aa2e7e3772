"""Options that several commands share, and helpers to define commands."""

from collections.abc import Callable
from difflib import get_close_matches

import click
from click.core import ParameterSource

from fastdigits.cli.options.arguments import Cores, Seed
from fastdigits.errors import UserError
from fastdigits.ops import DEVICES as OPS_DEVICES

DEVICES = ("auto", *OPS_DEVICES)

device_option = click.option(
    "--device", type=click.Choice(DEVICES), default="auto", show_default=True, help="Device to compute on."
)
threads_option = click.option("--threads", type=Cores(), show_default="all", help="Number of processor cores to use.")
exact_option = click.option(
    "--exact",
    is_flag=True,
    help="Compute convolutions directly instead of with Winograd's method; slower, but within 2e-6 instead of 2e-5.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")


class SuggestingGroup(click.Group):
    """A group of commands that suggests the closest name for a mistyped one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing and name[:1].isalnum():
            matches = get_close_matches(name, self.list_commands(ctx), n=1)
            suggestion = f" Did you mean '{matches[0]}'?" if matches else ""
            ctx.fail(f"No such command '{name}'.{suggestion}")
        return super().resolve_command(ctx, args)


def option_group(*options: Callable) -> Callable:
    """Combine several options into one decorator, in this order."""

    def decorate(command: Callable) -> Callable:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def seed_option(help: str) -> Callable:
    """Return the option --seed."""
    return click.option("--seed", type=Seed(), default=0, show_default=True, help=help)


def examples(*commands: str) -> str:
    """Return the end of a help page: example commands, one per line, which click does not wrap."""
    if len(commands) == 1:
        return f"\b\nExample: {commands[0]}"
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in commands)])


def is_given(ctx: click.Context, name: str) -> bool:
    """Return whether an option is on the command line."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def usage_error(error: UserError) -> click.UsageError:
    """Convert an error to a usage error, which has exit code 2, with the same message."""
    return click.UsageError(str(error))
