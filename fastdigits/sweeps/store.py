"""The store of results: an SQLite file with one row per training run, written once, when the run ends.

docs/sweeps.md describes the tables. The file is in WAL mode, so that several sweeps may write to it while others read.
A row is one transaction: after a crash or on a full disk it is either complete or missing.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from statistics import fmean
from typing import Any

from fastdigits.errors import UserError
from fastdigits.files import StrPath, check_name
from fastdigits.storage import json_files

APPLICATION_ID = 0x66646773  # "fdgs": tells our files from other SQLite databases
FORMAT_VERSION = 1
SIGNATURE = b"SQLite format 3\0"
WAIT_S = 60.0  # for another process that writes
DONE, FAILED, PRUNED = "done", "failed", "pruned"
SCHEMA = """
CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    variant TEXT NOT NULL,
    settings TEXT NOT NULL,
    model TEXT NOT NULL,
    dataset TEXT NOT NULL,
    data_hash TEXT NOT NULL,
    seed INTEGER NOT NULL,
    fold INTEGER,
    status TEXT NOT NULL CHECK (status IN ('done', 'failed', 'pruned')),
    problem TEXT NOT NULL,
    epochs TEXT NOT NULL,
    kept_epoch INTEGER,
    validation_accuracy REAL,
    validation_loss REAL,
    parameters INTEGER NOT NULL,
    seconds TEXT NOT NULL,
    machine TEXT NOT NULL,
    device TEXT NOT NULL,
    threads INTEGER NOT NULL,
    version TEXT NOT NULL,
    finished TEXT NOT NULL,
    weights TEXT
);
CREATE INDEX runs_by_variant ON runs (variant);
CREATE TABLE tests (
    run INTEGER PRIMARY KEY REFERENCES runs (run),
    images INTEGER NOT NULL,
    correct INTEGER NOT NULL,
    accuracy REAL NOT NULL,
    loss REAL NOT NULL,
    finished TEXT NOT NULL
);
"""
JSON_COLUMNS = ("settings", "epochs", "seconds")


@dataclass(frozen=True)
class RunRow:
    """A training run of a sweep.

    Attributes
    ----------
    key : str
        SHA-256 of all that decides the result: network, settings, seed, fold and training images. It is unique.
    variant : str
        The same without seed and fold, shortened: runs that are repetitions of each other have the same variant.
    settings : dict
        All options of `fastdigits train` that decide the result, with their defaults, by the names of their
        parameters, such as "batch_size". None stands for a default that depends on others.
    model, dataset : str
        Names.
    data_hash : str
        SHA-256 of the training images and labels.
    seed : int
    fold : int or None
        From 1 on; None without cross-validation.
    status : str
        "done", "failed" (it diverged or is no better than chance) or "pruned" (a search stopped it early).
    problem : str
        Why it failed; "" if it did not.
    epochs : list of dict
        The fields of `storage.history.Epoch` of every epoch.
    kept_epoch : int or None
        Number of the epoch that the weights are from; None if there are none.
    validation_accuracy, validation_loss : float or None
        Those of the kept epoch; None without validation images or weights.
    parameters : int
    seconds : dict
        Of "compile", "train", "validation" and "total".
    machine, device : str
    threads : int
    version : str
        That of fastdigits.
    finished : str
        Date and time in UTC, such as "2026-01-31T12:00:00Z".
    weights : str or None
        Path of the weights file, if it was asked for.
    test : dict or None
        "images", "correct", "accuracy", "loss" and "finished", once the run has been tested.
    run : int
        Number of the run in the store, from 1 on; 0 before it is stored.
    """

    key: str
    variant: str
    settings: dict[str, Any]
    model: str
    dataset: str
    data_hash: str
    seed: int
    fold: int | None
    status: str
    problem: str
    epochs: list[dict[str, Any]]
    kept_epoch: int | None
    validation_accuracy: float | None
    validation_loss: float | None
    parameters: int
    seconds: dict[str, float]
    machine: str
    device: str
    threads: int
    version: str
    finished: str
    weights: str | None = None
    test: dict[str, Any] | None = field(default=None, compare=False)
    run: int = field(default=0, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as JSON types."""
        return asdict(self)


COLUMNS = tuple(one.name for one in fields(RunRow) if one.name not in ("test", "run"))
TEST_COLUMNS = ("images", "correct", "accuracy", "loss", "finished")


