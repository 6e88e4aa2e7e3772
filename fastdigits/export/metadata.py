"""What a file says about its network in addition to layers and weights: origin, classes, preprocessing, calibration."""

import json
from dataclasses import asdict

from fastdigits import __version__
from fastdigits.storage.weights import SavedNetwork

KEY = "fastdigits"  # of the metadata in a file


def metadata(saved: SavedNetwork) -> str:
    """Describe everything except the weights and the history as JSON, from which an import restores it."""
    return json.dumps(
        {
            "version": __version__,
            "model": saved.model,
            "dataset": saved.dataset,
            "architecture": saved.network,
            "preprocessing": asdict(saved.normalisation),
            "calibration": asdict(saved.calibration) if saved.calibration else None,
            "config": saved.config,
            "metrics": saved.metrics,
        }
    )


def origin(saved: SavedNetwork) -> str:
    """Say where the network comes from in a few words."""
    return f"{saved.model} trained on {saved.dataset} by fastdigits {__version__}"


def calibration_note(saved: SavedNetwork) -> str:
    """Return a sentence on how to apply the calibration, or an empty text if there is none."""
    if not saved.calibration:
        return ""
    one = saved.calibration
    bias = f", then add {one.no_digit_bias:g} to that of 'no digit'" if one.no_digit_bias else ""
    return f"Divide scores by {one.temperature:g}{bias} before the softmax for calibrated probabilities."
