"""The command line. The module of a command is imported only when the command runs."""

import importlib
import io
import os
import sys
from contextlib import suppress
from typing import NoReturn

import click

from fastdigits import __version__
from fastdigits.cli.options.common import SuggestingGroup
from fastdigits.cli.terminal import interrupt
from fastdigits.cli.terminal.names import printable
from fastdigits.errors import UserError, words_of_commands

COMMANDS = {
    "train": "Train a network on handwritten digits and save its weights.",
    "sweep": "Train with many settings and store the result of every run.",
    "predict": "Recognize the digits in pictures.",
    "eval": "Evaluate trained networks on a test set.",
    "serve": "Serve a drawing page and an HTTP API.",
    "models": "List the available models.",
    "describe": "Show the layers of a network or a learning-rate schedule.",
    "explain": "Show how a network classifies one image.",
    "plot": "Plot training curves.",
    "show": "Draw images of a data set, with preprocessing and augmentation.",
    "compare": "Train or load several networks and compare them.",
    "report": "Write an HTML report about a trained network.",
    "export": "Write a trained network for other programs: ONNX, PyTorch, Keras, arrays.",
    "import": "Read a network that another program has trained: ONNX, PyTorch's arrays.",
    "bench": "Benchmark training and inference against other frameworks.",
    "check": "Verify that all operations are computed correctly on this machine.",
    "doctor": "Diagnose the installation and suggest fixes.",
    "warmup": "Compile the kernels ahead of time.",
    "data": "List, verify, download or pack data sets.",
}


class LazyGroup(SuggestingGroup):
    """A group whose commands are loaded on demand from modules of the same name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return importlib.import_module(f"fastdigits.cli.commands.{name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them, so that --help is fast."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: fastdigits train --model lenet --epochs 3",
)
@click.version_option(__version__, message="fastdigits %(version)s")
def cli() -> None:
    """Train neural networks on handwritten digits and recognize digits in pictures."""
    click.get_current_context().with_resource(words_of_commands())
    os.environ["MPLBACKEND"] = "agg"  # that of a notebook may not be installed, and no command opens a window


def main() -> None:
    """Run the command; print errors that the user can fix as one sentence on stderr."""
    if sys.stdout is None:
        sys.exit("Error: The standard output is closed; redirect it to a file or to /dev/null.")
    if isinstance(sys.stdout, io.TextIOWrapper):  # to print file names that are not valid text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with interrupt.handled():
            cli.main(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:  # usage: exit code 2
        error.show()
        sys.exit(error.exit_code)
    except UserError as error:
        click.echo(f"Error: {printable(str(error))}", err=True)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        with suppress(OSError):  # the terminal may be gone
            click.echo("Interrupted.", err=True)
            sys.stdout.flush()
        _end(interrupt.exit_code())
    except BrokenPipeError:  # the other end of a pipe is closed: nobody reads a message
        _end(interrupt.exit_code() if interrupt.received() else 1)
    except OSError as error:  # such as a full disk behind stdout
        reason = error.strerror or error
        with suppress(OSError):
            click.echo(f"Error: The output cannot be written ({reason}); free space there.", err=True)
        _end(interrupt.exit_code() if interrupt.received() else 1)


def _end(exit_code: int) -> NoReturn:
    """Exit after discarding what has not been written to stdout, so that the flush at exit succeeds."""
    with suppress(OSError, ValueError):  # stdout may be no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(exit_code)
