"""Let the tests import the package `squareplus`, and forget what they register."""

import sys
from pathlib import Path

import pytest

from fastdigits import extend
from fastdigits.config import schedules, training
from fastdigits.data import augmentation
from fastdigits.models import MODELS
from fastdigits.nn import registry

sys.path.insert(0, str(Path(__file__).parent))

TABLES = (registry.CUSTOM_LAYERS, training.LOSSES, training.OPTIMIZERS, schedules.SCHEDULES, augmentation.OWN, MODELS)


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    """Restore the tables of registered objects after the test."""
    before = [table.copy() for table in TABLES]
    monkeypatch.setattr(extend, "_REGISTERED", set())
    yield
    for table, content in zip(TABLES, before, strict=True):
        table.clear()
        table.update(content)
