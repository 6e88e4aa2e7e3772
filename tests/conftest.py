"""Fixtures of tests of several folders."""

import os
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

import fastdigits


@pytest.fixture(scope="session")
def environment():
    """The variables with which another process finds the package that is tested here."""
    try:
        distribution("fastdigits")
    except PackageNotFoundError:
        return os.environ | {"PYTHONPATH": str(Path(fastdigits.__file__).parents[1])}
    return dict(os.environ)