class Store:
    """An open store of results.

    Parameters
    ----------
    path : path
    create : bool
        Whether to create the file if it does not exist.

    Raises
    ------
    UserError
        If the file does not exist, is damaged, is something else or cannot be written. So do all methods.
    """

    def __init__(self, path: StrPath, create: bool = False):
        self.path = Path(path)
        check_place(path)
        if not create and not self.path.is_file():
            raise UserError(f"There is no store {path}; give one that 'fastdigits sweep' wrote.")
        with self._explained():
            self._database = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)
            try:
                self._set_up(create)
            except BaseException:
                self._database.close()
                raise

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):  # such as a full disk, when the rows in the WAL cannot be moved: they stay there
            self._database.close()

    def add(self, row: RunRow) -> bool:
        """Store a run, once; return False if the store has a run with its key."""
        values = [json.dumps(value) if name in JSON_COLUMNS else value for name, value in _columns(row)]
        marks = ", ".join("?" * len(COLUMNS))
        with self._explained():
            done = self._database.execute(
                f"INSERT INTO runs ({', '.join(COLUMNS)}) VALUES ({marks}) ON CONFLICT (key) DO NOTHING", values
            )
            return done.rowcount > 0

    def add_test(self, run: int, test: dict[str, Any]) -> None:
        """Store the figures of a run on the test images, once: those of an earlier test stay."""
        with self._explained():
            self._database.execute(
                f"INSERT OR IGNORE INTO tests (run, {', '.join(TEST_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?)",
                [run, *map(test.__getitem__, TEST_COLUMNS)],
            )

    def rows(self) -> list[RunRow]:
        """Return all runs in the order in which they ended."""
        tests = ", ".join(f"tests.{name}" for name in TEST_COLUMNS)
        columns = ", ".join(f"runs.{name}" for name in COLUMNS)
        query = f"SELECT runs.run, {columns}, {tests} FROM runs LEFT JOIN tests USING (run) ORDER BY runs.run"
        with self._explained():
            return [self._row(values) for values in self._database.execute(query)]

    def _row(self, values: tuple) -> RunRow:
        run, *columns = values[: len(COLUMNS) + 1]
        tested = values[len(COLUMNS) + 1 :]
        named = dict(zip(COLUMNS, columns, strict=True))
        try:
            named |= {name: json_files.parse(named[name]) for name in JSON_COLUMNS}
        except json_files.MALFORMED:
            raise self._damaged() from None
        test = None if tested[0] is None else dict(zip(TEST_COLUMNS, tested, strict=True))
        return RunRow(**named, test=test, run=run)

    def _set_up(self, create: bool) -> None:
        """Create the tables in a new file, and check an existing one."""
        database = self._database
        database.execute("PRAGMA foreign_keys = ON")
        if create and self._is_empty():
            database.execute("PRAGMA journal_mode = WAL")
            with self._transaction():
                if self._is_empty():  # another process may have been faster
                    for statement in filter(str.strip, SCHEMA.split(";")):
                        database.execute(statement)
                    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    database.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        [(application,)] = database.execute("PRAGMA application_id")
        [(version,)] = database.execute("PRAGMA user_version")
        if application != APPLICATION_ID:
            raise UserError(f"{self.path} is no store of results; give one that 'fastdigits sweep' wrote.")
        if version != FORMAT_VERSION:
            raise UserError(f"{self.path} is a store of a newer version of fastdigits; update fastdigits to read it.")
        if [answer for (answer,) in database.execute("PRAGMA quick_check(1)")] != ["ok"]:
            raise self._damaged()

    def _is_empty(self) -> bool:
        [(tables,)] = self._database.execute("SELECT count(*) FROM sqlite_master")
        return tables == 0

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # a full disk, a missing folder or permission, a lock
            raise UserError(
                f"The store {self.path} cannot be used ({error}); free space or give permission there, or choose "
                "another file."
            ) from error
        except sqlite3.DatabaseError as error:
            raise self._damaged() from error

    def _damaged(self) -> UserError:
        return UserError(f"{self.path} is damaged or no store of results; restore a copy, or choose another file.")


def check_place(path: StrPath) -> None:
    """Raise UserError if the name of a store is that of standard output, or its folder does not exist."""
    check_name(path)
    if not Path(path).parent.is_dir():
        raise UserError(f"The folder {Path(path).parent} does not exist; create it or choose another one.")


def _columns(row: RunRow) -> Iterator[tuple[str, Any]]:
    for name in COLUMNS:
        yield name, getattr(row, name)


def rank(row: RunRow) -> tuple[float, float]:
    """Return (validation accuracy, -validation loss) of a run: the larger, the better it is.

    A run without weights or validation images is the worst.
    """
    if row.validation_accuracy is None or row.validation_loss is None:
        return float("-inf"), float("-inf")
    return row.validation_accuracy, -row.validation_loss


def best(rows: Iterable[RunRow]) -> RunRow | None:
    """Return the best of the finished runs by validation, never by test; None if there is none."""
    return max((row for row in rows if row.status == DONE), key=rank, default=None)


def varying(rows: Sequence[RunRow]) -> list[str]:
    """Return the names of the settings in which runs differ."""
    names = dict.fromkeys(name for row in rows for name in row.settings)
    return [name for name in names if any(row.settings.get(name) != rows[0].settings.get(name) for row in rows)]


def variants(rows: Iterable[RunRow]) -> dict[str, list[RunRow]]:
    """Return the finished runs of each variant, which differ in seed and fold only; the best variant comes first.

    Variants are ranked by the mean validation accuracy and, if that is equal, by the mean validation loss.
    """
    groups: dict[str, list[RunRow]] = {}
    for row in rows:
        if row.status == DONE:
            groups.setdefault(row.variant, []).append(row)
    return dict(sorted(groups.items(), key=lambda item: _mean_rank(item[1]), reverse=True))


def _mean_rank(rows: Sequence[RunRow]) -> tuple[float, float]:
    accuracies, losses = zip(*map(rank, rows), strict=True)
    return fmean(accuracies), fmean(losses)
