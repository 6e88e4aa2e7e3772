"""Run `fastdigits sweep test`: evaluate one run of a sweep on the test images, once."""

import json
import os
from typing import Any

import click

from fastdigits.cli.actions.common import load_ops
from fastdigits.cli.actions.sweep_jobs import job_of
from fastdigits.cli.terminal import interrupt
from fastdigits.cli.terminal.progress import announce_compilation
from fastdigits.data.dataset import some
from fastdigits.data.matching import in_classes
from fastdigits.data.sources import read_part
from fastdigits.errors import UserError
from fastdigits.inference.ensemble import evaluate_single
from fastdigits.storage import weights
from fastdigits.storage.weights import SavedNetwork
from fastdigits.sweeps.job import now
from fastdigits.sweeps.store import DONE, RunRow, Store, best, variants


def run_command(path: str, number: int | None, as_json: bool) -> None:
    """Test a run of a store, or show the result of its test."""

    def say(line: str) -> None:
        click.echo(line, err=True)

    with Store(path) as store:
        row = _chosen(store, path, number)
        if row.test is None:
            store.add_test(row.run, _tested(row, say))
            row = _chosen(store, path, row.run)
    test = row.test
    assert test
    if as_json:
        click.echo(json.dumps({"run": row.run, "validation_accuracy": row.validation_accuracy, "test": test}))
        return
    click.echo(
        f"run {row.run}: test accuracy {test['accuracy']:.2%} ({test['correct']:,} of {test['images']:,}), loss "
        f"{test['loss']:.4f}; validation accuracy {row.validation_accuracy:.2%}"
    )


def _chosen(store: Store, path: str, number: int | None) -> RunRow:
    done = {row.run: row for row in store.rows() if row.status == DONE}
    if not done:
        raise UserError(f"{path} has no run that is done; run the sweep first.")
    if number is None:
        first = best(next(iter(variants(done.values()).values())))
        assert first
        return first
    if number not in done:
        raise UserError(f"{path} has no run {number} that is done; choose one of {some(map(str, done))}.")
    return done[number]


def _tested(row: RunRow, say: Any) -> dict[str, Any]:
    ops = load_ops(row.settings["device"], None, say, row.settings["exact"])
    with announce_compilation(ops, say):
        saved = _network(row, ops.threads, say)
        interrupt.check()
        reading = {name: row.settings[name] for name in ("size", "value_range", "transpose")}
        reading = {name: tuple(value) if isinstance(value, list) else value for name, value in reading.items()}
        part = in_classes(read_part(row.settings["data"], "test", **reading), saved.class_names)
        result = evaluate_single(saved, part.images, part.labels, ops, with_probabilities=False).combined
    figures = {"images": result.images, "correct": result.correct, "accuracy": result.accuracy, "loss": result.loss}
    return figures | {"finished": now()}


def _network(row: RunRow, threads: int, say: Any) -> SavedNetwork:
    """Read the network of a run or, if its weights have not been saved, train it again."""
    if row.weights and os.path.exists(row.weights):
        return weights.read(row.weights)
    job, digits = job_of(row)
    say("training the network again, which gives the same weights")
    _, saved = job.run(digits, threads, lambda event: interrupt.check())
    assert saved
    return saved
