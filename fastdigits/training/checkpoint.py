"""Checkpoints: resumed training gives the same bits as uninterrupted training.

A checkpoint is the weights file that training would write if it ended now, with these additions:
- the attribute `progress`: JSON, see PROGRESS_TYPES,
- the group /state: flat arrays of the parameters, the optimizer's state and the moving average,
- the group /best: the weights of the best epoch, if the configuration keeps them.
The order of the images is not stored: it follows from the seed and the epoch.
"""

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zlib import crc32

import h5py
import numpy as np

from fastdigits.data import DigitSet
from fastdigits.data.preprocessing import Normalisation, Preparation
from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.storage import hdf5, weights
from fastdigits.storage.history import Epoch
from fastdigits.storage.rescue import write_elsewhere
from fastdigits.storage.weights import SavedNetwork, Start
from fastdigits.training.continuation import Continuation

if TYPE_CHECKING:
    from fastdigits.training.trainer import Trainer

# `images`, `total_loss` and `total_hits` count the current epoch, `steps` all epochs; `labels` is a checksum.
PROGRESS_TYPES: dict[str, Any] = {"labels": int, "images": int, "steps": int, "total_loss": float, "total_hits": float}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The content of a checkpoint file.

    Attributes
    ----------
    path : path
    saved : SavedNetwork
    progress : dict
        See PROGRESS_TYPES.
    state : dict of float32 arrays (n,)
    best : dict of float32 arrays, or None
        Weights of the best epoch, as in Network.weights().
    """

    path: StrPath
    saved: SavedNetwork
    progress: dict[str, Any]
    state: dict[str, np.ndarray]
    best: dict[str, np.ndarray] | None


@dataclass(eq=False)
class Checkpoints:
    """The checkpoint or finished network to resume, and the file for new checkpoints.

    Attributes
    ----------
    path : path, optional
        File to write if training is interrupted; if that fails, another one. Nothing is written by default.
    every : int, optional
        Also write the file every `every` epochs; if that fails, again after the next epoch.
    model, dataset : str
        Names to store in the file.
    start : Start, optional
        The weights file that training started from, to store in the file.
    reading, replay_reading : dict
        How the images were read, to store in the file; see DigitSet.
    resumed : Checkpoint or Continuation, optional
        What to resume.
    warn : function
        Called with a sentence if a checkpoint cannot be written; training goes on.
    written : path, optional
        The file that has been written last.
    """

    path: StrPath | None = None
    every: int | None = None
    model: str = ""
    dataset: str = ""
    start: Start | None = None
    reading: dict[str, Any] = field(default_factory=dict)
    replay_reading: dict[str, Any] = field(default_factory=dict)
    resumed: Checkpoint | Continuation | None = None
    warn: Callable[[str], object] = warnings.warn
    written: StrPath | None = None
    overdue: bool = False

    @property
    def preparation(self) -> Preparation | None:
        """The preparation of the images in the checkpoint to resume: old ones did not invert images of dark ink."""
        return self.resumed.saved.normalisation.preparation if self.resumed else None

    @property
    def normalisation(self) -> Normalisation | None:
        """The normalization in the file to resume, if it is that of the network from which its training started."""
        saved = self.resumed.saved if self.resumed else None
        return saved.normalisation if saved and saved.config["warm_start"] else None

    def describe(self, digits: DigitSet) -> None:
        """Store in the file what the data set is called, and how it was read."""
        self.dataset, self.reading, self.replay_reading = digits.name, digits.reading, digits.replay_reading

    def restore(self, trainer: "Trainer", images: int) -> None:
        """Restore the state of a new trainer of `images` training images, if there is a checkpoint to resume.

        Raises
        ------
        UserError
            If the checkpoint was trained on other images, or for more epochs than the configuration asks for.
        """
        if self.resumed is None:
            return
        with weights.prefix_errors(self.resumed.path):
            if isinstance(self.resumed, Continuation):
                self.resumed.restore(trainer)
            else:
                _restore(trainer, self.resumed, images)

    @contextmanager
    def on_interrupt(self, trainer: "Trainer") -> Iterator[None]:
        """Save a checkpoint if the block raises an exception, such as KeyboardInterrupt; use it between two steps."""
        try:
            yield
        except BaseException:
            self._save_before_end(trainer)
            raise

    def after_epoch(self, trainer: "Trainer") -> None:
        """Save a checkpoint every `every` epochs, and after an epoch in which that failed."""
        if not self.every or not (self.overdue or len(trainer.history) % self.every == 0):
            return
        try:
            self.save(trainer)
        except UserError as error:
            if not self.overdue:  # warn only once until a checkpoint is written
                self.warn(f"No checkpoint after epoch {len(trainer.history)}: {error} Training goes on.")
            self.overdue = True
        else:
            self.overdue = False

    def save(self, trainer: "Trainer") -> None:
        """Write the file, if there is a path; call this only between two steps."""
        if self.path is not None:
            self._write(self.path, trainer)

    def _save_before_end(self, trainer: "Trainer") -> None:
        """Write the file, or else one in another folder; if no folder takes it, only warn."""
        try:
            self.save(trainer)
        except UserError as error:
            assert self.path is not None  # otherwise nothing is written
            path = write_elsewhere(self.path, lambda path: self._write(path, trainer))
            self.warn(f"{error} The checkpoint is {path} instead." if path else f"There is no checkpoint: {error}")

    def _write(self, path: StrPath, trainer: "Trainer") -> None:
        with trainer.using_evaluation_weights():
            saved = SavedNetwork.of(
                trainer.network,
                trainer.batches.normalisation,
                trainer.config,
                trainer.history,
                model=self.model,
                dataset=self.dataset,
                start=self.start,
                reading=self.reading,
                replay_reading=self.replay_reading,
            )
        weights.write(path, saved, lambda file: _encode(trainer, saved, file))
        self.written = path


def is_checkpoint(path: StrPath) -> bool:
    """Return whether a file is a checkpoint; raise UserError if it is no HDF5 file."""
    with weights.prefix_errors(path), hdf5.open_file(path) as file:
        return hdf5.has_attribute(file, "progress")


def read(path: StrPath) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    UserError
        If the file is damaged or not a checkpoint.
    """
    with weights.prefix_errors(path), hdf5.open_file(path) as file:
        if not hdf5.has_attribute(file, "progress"):
            raise UserError("it is not a checkpoint; give one that 'fastdigits train --checkpoint-every' wrote.")
        saved = weights.decode(file)
        return Checkpoint(path, saved, *_decode(file, saved))


