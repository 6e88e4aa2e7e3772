"""The test accuracy that networks have reached, where somebody has measured it."""

import json

from fastdigits.dataset.sources import shipped_folder


def read() -> dict[str, float]:
    """The mean test accuracy, a share of 1, of each network that `models/measured.json` beside the shipped data has.

    The file is a JSON object: {"lenet": {"test_accuracy": 0.9929}, ...}; whatever else it says of a network is for
    its readers, such as the seeds and the machine.
    """
    path = shipped_folder() / "models" / "measured.json"
    if not path.exists():
        return {}
    return {model: figures["test_accuracy"] for model, figures in json.loads(path.read_text("utf8")).items()}
