"""The store of results: every run once, complete or not at all, whatever happens to the file."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from fastdigits import UserError
from fastdigits.sweeps.store import RunRow, Store, best


def row(number, **changes):
    """A run with its own key."""
    epoch = {"epoch": 1, "train_loss": 0.5, "train_accuracy": 0.8, "validation_loss": 0.4, "validation_accuracy": 0.9}
    known = RunRow(
        key=f"key {number}",
        variant=f"variant {number // 2}",
        settings={"lr": 0.1 * number, "batch_size": 128},
        model="linear",
        dataset="mnist",
        data_hash="ab",
        seed=number % 2,
        fold=None,
        status="done",
        problem="",
        epochs=[epoch],
        kept_epoch=1,
        validation_accuracy=0.9,
        validation_loss=0.4,
        parameters=7850,
        seconds={"train": 1.5, "total": 2.0},
        machine="here",
        device="cpu",
        threads=1,
        version="0.1.0",
        finished="2026-01-31T12:00:00Z",
    )
    return replace(known, **changes)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


def test_rows_come_back(path):
    rows = [row(number) for number in range(3)]
    with Store(path, create=True) as store:
        assert all(store.add(one) for one in rows)
    with Store(path) as store:
        assert store.rows() == rows
        assert [one.run for one in store.rows()] == [1, 2, 3]


def test_a_run_is_stored_once(path):
    with Store(path, create=True) as store:
        assert store.add(row(1))
        assert not store.add(row(1, validation_accuracy=0.1))
        assert store.rows() == [row(1)]


def test_two_sweeps_write_to_one_store(path):
    with Store(path, create=True) as one, Store(path, create=True) as other:
        for number in range(20):
            assert (one, other)[number % 2].add(row(number))
            assert not (other, one)[number % 2].add(row(number))
        assert one.rows() == other.rows() == [row(number) for number in range(20)]


def test_a_run_is_tested_once(path):
    first = {"images": 100, "correct": 90, "accuracy": 0.9, "loss": 0.3, "finished": "2026-01-31T12:00:00Z"}
    with Store(path, create=True) as store:
        store.add(row(1))
        assert store.rows()[0].test is None
        store.add_test(1, first)
        store.add_test(1, first | {"correct": 91})
        assert store.rows()[0].test == first


def test_the_store_is_in_wal_mode(path):
    Store(path, create=True).close()
    with closing(sqlite3.connect(path)) as database:
        [(mode,)] = database.execute("PRAGMA journal_mode")
    assert mode == "wal"


def test_a_full_disk_leaves_every_earlier_run(path):
    with Store(path, create=True) as store:
        store._database.execute("PRAGMA max_page_count = 24")
        stored = 0
        with pytest.raises(UserError, match="full") as failed:  # noqa: PT012
            for number in range(1000):
                store.add(row(number))
                stored += 1
        assert "\n" not in str(failed.value)
        assert 0 < stored < 1000
        assert store.rows() == [row(number) for number in range(stored)]
    with Store(path, create=True) as store:  # with space again
        assert store.add(row(stored))
        assert len(store.rows()) == stored + 1


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_another_file_is_refused_and_left_alone(path, content, create):
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged or no store"):
        Store(path, create)
    assert path.read_bytes() == content


def test_another_database_is_refused(path):
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE other (x)")
    database.close()
    with pytest.raises(UserError, match="no store of results"):
        Store(path, create=True)


def test_damage_is_one_sentence(path):
    with Store(path, create=True) as store:
        for number in range(50):
            store.add(row(number))
    content = bytearray(path.read_bytes())
    for position in range(4096, len(content), 4096):
        content[position : position + 200] = b"\xa5" * 200
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        Store(path)


def test_a_row_with_text_that_is_no_json_is_one_sentence(path):
    with Store(path, create=True) as store:
        store.add(row(1))
        store._database.execute("UPDATE runs SET epochs = '[1,'")
        with pytest.raises(UserError, match="damaged"):
            store.rows()


def test_a_missing_store_is_not_created_by_reading(path):
    with pytest.raises(UserError, match="There is no store"):
        Store(path)
    assert not path.exists()


def test_a_missing_folder_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"The folder .*none does not exist"):
        Store(tmp_path / "none" / "store.db", create=True)


def test_the_best_run_is_that_with_the_best_validation():
    rows = [
        row(1, validation_accuracy=0.9, validation_loss=0.5),
        row(2, validation_accuracy=0.9, validation_loss=0.4),
        row(3, validation_accuracy=0.99, status="failed"),
        row(4, validation_accuracy=0.95, status="pruned"),
        row(5, validation_accuracy=None, validation_loss=None),
    ]
    assert best(rows) == rows[1]
    assert best(rows[2:4]) is None
