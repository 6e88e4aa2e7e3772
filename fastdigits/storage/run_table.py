"""Tables of runs: a CSV file with one row per epoch, for spreadsheets. Several processes may add to one at once."""

import csv
from io import StringIO
from pathlib import Path
from typing import Any

from fastdigits.errors import UserError
from fastdigits.files import append, changing, write_atomically
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
    with changing(path):
        earlier, last = _content(path)
        _write(path, earlier, [row for number, run in enumerate(runs, last + 1) for row in _rows(number, run)])


def put(path: Path, run: dict[str, Any], number: int | None) -> int:
    """Append a run as `add` does, or replace the rows of run `number`; return the number of the run.

    Parameters
    ----------
    path : Path
    run : dict
        As `fastdigits train --json` prints it; it may lack `kept_epoch` and `test`.
    number : int, optional
        None for a new run.
    """
    with changing(path):
        earlier, last = _content(path)
        if number is None:
            number = last + 1
        else:
            kept = [row for row in csv.reader(StringIO(earlier, newline="")) if row[0] != str(number)]
            earlier = _text(kept)
        _write(path, earlier, _rows(number, run))
    return number


def extend(path: Path, run: dict[str, Any], number: int) -> None:
    """Append rows for the epochs of `run` to those of run `number`, at the same cost for a table of any size.

    Raises
    ------
    UserError
        If the table does not exist or cannot be written.
    """
    with changing(path):  # a row that is appended while another process replaces the file would be lost
        append(path, _text(_rows(number, run)).encode(errors="replace"))


def _rows(number: int, run: dict[str, Any]) -> list[list[Any]]:
    test = run.get("test", {})
    result = {"kept_epoch": run.get("kept_epoch"), "test_accuracy": test.get("accuracy"), "test_loss": test.get("loss")}
    return [
        [number, *map(run.get, OF_RUN), *map(epoch.get, OF_EPOCH), *map(result.get, OF_RESULT)]
        for epoch in run["epochs"]
    ]


def _write(path: Path, earlier: str, rows: list[list[Any]]) -> None:
    header = [] if earlier else [list(COLUMNS)]
    write_atomically(path, (earlier + _text([*header, *rows])).encode(errors="replace"))


def _text(rows: list[list[Any]]) -> str:
    table = StringIO()
    csv.writer(table, lineterminator="\n").writerows(rows)
    return table.getvalue()


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
        raise UserError(f"{path} is not a table that 'train --stats' wrote; choose another file.") from None
    return text if text.endswith("\n") else f"{text}\n", last
