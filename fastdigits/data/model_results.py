"""Published results of the built-in networks."""

import json
from typing import Any

from fastdigits.data.sources import shipped_folder


def load_model_results() -> dict[str, dict[str, Any]]:
    """Load `models/measured.json`, which scripts/measure_models.py writes next to the shipped data.

    Returns
    -------
    dict
        For example {"lenet": {"test_accuracy": 0.9929, "seconds": 4.6}}: mean test accuracy and mean training time.
        There may be further entries, such as the number of seeds and the machine. Empty if there is no file.
    """
    path = shipped_folder() / "models" / "measured.json"
    return json.loads(path.read_text("utf8")) if path.exists() else {}
