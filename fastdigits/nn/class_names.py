"""Names of the classes of a network."""

from collections.abc import Sequence
from typing import Any

from fastdigits.errors import UserError

MAX_NAME = 100  # characters
NO_DIGIT = "no digit"  # the last class of networks that also recognize pictures without a digit
DIGITS = 10
MAX_LISTED = 30  # names in a message


def default_names(classes: int) -> tuple[str, ...]:
    """Name classes by their numbers, and the last of eleven "no digit", as in files that hold no names."""
    names = tuple(map(str, range(classes)))
    return (*names[:-1], NO_DIGIT) if classes == DIGITS + 1 else names


def checked_names(names: Any, classes: int) -> tuple[str, ...]:
    """Return a list of names as a tuple, the default names for None.

    Raises
    ------
    UserError
        If there is not one name for each class, or a name occurs twice, is too long or not printable.
    """
    if names is None:
        return default_names(classes)
    if not isinstance(names, list | tuple) or not all(map(_is_name, names)):
        raise UserError(f"The names of the classes must be printable texts of 1 to {MAX_NAME} characters.")
    if len(names) != classes:
        raise UserError(f"There are {len(names)} names of classes, but the network has {classes} outputs.")
    if len({*names}) < classes:
        raise UserError("Two classes have the same name; rename one.")
    return tuple(names)


def noun(names: Sequence[str]) -> str:
    """Return what a class is called: "digit" or "class"."""
    return "digit" if are_digits(names) else "class"


def plural(names: Sequence[str]) -> str:
    """Return what classes are called: "digits" or "classes"."""
    return "digits" if are_digits(names) else "classes"


def label_of(names: Sequence[str], number: int) -> int | str:
    """Return how JSON names a class: a digit as a number, any other class by its name."""
    name = names[number]
    return int(name) if are_digits(names) and name != NO_DIGIT else name


def number_of(names: Sequence[str], name: str) -> int:
    """Return the number of a class, given its name.

    Raises
    ------
    UserError
        If there is no such class.
    """
    if name in names:
        return names.index(name)
    listed = ", ".join(names[:MAX_LISTED]) + (", ..." if len(names) > MAX_LISTED else "")
    raise UserError(f"There is no class '{name}'; choose among {listed}.")


def are_digits(names: Sequence[str]) -> bool:
    """Return whether all classes are digits or "no digit"."""
    return {*names} <= {*default_names(DIGITS), NO_DIGIT}


def are_numbers(names: Sequence[str]) -> bool:
    """Return whether the names are the numbers 0, 1, 2, ..., so that labels stand for themselves."""
    return tuple(names) == tuple(map(str, range(len(names))))


def decides_on_digits(names: Sequence[str]) -> bool:
    """Return whether the classes are the ten digits in order, possibly followed by "no digit"."""
    return tuple(names) in (default_names(DIGITS), default_names(DIGITS + 1))


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and 0 < len(name) <= MAX_NAME and name.isprintable()
