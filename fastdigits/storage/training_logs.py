"""What trainings went through, read from the files that they left, those that differ in chance alone put together."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.storage import hdf5, weights
from fastdigits.storage.history import Epoch, RunGroup

NAMES = {field.name for field in fields(Epoch)}


@dataclass(frozen=True)
class TrainingLog:
    """One training: the file that tells of it, what it shares with others of its kind, and its epochs."""

    file: str
    model: str
    kind: str  # equal for trainings that differ in chance alone
    fold: bool
    epochs: list[Epoch]


def read(paths: Iterable[StrPath]) -> list[RunGroup]:
    """The trainings of weights files, statistics, and what `train --json` printed, in the order of the files.

    Raises
    ------
    UserError
        If a file is damaged or tells of no training.
    """
    return group_runs([record for path in paths for record in _records(path)])


def from_summaries(summaries: Sequence[dict[str, Any]], file: str = "") -> list[TrainingLog]:
    """The trainings that `train --json` and statistics describe."""
    return [
        TrainingLog(
            file=file,
            model=str(summary["model"]),
            kind=json.dumps([file, summary["model"], "fold" in summary]),
            fold="fold" in summary,
            epochs=[_epoch(epoch) for epoch in summary["epochs"]],
        )
        for summary in summaries
    ]


def group_runs(records: Sequence[TrainingLog]) -> list[RunGroup]:
    """Trainings of one kind together, named after their model, and after their file where that is needed."""
    kinds: dict[str, list[TrainingLog]] = {}
    for record in records:
        kinds.setdefault(record.kind, []).append(record)
    groups = list(kinds.values())
    for name in (lambda file: "", lambda file: f" ({Path(file).stem})", lambda file: f" ({file})"):
        labels = [group[0].model + name(group[0].file) + _count(group) for group in groups]
        if len({*labels}) == len(labels):
            break
    return [RunGroup(label, [one.epochs for one in group]) for label, group in zip(labels, groups, strict=True)]


def _count(group: list[TrainingLog]) -> str:
    return f", {len(group)} {'folds' if group[0].fold else 'runs'}" if len(group) > 1 else ""


def _records(path: StrPath) -> list[TrainingLog]:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise UserError(f"Cannot read {path} ({error.strerror}); check the path.") from error
    records = [_of_weights(path)] if content.startswith(hdf5.SIGNATURE) else _of_json(path, content)
    if not all(record.epochs for record in records) or not records:
        raise UserError(f"{path} tells of no epoch of a training; give one that 'fastdigits train' wrote.")
    return records


def _of_weights(path: StrPath) -> TrainingLog:
    saved = weights.read(path)
    kind = json.dumps([saved.model, saved.dataset, saved.config | {"seed": None}, saved.network])
    return TrainingLog(str(path), saved.model, kind, False, [Epoch(**epoch) for epoch in saved.history])


def _of_json(path: StrPath, content: bytes) -> list[TrainingLog]:
    try:
        figures = json.loads(content)
        summaries = figures.get("runs", figures.get("trainings", [figures]))
        return from_summaries(summaries, str(path))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise UserError(
            f"{path} has neither weights nor statistics; give a file that 'fastdigits train' wrote."
        ) from None


def _epoch(figures: dict[str, Any]) -> Epoch:
    """The figures that are known here; what else a newer file may have is left out."""
    known = {name: value for name, value in figures.items() if name in NAMES}
    if type(known["epoch"]) is not int or any(type(value) not in (int, float, type(None)) for value in known.values()):
        raise ValueError
    return Epoch(**known)
