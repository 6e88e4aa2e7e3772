"""Load training histories from result files and group runs that differ only in seed or fold."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.storage import hdf5, json_files, weights
from fastdigits.storage.history import Epoch, RunGroup

MAX_LOSS, MAX_EPOCHS = 1e100, 10**9  # larger numbers can be drawn by no figure
EPOCH_FIELDS = {field.name for field in fields(Epoch)}


@dataclass(frozen=True)
class TrainingLog:
    """The history of one training run, and the file that it was loaded from.

    Attributes
    ----------
    file : str
    model : str
    kind : str
        Equal for runs that differ only in seed or fold.
    fold : bool
        Whether the run is part of a cross-validation.
    epochs : list of Epoch
    """

    file: str
    model: str
    kind: str
    fold: bool
    epochs: list[Epoch]


def read(paths: Iterable[StrPath]) -> list[RunGroup]:
    """Load and group the histories in weights files, `train --stats` files and outputs of `train --json`.

    Raises
    ------
    UserError
        If a file is damaged or has no training history.
    """
    return group_runs([log for path in paths for log in _logs_in(path)])


def from_summaries(summaries: Sequence[dict[str, Any]], file: str = "") -> list[TrainingLog]:
    """Return the histories in summaries of `train --json` or `train --stats`."""
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


def group_runs(logs: Sequence[TrainingLog]) -> list[RunGroup]:
    """Group runs of the same kind; label the groups by model, and also by file if that alone is not unique."""
    kinds: dict[str, list[TrainingLog]] = {}
    for log in logs:
        kinds.setdefault(log.kind, []).append(log)
    groups = list(kinds.values())
    for name in (lambda file: "", lambda file: f" ({Path(file).stem})", lambda file: f" ({file})"):
        labels = [group[0].model + name(group[0].file) + _count(group) for group in groups]
        if len({*labels}) == len(labels):
            break
    return [RunGroup(label, [one.epochs for one in group]) for label, group in zip(labels, groups, strict=True)]


def _count(group: list[TrainingLog]) -> str:
    return f", {len(group)} {'folds' if group[0].fold else 'runs'}" if len(group) > 1 else ""


def _logs_in(path: StrPath) -> list[TrainingLog]:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise UserError(f"Cannot read {path} ({error.strerror}); check the path.") from error
    logs = [_of_weights(path)] if content.startswith(hdf5.SIGNATURE) else _of_json(path, content)
    if not all(log.epochs for log in logs) or not logs:
        raise UserError(f"{path} has no training history; give one that 'fastdigits train' wrote.")
    return logs


def _of_weights(path: StrPath) -> TrainingLog:
    saved = weights.read(path)
    kind = json.dumps([saved.model, saved.dataset, saved.config | {"seed": None}, saved.network])
    return TrainingLog(str(path), saved.model, kind, False, [Epoch(**epoch) for epoch in saved.history])


def _of_json(path: StrPath, content: bytes) -> list[TrainingLog]:
    try:
        loaded = json_files.parse(content)
        summaries = loaded.get("runs", loaded.get("trainings", [loaded]))
        return from_summaries(summaries, str(path))
    except json_files.MALFORMED:
        raise UserError(
            f"{path} has neither weights nor statistics; give a file that 'fastdigits train' wrote."
        ) from None


def _epoch(metrics: dict[str, Any]) -> Epoch:
    """Return the metrics of an epoch; ignore fields that a newer version may have added."""
    known = {name: value for name, value in metrics.items() if name in EPOCH_FIELDS}
    for field in fields(Epoch):
        required = field.type in (int, float)
        json_files.check_number(known.get(field.name), -MAX_LOSS, MAX_LOSS, optional=not required)
    if type(known["epoch"]) is not int or not 1 <= known["epoch"] <= MAX_EPOCHS:
        raise ValueError
    return Epoch(**known)
