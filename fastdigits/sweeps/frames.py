"""Runs of a sweep as a pandas DataFrame."""

from collections.abc import Sequence

import pandas

from fastdigits.sweeps.store import RunRow


def frame(rows: Sequence[RunRow]) -> pandas.DataFrame:
    """Return a table with a row for each run, and a column for each field and each setting."""
    return pandas.DataFrame([row.to_dict() | row.settings for row in rows]).drop(columns="settings", errors="ignore")
