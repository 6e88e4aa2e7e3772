"""Read and write weights files: trained networks as HDF5, which any HDF5 viewer can open.

The root has the attributes `format`, `format_version`, `fastdigits_version`, `model` and `dataset`, and as JSON
`architecture`, `preprocessing`, `config`, `metrics` and, optionally, `calibration`, `start`, `reading` and
`replay_reading`.
/weights/<layer>/<name> are the parameters and running statistics in float32. /history/<column> are the metrics of the
epochs in float64, with NaN for None. The attributes `crc32` of the root and of every array are checksums. A checkpoint
(training/checkpoint.py) has further groups.
"""

import hashlib
import itertools
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import Field, asdict, dataclass, field, fields, replace
from io import BytesIO
from pathlib import Path
from types import UnionType
from typing import Any

import h5py
import numpy as np

from fastdigits import __version__
from fastdigits.config.schedules import SCHEDULES
from fastdigits.config.training import LOSSES, OPTIMIZERS, TrainConfig, is_custom_loss
from fastdigits.data.augmentation import EFFECTS, OWN
from fastdigits.data.preprocessing import Normalisation, Preparation
from fastdigits.data.sources import Reading
from fastdigits.errors import UnknownObject, UserError
from fastdigits.files import StrPath, check_writable, write_atomically
from fastdigits.nn.calibration import Calibration
from fastdigits.nn.network import Network
from fastdigits.nn.sequence_network import SequenceNetwork
from fastdigits.storage import hdf5
from fastdigits.storage.history import TIMING_FIELDS, Epoch

__all__ = [
    "SavedNetwork",
    "Start",
    "check_writable",
    "config_from",
    "decode",
    "normalisation_from",
    "prefix_errors",
    "read",
    "read_values",
    "write",
    "write_values",
]

FORMAT = "fastdigits"
FORMAT_VERSION = 1
CHOICES: dict[str, dict[str, Any]] = {"loss": LOSSES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES}  # of settings
OPTIONAL_COLUMNS = {"learning_rate"}  # columns of the history that older files lack
READING_TYPES: dict[str, set[type | tuple[type, ...]]] = {
    "size": {(int, int)},
    "value_range": {*itertools.product((int, float), repeat=2)},
    "transpose": {bool},
}
STD_MIN, STD_MAX = 1e-9, 1e9  # of pixels from 0 to 1; outside this range float32 is too imprecise


