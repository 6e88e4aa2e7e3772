"""Make a trained network of fastdigits from what was imported."""

from dataclasses import asdict
from typing import Any

from fastdigits.config.training import TrainConfig
from fastdigits.data.preprocessing import Normalisation
from fastdigits.errors import UserError
from fastdigits.importing import Imported
from fastdigits.nn import Network
from fastdigits.nn.calibration import Calibration
from fastdigits.storage.weights import SavedNetwork, config_from, normalisation_from

MEAN, STD = 0.1307, 0.3081  # of MNIST, with which almost all programs normalize


def saved_network(imported: Imported, model: str, mean: float | None, std: float | None) -> SavedNetwork:
    """Return the network, with what the metadata say about it.

    Parameters
    ----------
    imported : Imported
    model : str
        Its name if the metadata have none.
    mean, std : float, optional
        Normalization of pixels from 0 to 1; by default that of the metadata, or of MNIST.

    Raises
    ------
    UserError
        If a value is out of range.
    """
    metadata = imported.metadata
    found = _part(metadata, "preprocessing") or asdict(Normalisation(MEAN, STD))
    given = {name: value for name, value in {"mean": mean, "std": std}.items() if value is not None}
    try:
        calibration = Calibration(**metadata["calibration"]) if _part(metadata, "calibration") else None
    except TypeError:
        raise UserError("Its calibration is unknown; export the network again.") from None
    return SavedNetwork(
        network=_with_names(imported.network, _part(metadata, "architecture").get("classes")),
        weights=imported.weights,
        normalisation=normalisation_from(found | given),
        model=_text(metadata, "model", model),
        dataset=_text(metadata, "dataset", "unknown data"),
        config=config_from(_part(metadata, "config")) if _part(metadata, "config") else asdict(TrainConfig()),
        history=[],
        metrics=_part(metadata, "metrics"),
        calibration=calibration,
    )


def _with_names(network: dict[str, Any], names: Any) -> dict[str, Any]:
    """Add the names of the classes that the metadata have to a description of the network without names."""
    if names is None or "classes" in network:
        return network
    return Network.from_config(network | {"classes": names}).config()


def _part(metadata: dict[str, Any], name: str) -> dict[str, Any]:
    value = metadata.get(name)
    return value if isinstance(value, dict) else {}


def _text(metadata: dict[str, Any], name: str, default: str) -> str:
    value = metadata.get(name)
    return value if isinstance(value, str) else default
