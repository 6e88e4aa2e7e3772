"""Descriptions of sweeps: TOML files that say which settings to train with, and how often."""

import itertools
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import exp, isfinite, log
from random import Random
from reprlib import repr as shown
from typing import Any

from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.sweeps.store import SIGNATURE

KINDS = ("grid", "random", "list", "search")
WITH_TRIALS = ("random", "search")
KINDS_WITH = {"trials": WITH_TRIALS, "prune": ("search",), "ahead": ("search",)}
MAX_BYTES = 2**20
MAX_RUNS = 100_000
MAX_SEED = 2**63 - 1
MAX_FOLDS = 1000
MAX_AHEAD = 1000
AHEAD = 8  # trials of a search that may run at once; more of them learn less from each other
Settings = dict[str, Any]  # options of `fastdigits train` by name


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, evenly distributed or, with `log`, evenly in their logarithm.

    They are whole numbers if both limits are.
    """

    low: float
    high: float
    log: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether the numbers are whole."""
        return type(self.low) is int and type(self.high) is int

    def draw(self, random: Random) -> float:
        """Draw a number."""
        if self.is_whole and not self.log:
            return random.randint(int(self.low), int(self.high))
        number = exp(random.uniform(log(self.low), log(self.high))) if self.log else random.uniform(self.low, self.high)
        number = min(max(number, self.low), self.high)
        return round(number) if self.is_whole else number


Choices = list | Range


@dataclass(frozen=True)
class Spec:
    """A sweep.

    Attributes
    ----------
    kind : str
        One of KINDS.
    fixed : dict
        The settings of all runs.
    space : dict
        For each setting that varies, its values: a list, or a Range if `kind` is "random" or "search".
    variants : list of dict
        The settings of each variant if `kind` is "list".
    seeds : list of int
        Each variant is trained with each of these seeds.
    folds : int or None
        Number of folds of a cross-validation of each variant and seed.
    trials : int
        Number of variants if `kind` is "random" or "search".
    prune : bool
        Whether a search stops runs whose validation accuracy falls below the median of earlier trials.
    ahead : int
        A trial of a search is chosen from the results of all trials but the `ahead` - 1 before it, so that as many can
        run at once. The same number gives the same trials on any number of workers.
    """

    kind: str = "grid"
    fixed: Settings = field(default_factory=dict)
    space: dict[str, Choices] = field(default_factory=dict)
    variants: list[Settings] = field(default_factory=list)
    seeds: list[int] = field(default_factory=lambda: [0])
    folds: int | None = None
    trials: int = 0
    prune: bool = True
    ahead: int = AHEAD

    @property
    def runs_per_variant(self) -> int:
        """The number of runs with the same settings."""
        return len(self.seeds) * (self.folds or 1)

    @property
    def count(self) -> int:
        """The number of variants, some of which may be equal."""
        if self.kind == "list":
            return len(self.variants)
        return self.trials if self.kind in WITH_TRIALS else count_of(self.space)

    def settings(self) -> Iterator[Settings]:
        """Yield the settings of all variants, except those of a search, which depend on results.

        The first n random variants are the same for any number of trials.
        """
        if self.kind == "grid":
            values_of = [values for values in self.space.values() if isinstance(values, list)]
            for values in itertools.product(*values_of):
                yield self.fixed | dict(zip(self.space, values, strict=True))
        for variant in self.variants:
            yield self.fixed | variant
        if self.kind == "random":
            for number in range(self.trials):
                yield self.fixed | self._drawn(Random(number))

    def examples(self) -> Iterator[Settings]:
        """Yield settings in which each value of a list and both limits of each range occur, to check them."""
        if self.kind != "search":
            yield from self.settings()
            return
        ends = {name: _ends(values) for name, values in self.space.items()}
        first = {name: values[0] for name, values in ends.items()}
        yield self.fixed | first
        for name, values in ends.items():
            for value in values[1:]:
                yield self.fixed | first | {name: value}

    def _drawn(self, random: Random) -> Settings:
        return {
            name: values.draw(random) if isinstance(values, Range) else random.choice(values)
            for name, values in self.space.items()
        }


def count_of(space: dict[str, Choices]) -> int:
    """Return the number of points of a grid."""
    count = 1
    for values in space.values():
        count *= len(values) if isinstance(values, list) else 1
    return count