@dataclass(frozen=True)
class Start:
    """The weights file that a training started from: its name without folders, and the SHA-256 of its content."""

    file: str
    sha256: str

    @classmethod
    def of(cls, path: StrPath) -> "Start":
        """Return the name and the hash of a file; raise UserError if it cannot be read."""
        try:
            with open(path, "rb") as file:
                return cls(Path(path).name, hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise UserError(f"Cannot read {path} ({error.strerror}); check the path.") from error


@dataclass(frozen=True, eq=False)
class SavedNetwork:
    """The content of a weights file.

    Attributes
    ----------
    network : dict
        Network.config().
    weights : dict of float32 arrays
        Network.weights().
    normalisation : Normalisation
    model, dataset : str
        Names.
    config : dict
        The fields of TrainConfig.
    history : list of dict
        Epoch.to_dict() of every epoch.
    metrics : dict
    calibration : Calibration, optional
    start : Start, optional
        The file that training started from.
    reading, replay_reading : dict
        How the data set, and that of the setting `replay`, were read; see DigitSet.
    """

    network: dict[str, Any]
    weights: dict[str, np.ndarray]
    normalisation: Normalisation
    model: str
    dataset: str
    config: dict[str, Any]
    history: list[dict[str, Any]]
    metrics: dict[str, Any]
    calibration: Calibration | None = None
    start: Start | None = None
    reading: dict[str, Any] = field(default_factory=dict)
    replay_reading: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        network: Network,
        normalisation: Normalisation,
        config: TrainConfig,
        history: Sequence[Epoch],
        *,
        model: str,
        dataset: str,
        metrics: dict[str, Any] | None = None,
        start: Start | None = None,
        reading: dict[str, Any] | None = None,
        replay_reading: dict[str, Any] | None = None,
    ) -> "SavedNetwork":
        """Copy the weights of a built network and add its preprocessing, settings, history and metrics."""
        return cls(
            network=network.config(),
            weights=network.weights(),
            normalisation=normalisation,
            model=model,
            dataset=dataset,
            config=asdict(config),
            history=[epoch.to_dict() for epoch in history],
            metrics=metrics or {},
            start=start,
            reading=reading or {},
            replay_reading=replay_reading or {},
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the outputs."""
        return Network.from_config(self.network).class_names

    @property
    def has_custom_code(self) -> bool:
        """Whether a layer or the loss is from outside of the package."""
        return is_custom_loss(self.config["loss"]) or Network.from_config(self.network).has_custom_layers

    def built(self, ops: Any, batch_size: int, training: bool = False, fused: bool = True) -> Network:
        """Build the network on a device and set its weights; see `Network.build` for the parameters."""
        network = Network.from_config(self.network)
        network.build(ops, batch_size, training, fused)
        network.set_weights(self.weights)
        return network


def write(path: StrPath, saved: SavedNetwork, extend: Callable[[h5py.File], None] = lambda file: None) -> None:
    """Write a network to a file, completely or not at all. The same network gives the same bytes.

    Parameters
    ----------
    path : path
    saved : SavedNetwork
    extend : function, optional
        Called with the open file to add further groups or attributes, which `read` ignores.

    Raises
    ------
    UserError
        If the file cannot be written, or `read` would refuse it, for example because a weight is not finite.
    """
    with prefix_errors(path):
        content = _file_image(saved, extend)
    write_atomically(path, content)


def read(path: StrPath) -> SavedNetwork:
    """Read a network from a file; check everything except `metrics`, which may be any JSON object without NaN.

    Raises
    ------
    UserError
        If the file cannot be read, or is not a valid weights file.
    """
    with prefix_errors(path), hdf5.open_file(path) as file:
        return decode(file)


def decode(file: h5py.File) -> SavedNetwork:
    """Return the network in an open file; see `read`."""
    _check_format(file)
    hdf5.check_texts(file)
    root = hdf5.group(file, "/")
    network = hdf5.json_object(file, "architecture")
    return SavedNetwork(
        network=network,
        weights=read_values(root, "weights", _shapes(network)),
        normalisation=normalisation_from(hdf5.json_object(file, "preprocessing")),
        model=_printable(hdf5.text(file, "model")),
        dataset=_printable(hdf5.text(file, "dataset")),
        config=config_from(hdf5.json_object(file, "config")),
        history=_history(hdf5.group(root, "history")),
        metrics=hdf5.json_object(file, "metrics"),
        calibration=_calibration(file),
        start=_start(file),
        reading=_reading(file, "reading"),
        replay_reading=_reading(file, "replay_reading"),
    )


def write_values(file: h5py.File, group: str, values: dict[str, np.ndarray]) -> None:
    """Write arrays with names such as "dense_1/weight" into a new group."""
    weights = hdf5.new_group(file, group)
    for name, value in values.items():
        layer, parameter = name.split("/")
        owner = weights[layer] if layer in weights else hdf5.new_group(weights, layer)
        hdf5.write_array(owner, parameter, value, "f4")


def read_values(root: h5py.Group, group: str, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Read arrays that `write_values` wrote; refuse other names or shapes, and numbers that are not finite."""
    weights = hdf5.group(root, group)
    layers = {name: hdf5.group(weights, name) for name in weights}
    found = {f"{layer}/{name}" for layer, group in layers.items() for name in group}
    if missing := shapes.keys() - found:
        hdf5.refuse(f"its architecture asks for the weights {hdf5.some(missing)}, which are missing")
    if extra := found - shapes.keys():
        hdf5.refuse(f"its architecture has no place for the weights {hdf5.some(extra)}")
    values = {}
    for name, shape in shapes.items():
        layer, parameter = name.split("/")
        values[name] = hdf5.finite_array(layers[layer], parameter, "f4", shape)
        if name.endswith("running_var") and (values[name] < 0).any():
            hdf5.refuse(f"its weights {name} hold a variance below 0")
    return values


@contextmanager
def prefix_errors(path: StrPath) -> Iterator[None]:
    """Prefix the message of any UserError in the block with the name of the file."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _file_image(saved: SavedNetwork, extend: Callable[[h5py.File], None]) -> bytes:
    """Return the bytes of the file."""

    def encode(file: h5py.File) -> None:
        _encode(saved, file)
        extend(file)
        hdf5.write_texts_checksum(file)

    image = hdf5.file_image(encode)
    with h5py.File(BytesIO(image), "r") as file:
        decode(file)  # an unreadable file must not replace a readable one
    return image


def _encode(saved: SavedNetwork, file: h5py.File) -> None:
    texts = {
        "format": FORMAT,
        "fastdigits_version": __version__,
        "model": _printable(saved.model),
        "dataset": _printable(saved.dataset),
        "architecture": json.dumps(saved.network),
        "preprocessing": json.dumps(asdict(saved.normalisation)),
        "config": json.dumps(saved.config),
        "metrics": json.dumps(saved.metrics),
    }
    if saved.calibration:
        texts["calibration"] = json.dumps(asdict(saved.calibration))
    if saved.start:
        texts["start"] = json.dumps(asdict(replace(saved.start, file=_printable(saved.start.file))))
    for name in ("reading", "replay_reading"):
        if reading := getattr(saved, name):
            texts[name] = json.dumps(reading)
    for name, text in texts.items():
        hdf5.write_text(file, name, text)
    file.attrs["format_version"] = FORMAT_VERSION
    write_values(file, "weights", saved.weights)
    history = hdf5.new_group(file, "history")
    for one in _columns() if saved.history else ():
        column = np.array([epoch[one.name] for epoch in saved.history], "f8")  # None becomes NaN
        hdf5.write_array(history, one.name, column, "f8")


def _check_format(file: h5py.File) -> None:
    if not hdf5.has_attribute(file, "format") or hdf5.text(file, "format") != FORMAT:
        raise UserError("this HDF5 file holds no network of fastdigits; give one that 'fastdigits train' wrote.")
    version = hdf5.integer(file, "format_version")
    if version > FORMAT_VERSION:
        raise UserError(f"its format {version} is newer than fastdigits {__version__} knows; install a newer one.")
    if version < 1:
        hdf5.refuse(f"its format_version is {version}")


def _shapes(network: dict) -> dict[str, tuple[int, ...]]:
    kind = SequenceNetwork if "symbols" in network else Network
    try:
        return {name: array.shape for name, array in kind.from_config(network).state().items()}
    except UnknownObject:
        raise
    except UserError as error:
        hdf5.refuse(f"its architecture is not a valid network ({_printable(str(error))[:200].rstrip('.')})", error)


def normalisation_from(preprocessing: dict) -> Normalisation:
    """Return the normalization that a file describes in JSON; raise UserError if it is out of range."""
    mean: Any = preprocessing.get("mean")
    std: Any = preprocessing.get("std")
    numbers = type(mean) in (int, float) and type(std) in (int, float)
    if not numbers or not abs(mean) <= STD_MAX or not STD_MIN <= std <= STD_MAX:
        hdf5.refuse("its preprocessing needs a finite mean and a finite std above 0")
    try:
        preparation = Preparation(**preprocessing.get("preparation", {}))  # older files have none
    except (TypeError, UserError) as error:
        hdf5.refuse("its preprocessing has a preparation that is unknown or out of range", error)
    return Normalisation(float(mean), float(std), preparation)


def _calibration(file: h5py.File) -> Calibration | None:
    """Return the calibration, or None if the file has none."""
    if not hdf5.has_attribute(file, "calibration"):
        return None
    try:
        return Calibration(**hdf5.json_object(file, "calibration"))
    except (TypeError, UserError) as error:
        hdf5.refuse("its calibration is unknown or out of range", error)


def _start(file: h5py.File) -> Start | None:
    """Return the file that training started from, or None if there is none or an older version did not note it."""
    if not hdf5.has_attribute(file, "start"):
        return None
    start = hdf5.json_object(file, "start")
    name, digest = start.get("file"), start.get("sha256")
    if not isinstance(name, str) or not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
        hdf5.refuse("its start needs the name of a file and its SHA-256")
    return Start(_printable(name), digest)


def _reading(file: h5py.File, name: str) -> dict[str, Any]:
    """Return how a data set was read; {} if it was as recognized, or if an older version did not note it."""
    if not hdf5.has_attribute(file, name):
        return {}
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in hdf5.json_object(file, name).items()
    }
    if not all(key in READING_TYPES and _types_of(value) in READING_TYPES[key] for key, value in values.items()):
        hdf5.refuse("its reading of the data set is unknown or of a wrong type")
    try:
        return Reading(**values).to_dict()
    except (TypeError, OverflowError, UserError) as error:
        hdf5.refuse("its reading of the data set is out of range", error)


def _types_of(value: Any) -> type | tuple[type, ...]:
    return tuple(map(type, value)) if isinstance(value, tuple) else type(value)


def config_from(config: dict) -> dict:
    """Check names, types and values of the settings; add defaults for those that older files lack."""
    types: dict[str, Any] = {field.name: field.type for field in fields(TrainConfig)}
    for name, value in config.items():
        if name not in types or not _has_type(value, types[name]):
            hdf5.refuse(f"its config has {hdf5.some([name])}, which is unknown or of a wrong type")
    _check_known(config)
    return asdict(TrainConfig(**config))


def _check_known(config: dict) -> None:
    """Raise UnknownObject if the network was trained with a loss or the like from outside of the package."""
    effects = [part.partition("=")[0].strip() for part in filter(None, config.get("augment", "").split(","))]
    needed = [(kind, config[kind], table) for kind, table in CHOICES.items() if kind in config]
    for kind, name, table in [*needed, *(("augmentation", effect, {**EFFECTS, **OWN}) for effect in effects)]:
        if name not in table and re.fullmatch(r"[\w-]{1,100}", name):
            raise UnknownObject(kind, name)


def _has_type(value: object, kind: type | UnionType) -> bool:
    return isinstance(value, kind) or (isinstance(value, int) and isinstance(0.0, kind))


def _columns() -> list[Field]:
    """Return the fields in Epoch.to_dict()."""
    return [field for field in fields(Epoch) if field.name not in TIMING_FIELDS]


def _history(group: h5py.Group) -> list[dict]:
    names = [field.name for field in _columns()]
    if not len(group):
        return []
    if not {*names} - OPTIONAL_COLUMNS <= set(group) <= {*names}:
        hdf5.refuse(f"its history has not exactly the columns {', '.join(names)}")
    found = {name: hdf5.array(group, name, "f8") for name in names if name in group}
    if found["epoch"].ndim != 1 or len({column.shape for column in found.values()}) > 1:
        hdf5.refuse("its history is not columns of one length")
    columns = [found.get(name, np.full_like(found["epoch"], math.nan)) for name in names]
    values = map(_values, _columns(), columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _values(field: Field, column: np.ndarray) -> list[int | float | None]:
    """Convert a column to the types of Epoch: NaN becomes None where None is allowed."""
    values = [None if math.isnan(value) else value for value in column.tolist()]
    valid = float.is_integer if field.type is int else math.isfinite
    if not all(field.type not in (int, float) if value is None else valid(value) for value in values):
        hdf5.refuse(f"its history has NaN, infinity or a fraction for {field.name}")
    return [int(value) if field.type is int and value is not None else value for value in values]


def _printable(text: str) -> str:
    """Replace characters that are not printable; the name of a data folder may even have bytes that are no text."""
    return "".join(character if character.isprintable() else "?" for character in text)
