"""Let the tests import the package `rectifiers`, and forget what they register."""

import sys
from pathlib import Path

import pytest
from registrations import forgotten

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    with forgotten(monkeypatch):
        yield
