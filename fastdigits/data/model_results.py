"""Published results of the built-in networks."""

import json
from typing import Any

from fastdigits.data.sources import shipped_folder


def load_model_results() -> dict[str, dict[str, Any]]:
    """Load `models/measured.json` from the shipped data; scripts/measure_models.py writes this file.

    Returns
    -------
    dict
        By network, for example {"lenet": {"test_accuracy": 0.9929, "seconds": 4.6}}: mean test accuracy and mean
        training time, and possibly more, such as the number of seeds and the machine. Empty if there is no file.
    """
    path = shipped_folder() / "models" / "measured.json"
    return json.loads(path.read_text("utf8")) if path.exists() else {}


def load_speed_results() -> dict[str, dict[str, Any]]:
    """Load `models/speed.json` from the shipped data; scripts/measure_speed.py writes this file.

    Returns
    -------
    dict
        By the number of float32 lanes of the CPU, as a string: {"machine": its description, "ratios": list}. Each
        ratio has "mode", "model", "batch_size", "rival" and "ratio", the time of the rival divided by ours.
    """
    return json.loads((shipped_folder() / "models" / "speed.json").read_text("utf8"))