def _encode(trainer: "Trainer", saved: SavedNetwork, file: h5py.File) -> None:
    hdf5.write_text(file, "progress", json.dumps(_progress(trainer)))
    state = hdf5.new_group(file, "state")
    for name, array in _state_arrays(trainer).items():
        hdf5.write_array(state, name, trainer.ops.download(array).reshape(-1), "f4")
    if trainer.best_weights:
        weights.write_values(file, "best", trainer.best_weights)
    _decode(file, saved)  # an unreadable checkpoint must not replace a readable one


def _decode(
    file: h5py.File, saved: SavedNetwork
) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, np.ndarray] | None]:
    """Return what a checkpoint has in addition to its weights: progress, state and best weights."""
    root = hdf5.group(file, "/")
    state = hdf5.group(root, "state")
    shapes = {name: value.shape for name, value in saved.weights.items()}
    return (
        _checked_progress(hdf5.json_object(file, "progress")),
        {name: hdf5.finite_array(state, name, "f4") for name in state},
        weights.read_values(root, "best", shapes) if "best" in root else None,
    )


def _progress(trainer: "Trainer") -> dict[str, Any]:
    loss, hits = trainer.ops.download(trainer.totals).tolist()
    progress = {"labels": _checksum(trainer), "images": trainer.images_done, "total_loss": loss, "total_hits": hits}
    return progress | {"steps": trainer.optimizer.steps}


def _checked_progress(progress: dict[str, Any]) -> dict[str, Any]:
    for name, kind in PROGRESS_TYPES.items():
        value: Any = progress.get(name)
        if type(value) is not kind or not 0 <= value < 2**62:
            hdf5.refuse(f"its progress has no valid number for {name}")
    return progress


def _state_arrays(trainer: "Trainer") -> dict[str, Any]:
    """Return all device arrays that the next step depends on, by their names in the file."""
    optimizer = {f"memory_{number}": array for number, array in enumerate(trainer.optimizer.state_arrays, 1)}
    average = {"average": trainer.ema.values} if trainer.ema else {}
    return {"parameters": trainer.network.buffer.values, **optimizer, **average}


def _checksum(trainer: "Trainer") -> int:
    """Return a checksum of the labels, which identifies the data set even if pixels are not normalised."""
    return crc32(trainer.ops.download(trainer.batches.labels).data)


def _restore(trainer: "Trainer", checkpoint: Checkpoint, images: int) -> None:
    ops, saved, progress = trainer.ops, checkpoint.saved, checkpoint.progress
    if saved.normalisation != trainer.batches.normalisation or progress["labels"] != _checksum(trainer):
        raise UserError("it was trained on other images; give the same --data.")
    trainer.history = [Epoch(**epoch) for epoch in saved.history]
    done = len(trainer.history)
    if done > trainer.config.epochs:
        raise UserError(f"it has been trained for {done} epochs already; give --epochs {done} or more.")
    arrays = _state_arrays(trainer)
    sizes = {name: value.size for name, value in checkpoint.state.items()}
    if sizes != {name: array.size for name, array in arrays.items()}:
        hdf5.refuse("its state does not belong to its network and optimizer")
    batch_size = trainer.config.batch_size or images
    steps = done * -(-images // batch_size) + -(-progress["images"] // batch_size)
    # The optimizer starts from its initial state where a finished network is trained further
    known_steps = any(progress["steps"] == steps - before * -(-images // batch_size) for before in range(done + 1))
    between_steps = progress["images"] in (*range(0, images, batch_size), images)
    keeps_best = trainer.config.keeps_best and bool(trainer.history)
    if not known_steps or not between_steps or (checkpoint.best is not None) != keeps_best:
        hdf5.refuse("its progress does not belong to its history")
    trainer.network.set_weights(saved.weights)  # sets the running statistics, which are outside the flat arrays
    for name, array in arrays.items():
        array[...] = ops.upload(checkpoint.state[name].reshape(array.shape))
    trainer.best_weights, trainer.images_done = checkpoint.best, progress["images"]
    trainer.optimizer.steps = progress["steps"]
    trainer.totals[...] = ops.upload(np.array([progress["total_loss"], progress["total_hits"]]))
