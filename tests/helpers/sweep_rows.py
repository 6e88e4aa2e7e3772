"""Rows of the store of a sweep, made up."""

import json
from typing import Any

from fastdigits.sweeps.store import RunRow

EPOCHS = [
    {"epoch": epoch, "train_loss": 1 / epoch, "train_accuracy": 0.8, "validation_loss": 0.4, "validation_accuracy": 0.9,
     "learning_rate": 0.01, "seconds": 1.0, "images_per_second": 55000.0}
    for epoch in (1, 2)
]  # fmt: skip


def run_row(accuracy: float | None, seed: int = 0, settings: dict[str, Any] | None = None, **changes: Any) -> RunRow:
    """A run of `linear`; `settings` are those that vary, `train_s` its seconds of training."""
    settings = {"model": "linear", "epochs": 2, **(settings or {})}
    variant = json.dumps(settings)
    fold, train_s = changes.get("fold"), changes.pop("train_s", 1.5)
    known: dict[str, Any] = {
        "key": f"{variant} {seed} {fold}",
        "variant": variant,
        "settings": settings,
        "model": "linear",
        "dataset": "mnist",
        "data_hash": "ab",
        "seed": seed,
        "fold": None,
        "status": "done",
        "problem": "",
        "epochs": EPOCHS,
        "kept_epoch": 2,
        "validation_accuracy": accuracy,
        "validation_loss": None if accuracy is None else 1 - accuracy,
        "parameters": 7850,
        "seconds": {"compile": 0.1, "train": train_s, "validation": 0.1, "total": train_s + 1},
        "machine": "here",
        "device": "cpu",
        "threads": 1,
        "version": "0.1.0",
        "finished": "2026-01-31T12:00:00Z",
    }
    return RunRow(**known | changes)
