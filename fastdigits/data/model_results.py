"""What networks have reached, where somebody has measured it."""

import json
from typing import Any

from fastdigits.data.sources import shipped_folder


def load_model_results() -> dict[str, dict[str, Any]]:
    """What `models/measured.json` beside the shipped data says of each network.

    The file, which scripts/measure_models.py writes, is a JSON object such as {"lenet": {"test_accuracy": 0.9929,
    "seconds": 4.6}}: the mean share of right answers and the mean seconds of training; what else it says is for its
    readers, such as the number of seeds and the machine.
    """
    path = shipped_folder() / "models" / "measured.json"
    return json.loads(path.read_text("utf8")) if path.exists() else {}
