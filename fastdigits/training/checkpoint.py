"""Trainings that go on where they were left, to the same bits as if they had never stopped.

A checkpoint is a weights file with the network as it would be saved if training ended now, and besides
the attribute `progress` and the groups /state, with flat arrays of all parameters, the optimiser's memories
and the moving average, and /best, with the weights of the best epoch where they are to be kept.
The order of the images needs no place: it follows from the seed and the epoch.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

import h5py
import numpy as np

from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.storage import hdf5, weights
from fastdigits.storage.history import Epoch
from fastdigits.storage.weights import SavedNetwork

if TYPE_CHECKING:
    from fastdigits.training.trainer import Trainer

NUMBERS = {"labels": int, "images": int, "steps": int, "total_loss": float, "total_hits": float}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a checkpoint file holds."""

    path: StrPath
    saved: SavedNetwork
    numbers: dict[str, Any]  # as in NUMBERS
    state: dict[str, np.ndarray]  # flat float32 arrays
    best: dict[str, np.ndarray] | None  # as Network.weights()


@dataclass(eq=False)
class Checkpoints:
    """Where a training goes on from (`resumed`) and what it leaves behind: a file where it is interrupted.

    With `every` also after every so many epochs; without a path it leaves nothing. `model` and `dataset` are names
    that the file tells.
    """

    path: StrPath | None = None
    every: int | None = None
    model: str = ""
    dataset: str = ""
    resumed: Checkpoint | None = None
    written: bool = False

    @contextmanager
    def on_interrupt(self, trainer: "Trainer") -> Iterator[None]:
        """Write the file if the block is interrupted; wrap only code between two steps."""
        try:
            yield
        except KeyboardInterrupt:
            self.save(trainer)
            raise

    def after_epoch(self, trainer: "Trainer") -> None:
        """Write the file if it is time to."""
        if self.every and len(trainer.history) % self.every == 0:
            self.save(trainer)

    def save(self, trainer: "Trainer") -> None:
        """Write the file, between two steps of the training."""
        if self.path is None:
            return
        with trainer.using_evaluation_weights():
            saved = SavedNetwork.of(
                trainer.network,
                trainer.batches.normalisation,
                trainer.config,
                trainer.history,
                model=self.model,
                dataset=self.dataset,
            )
        weights.write(self.path, saved, lambda file: _encode(trainer, file))
        self.written = True

    def restore(self, trainer: "Trainer", images: int) -> None:
        """Give a new trainer, for so many training images, the state of the checkpoint that is resumed, if any.

        Raises
        ------
        UserError
            If the checkpoint is that of other images, or of more epochs than there are to be.
        """
        if self.resumed:
            with weights.prefix_errors(self.resumed.path):
                _restore(trainer, self.resumed, images)


def read(path: StrPath) -> Checkpoint:
    """Read a checkpoint; UserError if the file is damaged or none."""
    saved = weights.read(path)
    with weights.prefix_errors(path), hdf5.open_file(path) as file:
        if not hdf5.has_attribute(file, "progress"):
            raise UserError("it is no checkpoint; give one that 'fastdigits train --checkpoint-every' wrote.")
        root = hdf5.group(file, "/")
        state = hdf5.group(root, "state")
        shapes = {name: value.shape for name, value in saved.weights.items()}
        return Checkpoint(
            path=path,
            saved=saved,
            numbers=_numbers(hdf5.json_object(file, "progress")),
            state={name: hdf5.array(state, name, "f4") for name in state},
            best=weights.read_values(root, "best", shapes) if "best" in root else None,
        )


def _encode(trainer: "Trainer", file: h5py.File) -> None:
    hdf5.write_text(file, "progress", json.dumps(_progress(trainer)))
    state = file.create_group("state", track_order=True)
    for name, array in _arrays(trainer).items():
        state.create_dataset(name, data=trainer.ops.download(array).reshape(-1), dtype="<f4")
    if trainer.best_weights:
        weights.write_values(file, "best", trainer.best_weights)


def _progress(trainer: "Trainer") -> dict[str, Any]:
    loss, hits = trainer.ops.download(trainer.totals).tolist()
    progress = {"labels": _checksum(trainer), "images": trainer.images, "total_loss": loss, "total_hits": hits}
    return progress | {"steps": trainer.optimizer.steps}


def _arrays(trainer: "Trainer") -> dict[str, Any]:
    """All device arrays that the next step depends on."""
    memories = {f"memory_{number}": memory for number, memory in enumerate(trainer.optimizer.state_arrays, 1)}
    average = {"average": trainer.ema.values} if trainer.ema else {}
    return {"parameters": trainer.network.buffer.values, **memories, **average}


def _checksum(trainer: "Trainer") -> int:
    """Of the labels: pixels that are not normalised leave no other trace of the images."""
    return crc32(trainer.ops.download(trainer.batches.labels))


def _numbers(progress: dict) -> dict[str, Any]:
    for name, kind in NUMBERS.items():
        value = progress.get(name)
        if type(value) is not kind or not 0 <= value < 2**62:
            hdf5.refuse(f"its progress has no fitting number for {name}")
    return progress


def _restore(trainer: "Trainer", checkpoint: Checkpoint, images: int) -> None:
    ops, saved, numbers = trainer.ops, checkpoint.saved, checkpoint.numbers
    if saved.normalisation != trainer.batches.normalisation or numbers["labels"] != _checksum(trainer):
        raise UserError("it learned from other images; give --data as then.")
    trainer.history = [Epoch(**figures) for figures in saved.history]
    if len(trainer.history) > trainer.config.epochs:
        raise UserError(f"it has learned for {len(trainer.history)} epochs already; give --epochs as many or more.")
    arrays = _arrays(trainer)
    sizes = {name: value.size for name, value in checkpoint.state.items()}
    if sizes != {name: array.size for name, array in arrays.items()}:
        hdf5.refuse("its state does not belong to its network and optimiser")
    size = trainer.config.batch_size or images
    steps = len(saved.history) * -(-images // size) + -(-numbers["images"] // size)
    whole = numbers["images"] in (*range(0, images, size), images)
    if numbers["steps"] != steps or not whole or (checkpoint.best is None) == (_has_best(trainer)):
        hdf5.refuse("its progress does not belong to its history")
    trainer.network.set_weights(saved.weights)  # with what lies outside the flat arrays
    for name, array in arrays.items():
        array[...] = ops.upload(checkpoint.state[name].reshape(array.shape))
    trainer.best_weights, trainer.images = checkpoint.best, numbers["images"]
    trainer.optimizer.steps = numbers["steps"]
    trainer.totals[...] = ops.upload(np.array([numbers["total_loss"], numbers["total_hits"]]))


def _has_best(trainer: "Trainer") -> bool:
    return trainer.config.keeps_best and bool(trainer.history)
