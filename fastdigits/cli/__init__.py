"""The command: one file per subcommand, imported only when that subcommand runs."""

import importlib
import io
import os
import sys

import click

from fastdigits import __version__
from fastdigits.cli.terminal import interrupt
from fastdigits.errors import UserError

COMMANDS = {
    "train": "Train a network on handwritten digits and write its weights.",
    "predict": "Read the digits of any pictures.",
    "eval": "Measure trained weights on a test set.",
    "serve": "Serve a page to draw digits on, and the same for programs by HTTP.",
    "models": "List the networks that can be trained.",
    "describe": "Show the layers of a network or of a weights file.",
    "explain": "Show how a network reads one image.",
    "plot": "Draw loss and accuracy of trainings, epoch by epoch.",
    "show": "Draw images of a data set, also as preparation and augmentation change them.",
    "compare": "Train or load several networks and set side by side what they reach.",
    "report": "Put all that is known of a trained network on one page.",
    "bench": "Measure training and inference on this machine, beside other frameworks.",
    "check": "Check on this machine that all operations compute what they are defined to.",
    "doctor": "Say what this machine has and lacks for fastdigits, and what mends it.",
    "warmup": "Compile everything ahead of the first training.",
    "data": "List, verify or download the data sets.",
}


class LazyGroup(click.Group):
    """A click group whose commands live in modules of the same name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return importlib.import_module(f"fastdigits.cli.commands.{name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them, so that --help answers at once."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: fastdigits train --model lenet --epochs 3",
)
@click.version_option(__version__, message="fastdigits %(version)s")
def cli() -> None:
    """Learn and recognise handwritten digits with neural networks written from scratch."""


def main() -> None:
    """Run the command; every failure that a user can mend is one sentence on stderr."""
    interrupt.listen()
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files that are no text are printed, too
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:  # usage: exit code 2
        error.show()
        sys.exit(error.exit_code)
    except UserError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe went away: nothing is left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:  # such as a full disk behind stdout
        click.echo(f"Error: The output cannot be written ({error.strerror or error}); free space there.", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