def read(path: StrPath) -> Spec:
    """Read the description of a sweep.

    Raises
    ------
    UserError
        If the file cannot be read, is not TOML or does not describe a sweep.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"Cannot read {path} ({error.strerror or error}); check the path.") from error
    if content.startswith(SIGNATURE):
        raise UserError(f"{path} is a store of results; give the file that describes the sweep.")
    if len(content) > MAX_BYTES:
        raise UserError(f"{path} is too large to describe a sweep; give a file as docs/sweeps.md shows.")
    try:
        return parse(tomllib.loads(content.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserError(f"{path} is not TOML ({error}).") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def parse(content: dict[str, Any]) -> Spec:
    """Return the sweep that a TOML document describes; raise UserError if it does not describe one."""
    kinds = [kind for kind in KINDS if kind in content]
    if len(kinds) > 1:
        raise UserError(f"[{kinds[0]}] and [{kinds[1]}] both say which settings to try; keep one of them.")
    kind = kinds[0] if kinds else "grid"
    known = {"train", "seeds", "folds", *kinds}
    known |= {"trials"} if kind in WITH_TRIALS else set()
    known |= {"prune", "ahead"} if kind == "search" else set()
    if unknown := [name for name in content if name not in known]:
        raise _no_entry(unknown[0], kind, known)
    fixed = _table(content.get("train", {}), "train")
    given = content.get(kind, [] if kind == "list" else {})
    variants = _variants(given) if kind == "list" else []
    space = {} if kind == "list" else {name: _choices(kind, name, value) for name, value in _table(given, kind).items()}
    if twice := [name for name in {**space, **dict.fromkeys(itertools.chain(*variants))} if name in fixed]:
        raise UserError(f"{shown(twice[0])} is both in [train] and in [{kind}]; keep one of them.")
    spec = Spec(
        kind=kind,
        fixed=fixed,
        space=space,
        variants=variants,
        seeds=_seeds(content.get("seeds", 1)),
        folds=_whole(content, "folds", 2, MAX_FOLDS) if "folds" in content else None,
        trials=_whole(content, "trials", 1, MAX_RUNS) if kind in WITH_TRIALS else 0,
        prune=_flag(content, "prune", True),
        ahead=_whole(content, "ahead", 1, MAX_AHEAD, AHEAD),
    )
    if kind in WITH_TRIALS and not space:
        raise UserError(f"[{kind}] is empty; give at least one setting to vary.")
    if spec.count * spec.runs_per_variant > MAX_RUNS:
        raise UserError(f"The sweep has more than {MAX_RUNS:,} runs; try fewer values or seeds.")
    return spec


def _no_entry(name: str, kind: str, known: set[str]) -> UserError:
    """Return the error for an entry that a sweep of some kind does not have."""
    if kinds := KINDS_WITH.get(name):
        return UserError(f"{name} needs {' or '.join(f'[{one}]' for one in kinds)}; add such a table, or leave it out.")
    if matches := get_close_matches(name, known | {*KINDS}, n=1):
        return UserError(f"A sweep has no entry {shown(name)}; the closest one is {shown(matches[0])}.")
    return UserError(
        f"A sweep of the kind {kind} has no entry {shown(name)}; options of 'fastdigits train' belong into [train] or "
        f"[{kind}], and the others are {', '.join(sorted(known))}."
    )


def _table(value: Any, name: str) -> Settings:
    """Return a table of settings, whose names may be written as options: batch-size."""
    if not isinstance(value, dict):
        raise UserError(f"{name} must be a table [{name}] of settings, not {shown(value)}.")
    return {key.replace("-", "_"): one for key, one in value.items()}


def _variants(value: Any) -> list[Settings]:
    if not isinstance(value, list) or not value:
        raise UserError("list must be one or more tables [[list]] of settings.")
    return [_table(one, "list") for one in value]


def _choices(kind: str, name: str, value: Any) -> Choices:
    if isinstance(value, list):
        if not value:
            raise UserError(f"{name} has no values; give at least one.")
        return value
    if kind == "grid" or not isinstance(value, dict):
        ranges = "" if kind == "grid" else ", or a range such as {low = 0.001, high = 0.1, log = true}"
        raise UserError(f"{name} in [{kind}] must be a list of values{ranges}, not {shown(value)}.")
    return _range(name, value)


def _range(name: str, value: dict[str, Any]) -> Range:
    if not {"low", "high"} <= value.keys() <= {"low", "high", "log"}:
        raise UserError(f"The range of {name} has low, high and, optionally, log; not {shown(value)}.")
    low, high, is_log = value["low"], value["high"], value.get("log", False)
    if type(is_log) is not bool:
        raise UserError(f"log of the range of {name} must be true or false, not {shown(is_log)}.")
    for limit in (low, high):
        if type(limit) not in (int, float) or not isfinite(limit) or abs(limit) > MAX_SEED:
            raise UserError(f"The limits of {name} must be numbers, not {shown(limit)}.")
    if low >= high or (is_log and low <= 0):
        needs = "must be above 0 and increase" if is_log else "must increase"
        raise UserError(f"The limits of {name} {needs}, not from {low} to {high}.")
    return Range(low, high, is_log)


def _ends(values: Choices) -> list:
    return [values.low, values.high] if isinstance(values, Range) else values


def _seeds(value: Any) -> list[int]:
    """Return a list of seeds; a number n stands for 0 to n - 1."""
    seeds = list(range(value)) if type(value) is int and 1 <= value <= MAX_RUNS else value
    if (
        not isinstance(seeds, list)
        or not seeds
        or not all(type(seed) is int and 0 <= seed <= MAX_SEED for seed in seeds)
        or len({*seeds}) < len(seeds)
    ):
        raise UserError(f"seeds must be a number of seeds, or a list of different whole numbers, not {shown(value)}.")
    return seeds


def _whole(content: dict[str, Any], name: str, least: int, most: int, default: int | None = None) -> int:
    value = content.get(name, default)
    if type(value) is not int or not least <= value <= most:
        given = "" if value is None else f", not {shown(value)}"
        raise UserError(f"{name} must be a whole number from {least} to {most}{given}.")
    return value


def _flag(content: dict[str, Any], name: str, default: bool) -> bool:
    value = content.get(name, default)
    if type(value) is not bool:
        raise UserError(f"{name} must be true or false, not {shown(value)}.")
    return value
