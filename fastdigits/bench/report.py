"""All that one run of the benchmark found, as JSON and back, and how it differs from an earlier one."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from fastdigits.bench.comparison import Row
from fastdigits.bench.gpu import Gpu
from fastdigits.bench.machine import Machine
from fastdigits.bench.operations import Operation
from fastdigits.bench.time_to_accuracy import TimeToAccuracy
from fastdigits.errors import UserError
from fastdigits.files import StrPath, write_atomically

FORMAT, VERSION = "fastdigits bench", 1
KEYS = ("mode", "model", "batch_size", "contender", "step", "direction")  # what names a row among all


@dataclass
class Report:
    """The machine, its GPU where that took part, how it was measured, and the rows of each part."""

    machine: Machine
    settings: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    targets: list[TimeToAccuracy] = field(default_factory=list)
    gpu: Gpu | None = None

    def share_of_peak(self, gflops: float, device: str) -> float:
        """What a rate is of that of multiply-adds on the device's registers."""
        where = self.gpu if device == "cuda" and self.gpu else self.machine
        return gflops * 1e9 / where.peak_flops

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON types."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "machine": asdict(self.machine),
            "settings": self.settings,
            "gpu": asdict(self.gpu) if self.gpu else None,
            "rows": list(map(self._figures, self.rows)),
            "operations": list(map(self._figures, self.operations)),
            "targets": [target.to_dict() for target in self.targets],
        }

    def _figures(self, row: Row | Operation) -> dict[str, Any]:
        return row.to_dict() | {"share_of_peak": self.share_of_peak(row.gflops, row.device)}

    def write(self, path: StrPath) -> None:
        """Write all of it as JSON; UserError where that fails."""
        write_atomically(path, (json.dumps(self.to_dict(), indent=1) + "\n").encode())


@dataclass(frozen=True)
class Change:
    """How the time of one row changed: new / old, and whether the middle halves of both lie apart.

    `disturbed` says that other programs took part of the machine, then or now.
    """

    name: str
    old_s: float
    new_s: float
    beyond_spread: bool
    disturbed: bool

    @property
    def ratio(self) -> float:
        """New time by old time."""
        return self.new_s / self.old_s

    @property
    def verdict(self) -> str:
        """In a word: disturbed, faster, slower, or nothing where noise explains the difference."""
        if self.disturbed:
            return "disturbed"
        if not self.beyond_spread:
            return ""
        return "faster" if self.ratio < 1 else "slower"


def read(path: StrPath) -> dict[str, Any]:
    """The figures of an earlier run; UserError if the file holds none."""
    try:
        with open(path, encoding="utf8") as file:
            figures = json.load(file)
        if (figures["format"], figures["version"]) != (FORMAT, VERSION):
            raise ValueError
        for row in figures["rows"]:
            if "contestant" in row:  # the name of this field in files of earlier versions
                row["contender"] = row.pop("contestant")
        [change.ratio for change in compare(figures, figures)]
        str(figures["machine"]["cpu"]), int(figures["machine"]["cores"])
    except OSError as error:
        raise UserError(f"Cannot read {path} ({error.strerror}); give a file that 'bench --json' wrote.") from None
    except (ValueError, KeyError, TypeError, ZeroDivisionError, RecursionError, AttributeError):
        raise UserError(f"{path} was not written by 'bench --json' of this version; measure anew.") from None
    return figures


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """The changes of all rows that both runs have, in the order of the new one."""
    before = {_name(row): row for row in old["rows"] + old["operations"]}
    after = {_name(row): row for row in new["rows"] + new["operations"]}
    return [_change(name, before[name], row) for name, row in after.items() if name in before]


def _name(row: dict[str, Any]) -> str:
    return " ".join(str(row[key]) for key in KEYS if row.get(key))


def _change(name: str, old: dict[str, Any], new: dict[str, Any]) -> Change:
    (old_low, old_high), (new_low, new_high) = old["quartiles_s"], new["quartiles_s"]
    disturbed = bool(old.get("disturbed") or new.get("disturbed"))
    return Change(name, old["median_s"], new["median_s"], new_low > old_high or new_high < old_low, disturbed)
