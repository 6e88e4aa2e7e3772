"""Tables of runs: a CSV file with one row per epoch, for spreadsheets."""

import csv
from io import StringIO
from pathlib import Path
from typing import Any

from fastdigits.errors import UserError
from fastdigits.files import write_atomically
from fastdigits.storage.json_files import check_number

OF_RUN = ("model", "dataset", "seed", "fold")
OF_EPOCH = (
    *("epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"),
    *("learning_rate", "seconds", "images_per_second"),
)
OF_RESULT = ("kept_epoch", "test_accuracy", "test_loss")
COLUMNS = ("run", *OF_RUN, *OF_EPOCH, *OF_RESULT)


def check(path: Path) -> None:
    """Check that `add` can add rows to this file; raise UserError if it is another kind of file."""
    _content(path)


def add(path: Path, runs: list[dict[str, Any]]) -> None:
    """Append one row per epoch of each run, with its test metrics, to a table; create the table if there is none.

    Runs are numbered from 1 on in the column `run`. What is unknown is empty.

    Parameters
    ----------
    path : Path
    runs : list of dict
        As `fastdigits train --json` prints them.
    """
    earlier, last = _content(path)
    table = StringIO()
    writer = csv.writer(table, lineterminator="\n")
    if not earlier:
        writer.writerow(COLUMNS)
    for number, run in enumerate(runs, last + 1):
        result = {"kept_epoch": run["kept_epoch"], "test_accuracy": run["test"]["accuracy"]}
        result["test_loss"] = run["test"]["loss"]
        for epoch in run["epochs"]:
            row = [number, *map(run.get, OF_RUN), *map(epoch.get, OF_EPOCH), *map(result.get, OF_RESULT)]
            writer.writerow(row)
    write_atomically(path, (earlier + table.getvalue()).encode(errors="replace"))


def _content(path: Path) -> tuple[str, int]:
    """Return the text of a table, which ends with a line break, and the number of its last run; "" and 0 if none."""
    if not path.exists():
        return "", 0
    try:
        text = path.read_bytes().decode()
        header, *rows = csv.reader(StringIO(text, newline=""), strict=True)
        if tuple(header) != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
            raise ValueError
        last = max((int(row[0]) for row in rows), default=0)
        check_number(last)  # so that the next one can be written
    except (OSError, ValueError, csv.Error):
        raise UserError(f"{path} is not a table that 'train --stats' wrote; choose another file for --stats.") from None
    return text if text.endswith("\n") else f"{text}\n", last
