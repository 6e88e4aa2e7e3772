"""Log trainings to a CSV table, the same as that of `train --stats FILE.csv`, with a row as soon as an epoch ends."""

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
        self.path, self.content = path, {**settings, "epochs": []}
        self.number: int | None = None

    def write(self, epochs: Sequence[Epoch]) -> None:
        self.content["epochs"] = [asdict(epoch) for epoch in epochs]
        self._put()

    def end(self, status: str, result: Mapping[str, float]) -> None:
        if result:
            self.content["kept_epoch"] = result["kept_epoch"]
            self.content["test"] = {"accuracy": result["test_accuracy"], "loss": result["test_loss"]}
            self._put()

    def add_file(self, path: StrPath) -> None:
        """Do nothing: a table holds no files."""

    def _put(self) -> None:
        self.number = run_table.put(self.path, self.content, self.number)
