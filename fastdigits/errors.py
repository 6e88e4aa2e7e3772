"""Exceptions for errors that users can fix, and the words for settings in their messages."""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from reprlib import repr as shown
from types import ModuleType
from typing import Any


class UserError(Exception):
    """An error whose message says what is wrong and how to fix it. Commands print it and exit with code 1."""


class UnknownObject(UserError):
    """Raised if a file needs a layer, a loss or the like from outside of the package that is not registered."""

    def __init__(self, kind: str, name: str):
        self.kind, self.name = kind, name
        super().__init__(
            f"It needs the {kind} {name!r}, which is not part of fastdigits; load it in Python with "
            f"fastdigits.load(path, custom_objects={{{name!r}: ...}})."
        )


class TrainingWarning(UserWarning):
    """Issued if a network is no better than chance after training."""


class NotFiniteError(UserError):
    """Raised instead of an answer if a network computes NaN or infinity."""

    def __init__(self) -> None:
        super().__init__(
            "The network computes NaN or infinity, because its weights are damaged or too large; train it again, "
            f"with a lower {setting('lr')} if the training diverged, or take another copy of the file."
        )


_COMMANDS: list[bool] = [False]  # the last one says whether messages are for users of the command line


@contextmanager
def words_of_commands() -> Iterator[None]:
    """Let messages that are composed in this block, in any thread, name options of the command line."""
    _COMMANDS.append(True)
    try:
        yield
    finally:
        _COMMANDS.pop()


def worded(command: str, python: str) -> str:
    """Return the words for users of the command line, or those for users of the Python interface."""
    return command if _COMMANDS[-1] else python


def setting(name: str, value: Any = None) -> str:
    """Name a setting, and a value for it, as users write it: `--clip-norm 1`, or `clip_norm=1` in Python."""
    option = f"--{name.replace('_', '-')}"
    if value is None:
        return worded(option, name)
    return worded(f"{option} {value}", f"{name}={value!r}")


def bad_setting(name: str, value: Any) -> UserError:
    """Return the error for a training setting that is out of range."""
    settings = worded("'fastdigits train --help'", "fastdigits.config.training.TrainConfig")
    return UserError(f"The setting {name} cannot be {shown(value)}; see {settings}.")


def import_with_packages(name: str, explain: Callable[[ImportError], str]) -> ModuleType:
    """Import a module of fastdigits that needs packages which may be missing.

    Raises
    ------
    UserError
        With the text that `explain` returns, if one of the packages is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if (error.name or "").startswith("fastdigits"):
            raise  # a bug of ours, not a missing package
        raise UserError(explain(error)) from None
