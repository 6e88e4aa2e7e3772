"""Forget what a test registers with fastdigits."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastdigits import extend
from fastdigits.config import schedules, training
from fastdigits.data import augmentation
from fastdigits.models import MODELS
from fastdigits.nn import registry

TABLES = (registry.CUSTOM_LAYERS, training.LOSSES, training.OPTIMIZERS, schedules.SCHEDULES, augmentation.OWN, MODELS)


@contextmanager
def forgotten(monkeypatch) -> Iterator[None]:
    """Restore the tables of registered objects after this block."""
    before = [table.copy() for table in TABLES]
    monkeypatch.setattr(extend, "_REGISTERED", set())
    try:
        yield
    finally:
        for table, content in zip(TABLES, before, strict=True):
            table.clear()
            table.update(content)
