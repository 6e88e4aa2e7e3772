"""Describe the defaults of options of `fastdigits train` that depend on the model, the recipe or --from."""

from collections.abc import Iterator
from typing import Any

from fastdigits.config.recipes import FINE_TUNING, MODEL_SETTINGS, RECIPES


def default_text(name: str, otherwise: Any) -> str:
    """Return the values of an option by model and recipe, followed by that of all others, as for a help page."""
    values: dict[Any, list[str]] = {}
    for value, user in _users(name):
        values.setdefault(value, []).append(user)
    return ", ".join([*(f"{value} {_together(users)}" for value, users in values.items()), f"else {otherwise}"])


def _users(name: str) -> Iterator[tuple[Any, str]]:
    for model, settings in MODEL_SETTINGS.items():
        if name in settings:
            yield settings[name], f"for {model}"
    for recipe, settings in RECIPES.items():
        if name in settings:
            yield settings[name], f"with --recipe {recipe}"
    if name in FINE_TUNING:
        yield FINE_TUNING[name], "with --from"


def _together(users: list[str]) -> str:
    """Join phrases such as "for cnn", "for record"; those that begin with the same word share it."""
    first, *others = users
    *names, last = [first, *(user.removeprefix("for ") for user in others)]
    return f"{', '.join(names)} and {last}" if names else last
