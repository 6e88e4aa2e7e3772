"""Any JSON file and any table of runs is read, or refused in one sentence before the work begins, never a traceback."""

import json
import random
from copy import deepcopy
from dataclasses import asdict

import pytest
from mutations import ODD, answer, changed_bytes, changed_json, counts, places

from fastdigits.bench import report as bench_report
from fastdigits.cli.actions import bench_tables
from fastdigits.errors import UserError
from fastdigits.plots import curves
from fastdigits.report import contents
from fastdigits.storage import run_statistics, training_logs
from fastdigits.storage.history import Epoch

EPOCHS = [Epoch(1, 0.5, 0.8, 0.25, 0.9, 0.01, 2.0, 3e4), Epoch(2, 0.1, 0.95, None, None, 0.001, 1.5, 4e4)]
RUN = {
    "model": "linear",
    "device": "cpu",
    "dataset": "mnist",
    "seed": 3,
    "parameters": 7850,
    "batch_size": 100,
    "epochs": [asdict(epoch) for epoch in EPOCHS],
    "kept_epoch": 2,
    "validation_accuracy": None,
    "test": {"images": 10, "correct": 9, "accuracy": 0.9, "interval_95": [0.6, 0.98], "loss": 0.3},
    "seconds": {"load": 0.1, "compile": 0.2, "train": 3.5, "validation": 0.5, "test": 0.1, "total": 5.0},
    "images_per_second": 2e4,
    "output": "weights.h5",
}
ROW = {"mode": "training", "model": "lenet", "batch_size": 8, "contender": "torch", "median_s": 0.5}
ROW |= {"quartiles_s": [0.4, 0.6], "disturbed": False}
BENCH = {
    "format": "fastdigits bench",
    "version": 1,
    "machine": {"cpu": "a", "cores": 2},
    "rows": [ROW],
    "operations": [ROW | {"step": "3 Dense", "direction": "forward"}],
}
COUNT = 120  # mutants for each reader; more than 1,000 were tried in November 2026


def mutated(document, chance):
    """Return the bytes of a JSON document after some changes of its values, and sometimes of its bytes."""
    content = bytearray(json.dumps(changed_json(document, chance)).encode())
    if chance.random() < 0.1:
        place = chance.randrange(len(content))
        content[place : place + chance.randrange(3)] = bytes(chance.choices(range(256), k=chance.randrange(3)))
    return bytes(content)


def mutants(document, count):
    """Return `count` mutants: half with an odd value at a place, half with other changes."""
    chance = random.Random(13)
    pairs = [(index, value) for index in range(len(places(document))) for value in ODD]
    for index, value in chance.sample(pairs, min(count // 2, len(pairs))):
        changed = deepcopy(document)
        container, key = places(changed)[index]
        container[key] = value
        yield json.dumps(changed).encode()
    for _ in range(count // 2):
        yield mutated(document, chance)


def read_all(path, document, count, use):
    """Write each mutant to `path` and use it; return how many were accepted and refused."""
    accepted = refused = 0
    for content in mutants(document, count):
        path.write_bytes(content)
        try:
            use(path)
            accepted += 1
        except UserError as error:
            check_sentence(str(error), path.name)
            refused += 1
        except Exception as error:
            raise AssertionError(f"not a sentence for {content[:2000]!r}") from error
    assert accepted
    assert refused


def check_sentence(said, name):
    assert name in said
    assert said.endswith(".")


@pytest.fixture
def no_disk(monkeypatch):
    """Do not wait for the disk."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


def test_statistics_that_pass_the_check_take_more_runs(tmp_path, no_disk):
    def use(path):
        run_statistics.check(path)
        try:
            run_statistics.add(path, [RUN], dead=1)
            run_statistics.check(path)
            run_statistics.add(path, [], dead=1)
        except UserError as error:
            raise AssertionError("refused after the training") from error

    read_all(tmp_path / "stats.json", {"runs": [RUN, RUN], "dead_runs": 1}, COUNT, use)


@pytest.mark.parametrize("count", counts(150))
def test_tables_that_pass_the_check_take_more_runs(tmp_path, no_disk, count):
    path, chance = tmp_path / "stats.csv", random.Random("table")
    run_statistics.add(path, [RUN, RUN])
    content = path.read_bytes()

    def use():
        run_statistics.check(path)
        run_statistics.add(path, [RUN])
        run_statistics.check(path)

    assert content.count(b"\n2,") == 2
    path.write_bytes(
        content.replace(b"\n2,", b"\n%b," % (b"9" * 4300))
    )  # one more run has more digits than Python prints
    assert isinstance(answer(use), UserError)
    for _ in range(count):
        path.write_bytes(changed_bytes(content, chance, [content]))
        answer(use)


def test_runs_that_a_report_reads(tmp_path):
    def use(path):
        for run in run_statistics.read(path):
            [{name: epoch.get(name) for name in asdict(EPOCHS[0])} for epoch in run["epochs"]]
            contents._training(run)

    read_all(tmp_path / "stats.json", {"runs": [RUN]}, COUNT, use)


@pytest.mark.parametrize("document", [{"runs": [RUN, RUN]}, {"trainings": [RUN | {"fold": 1}]}, RUN], ids=list)
def test_histories_that_are_plotted(tmp_path, document):
    accepted = []

    def use(path):
        accepted.append(training_logs.read([path]))

    read_all(tmp_path / "log.json", document, COUNT, use)
    for groups in random.Random(3).sample(accepted, 5):
        curves.draw(groups)  # slow, so only some


def test_earlier_benchmarks(tmp_path):
    def use(path):
        old = bench_report.read(path)
        assert bench_tables.changes(old, BENCH, bench_report.compare(old, BENCH))

    read_all(tmp_path / "bench.json", BENCH, COUNT, use)
