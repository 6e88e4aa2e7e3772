"""Exceptions for errors that users can fix."""

import importlib
from collections.abc import Callable
from types import ModuleType


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
            "The network computes NaN or infinity, because its weights are damaged or too large; "
            "train it again, with a lower --lr if the training diverged, or take another copy of the file."
        )


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
