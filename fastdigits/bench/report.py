"""Store the results of a benchmark run as JSON, and compare two runs."""

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
from fastdigits.storage import json_files
from fastdigits.storage.json_files import check_number

FORMAT, VERSION = "fastdigits bench", 1
KEYS = ("mode", "model", "batch_size", "contender", "step", "direction")  # together they identify a row


@dataclass
class Report:
    """The hardware, the settings, and the rows of each part of the benchmark; `gpu` is None if none took part."""

    machine: Machine
    settings: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    targets: list[TimeToAccuracy] = field(default_factory=list)
    gpu: Gpu | None = None

    def share_of_peak(self, gflops: float, device: str) -> float:
        """Return a rate as a fraction of the device's peak rate of multiply-adds."""
        hardware = self.gpu if device == "cuda" and self.gpu else self.machine
        return gflops * 1e9 / hardware.peak_flops

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON types."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "machine": asdict(self.machine),
            "settings": self.settings,
            "gpu": asdict(self.gpu) if self.gpu else None,
            "rows": list(map(self._row_dict, self.rows)),
            "operations": list(map(self._row_dict, self.operations)),
            "targets": [target.to_dict() for target in self.targets],
        }

    def _row_dict(self, row: Row | Operation) -> dict[str, Any]:
        return row.to_dict() | {"share_of_peak": self.share_of_peak(row.gflops, row.device)}

    def write(self, path: StrPath) -> None:
        """Write everything as JSON.

        Raises
        ------
        UserError
            If the file cannot be written.
        """
        write_atomically(path, (json.dumps(self.to_dict(), indent=1) + "\n").encode())


@dataclass(frozen=True)
class Change:
    """How the time of one row changed between two runs.

    `beyond_spread` is true if the interquartile ranges of the two runs do not overlap, `disturbed` if other programs
    used part of the machine in either run.
    """

    name: str
    old_s: float
    new_s: float
    beyond_spread: bool
    disturbed: bool

    @property
    def ratio(self) -> float:
        """The new time divided by the old time."""
        return self.new_s / self.old_s

    @property
    def verdict(self) -> str:
        """One of "disturbed", "faster", "slower", or "" if the difference is within the spread."""
        if self.disturbed:
            return "disturbed"
        if not self.beyond_spread:
            return ""
        return "faster" if self.ratio < 1 else "slower"


def read(path: StrPath) -> dict[str, Any]:
    """Return the results of an earlier run.

    Raises
    ------
    UserError
        If the file cannot be read or was not written by `Report.write`.
    """
    try:
        with open(path, "rb") as file:
            results = json_files.parse(file.read())
        if (results["format"], results["version"]) != (FORMAT, VERSION):
            raise ValueError
        for row in results["rows"]:
            if "contestant" in row:  # the name of this field in files of earlier versions
                row["contender"] = row.pop("contestant")
        for row in (*results["rows"], *results["operations"]):
            for seconds in (row["median_s"], *row["quartiles_s"]):
                check_number(seconds, 1e-12)
        compare(results, results)
        str(results["machine"]["cpu"]), int(results["machine"]["cores"])
    except OSError as error:
        raise UserError(f"Cannot read {path} ({error.strerror}); give a file that 'bench --json' wrote.") from None
    except json_files.MALFORMED:
        raise UserError(f"{path} was not written by 'bench --json' of this version; run the benchmark again.") from None
    return results


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Return the changes of all rows that both runs contain, in the order of the new run."""
    before = {_name(row): row for row in old["rows"] + old["operations"]}
    after = {_name(row): row for row in new["rows"] + new["operations"]}
    return [_change(name, before[name], row) for name, row in after.items() if name in before]


def _name(row: dict[str, Any]) -> str:
    return " ".join(str(row[key]) for key in KEYS if row.get(key))


def _change(name: str, old: dict[str, Any], new: dict[str, Any]) -> Change:
    (old_low, old_high), (new_low, new_high) = old["quartiles_s"], new["quartiles_s"]
    disturbed = bool(old.get("disturbed") or new.get("disturbed"))
    return Change(name, old["median_s"], new["median_s"], new_low > old_high or new_high < old_low, disturbed)
