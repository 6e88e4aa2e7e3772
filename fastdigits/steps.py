"""Parts of a long piece of work, which a command does one after the other and shows how far it is."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Step(NamedTuple):
    """A part that is done at a time."""

    name: str
    run: Callable[[], Any]
