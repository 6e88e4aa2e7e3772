"""Log trainings to a CSV table, the same as that of `train --stats FILE.csv`, with a row as soon as an epoch ends.

Rows are appended. When the training ends, the table is rewritten once, with the result in all rows of the run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastdigits.files import StrPath, check_writable
from fastdigits.storage import run_table
from fastdigits.storage.history import Epoch


class Log:
    """See `tracking.Log`; the place is a file."""

    def __init__(self, place: str):
        self.path = Path(place)
        check_writable(self.path)
        run_table.check(self.path)

    def run(self, name: str, settings: Mapping[str, Any]) -> "TableRun":
        return TableRun(self.path, settings)


class TableRun:
    """See `tracking.RunLog`."""

    def __init__(self, path: Path, settings: Mapping[str, Any]):
        self.path, self.run = path, dict(settings)
        self.number: int | None = None
        self.epochs: Sequence[Epoch] = ()
        self.written = 0  # epochs in the file

    def write(self, epochs: Sequence[Epoch]) -> None:
        self.epochs = epochs
        if self.number is None or not self.path.exists():
            self._put()
        else:
            run_table.extend(self.path, self._with(epochs[self.written :]), self.number)
        self.written = len(epochs)

    def end(self, status: str, result: Mapping[str, float]) -> None:
        if result:
            self.run["kept_epoch"] = result["kept_epoch"]
            self.run["test"] = {"accuracy": result["test_accuracy"], "loss": result["test_loss"]}
            self._put()

    def add_file(self, path: StrPath) -> None:
        """Do nothing: a table holds no files."""

    def _put(self) -> None:
        self.number = run_table.put(self.path, self._with(self.epochs), self.number)

    def _with(self, epochs: Sequence[Epoch]) -> dict[str, Any]:
        return self.run | {"epochs": [asdict(epoch) for epoch in epochs]}
