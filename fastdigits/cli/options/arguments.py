"""Parameter types that validate values on the command line."""

import re
from math import isfinite
from typing import Any

import click

from fastdigits.errors import UserError
from fastdigits.ops.runtime import numba_setup
from fastdigits.tracking import parse

MAX_BATCH_SIZE = 65536
MAX_NUMBERS = 1000
MAX_SEED = 2**63 - 1
MAX_IMAGE_SIDE = 1024


class Number(click.FloatRange):
    """A number in a range. Unlike click's FloatRange, it rejects NaN and infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{value} is not a number in the range {self._describe_range()}.", param, ctx)
        return number


class Cores(click.IntRange):
    """A number of processor cores, at most as many as this machine has."""

    def __init__(self) -> None:
        super().__init__(min=1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number, available = super().convert(value, param, ctx), numba_setup.cores()
        if number > available:
            self.fail(f"{number} is more than the number of cores; choose 1 to {available}.", param, ctx)
        return number


class Seed(click.ParamType):
    """A whole number up to MAX_SEED. Unlike click's IntRange, it adds no range to the help page."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return click.IntRange(0, MAX_SEED).convert(value, param, ctx)


class BatchSize(click.ParamType):
    """A number of images, or "all", which becomes None."""

    name = "images|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        return None if value == "all" else click.IntRange(1, MAX_BATCH_SIZE).convert(value, param, ctx)


class BatchSizes(click.ParamType):
    """One or more numbers of images, separated by commas."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        size = click.IntRange(1, MAX_BATCH_SIZE)
        sizes: Any = [size(part.strip(), param, ctx) for part in str(value).split(",")]
        return tuple(dict.fromkeys(sizes))


class ModelName(click.ParamType):
    """The name of a model, or a .toml file of layers."""

    name = "model"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from fastdigits.models import check_options  # imports NumPy, which --help does not need

        try:
            check_options(value)
        except UserError as error:
            self.fail(str(error), param, ctx)
        return value


class LayerSizes(click.ParamType):
    """Sizes of hidden layers, such as 256,128 or 256x128."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        parts = str(value).replace(",", "x").split("x")
        if not all(part.isascii() and part.isdigit() and len(part) < 6 and int(part) for part in parts):
            self.fail(f"'{value}' is not a list of layer sizes such as 256,128.", param, ctx)
        return tuple(map(int, parts))


class ImageSize(click.ParamType):
    """Rows and columns of an image: 28 or 28x20."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        parts = str(value).split("x")
        if len(parts) > 2 or not all(part.isascii() and part.isdigit() and len(part) < 5 for part in parts):
            self.fail(f"'{value}' is not a size such as 28 or 28x20.", param, ctx)
        if not all(1 <= int(part) <= MAX_IMAGE_SIDE for part in parts):
            self.fail(f"'{value}' is out of range; choose 1 to {MAX_IMAGE_SIDE} pixels a side.", param, ctx)
        return int(parts[0]), int(parts[-1])


class ValueRange(click.ParamType):
    """Two different numbers, separated by a comma."""

    name = "range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        try:
            black, white = map(float, str(value).split(","))
        except ValueError:
            self.fail(f"'{value}' is not two numbers such as 0,1.", param, ctx)
        if not (isfinite(black) and isfinite(white) and black != white):
            self.fail(f"'{value}' is not two different numbers such as 0,1.", param, ctx)
        return black, white


class Numbers(click.ParamType):
    """Whole numbers and ranges, separated by commas, such as 0,5,100-119."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        numbers: list[int] = []
        for part in str(value).split(","):
            first, dash, last = part.strip().partition("-")
            ends = [first, last] if dash else [first]
            if not all(end.isascii() and end.isdigit() and len(end) < 10 for end in ends):
                self.fail(f"'{value}' is not a list of numbers such as 0,5,100-119.", param, ctx)
            if len(numbers) + int(ends[-1]) - int(first) >= MAX_NUMBERS:
                self.fail(f"'{value}' has more than {MAX_NUMBERS} numbers; give fewer.", param, ctx)
            numbers += range(int(first), int(ends[-1]) + 1)
        return tuple(numbers)


class ClassNames(Numbers):
    """Names of classes, separated by commas, such as a,b; numbers may be ranges, such as 4,7-9."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        names: list[str] = []
        for part in map(str.strip, str(value).split(",")):
            if not part:
                self.fail(f"'{value}' is not a list of classes such as 4,7-9 or a,b.", param, ctx)
            is_range = re.fullmatch("[0-9]+-[0-9]+", part)
            names += map(str, super().convert(part, param, ctx)) if is_range else [part]
        return tuple(names)


class Names(click.ParamType):
    """One or more of several names, separated by commas."""

    name = "names"

    def __init__(self, choices: tuple[str, ...]):
        self.choices = choices

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
        for name in names:
            if name not in self.choices:
                self.fail(f"'{name}' is not one of {', '.join(self.choices)}.", param, ctx)
        return names


class LogTarget(click.ParamType):
    """A log of trainings, such as csv:runs.csv."""

    name = "target"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            parse(value)
        except UserError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class HtmlFile(click.Path):
    """A path that ends with .html or .htm."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        path = str(super().convert(value, param, ctx))
        if not path.lower().endswith((".html", ".htm")):
            self.fail(f"'{path}' does not end with .html.", param, ctx)
        return path
