"""The training loop. Read this file first.

`train` runs the epochs and `train_epoch` the steps of one epoch. Each step is in `Trainer` (trainer.py): forward,
loss, backward, update.
"""

from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np

from fastdigits.config import schedules
from fastdigits.config.training import TrainConfig
from fastdigits.data import stratified_split
from fastdigits.data.preprocessing import Normalisation
from fastdigits.inference.evaluate import evaluate
from fastdigits.nn.network import Network
from fastdigits.ops.interface import Ops
from fastdigits.storage.history import Epoch
from fastdigits.training.callbacks import Callback
from fastdigits.training.checkpoint import Checkpoints
from fastdigits.training.failure import TrainingFailed
from fastdigits.training.precompile import compile_kernels
from fastdigits.training.trainer import Trainer, build_for_training

Rows = tuple[np.ndarray, np.ndarray]  # indices of the images to train on and to validate on, int32


@dataclass(frozen=True)
class TrainingResult:
    """The result of `train`; the trained weights are in the network.

    Attributes
    ----------
    normalisation : Normalisation
    epochs : list of Epoch
    seconds : dict, of "compile", "train" and "validation".
    images_per_second : float or None
        None if a resumed training had no step left.
    batch_size : int
    kept_epoch : int
        The epoch whose weights the network has.
    """

    normalisation: Normalisation
    epochs: list[Epoch]
    seconds: dict[str, float]
    images_per_second: float | None
    batch_size: int
    kept_epoch: int


def train(
    network: Network,
    images: np.ndarray,
    labels: np.ndarray,
    ops: Ops,
    config: TrainConfig,
    callback: Callback,
    rows: Rows | None = None,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult:
    """Build a network on a device, initialise its weights and train it.

    Parameters
    ----------
    network : Network
    images : uint8 (N, H, W)
    labels : uint8 (N,)
    ops : Ops
    config : TrainConfig
    callback : Callback
    rows : two int32 arrays, optional
        Indices of the images to train on and to validate on; those of `split` by default.
    checkpoints : Checkpoints, optional
        The checkpoint to resume, and where to save new ones.

    Raises
    ------
    UserError
        If the configuration or the checkpoint does not fit the images.
    TrainingFailed
        If the loss or a weight becomes NaN or infinite.
    """
    network.check_images(images, labels, config.pad)
    checkpoints = checkpoints or Checkpoints()
    train_rows, validation_rows = rows or split(labels, config)
    batches = build_for_training(network, images, labels, train_rows, ops, config)

    start = perf_counter()
    compile_kernels(network, batches, config)
    seconds = {"compile": perf_counter() - start, "train": 0.0, "validation": 0.0}
    callback.on_compiled(seconds["compile"])

    network.initialise(config.seed)
    trainer, trained_images = Trainer(network, batches, config, train_rows), 0
    checkpoints.restore(trainer, len(train_rows))
    while not trainer.is_over():
        start, resumed_at = perf_counter(), trainer.images_done
        loss, accuracy, lr = train_epoch(trainer, len(train_rows), callback, checkpoints)
        epoch_s, epoch_images = perf_counter() - start, len(train_rows) - resumed_at
        number = len(trainer.history) + 1
        if not np.isfinite(loss) or not all(np.isfinite(value).all() for value in network.weights().values()):
            raise TrainingFailed(f"The loss or a weight is not finite after epoch {number}; lower --lr.")
        with trainer.using_evaluation_weights():
            validation = evaluate(network, batches, validation_rows, config.loss) if len(validation_rows) else None
        validation_loss, validation_accuracy = (validation.loss, validation.accuracy) if validation else (None, None)
        trained_images += epoch_images
        seconds["train"] += epoch_s
        seconds["validation"] += validation.seconds if validation else 0.0
        trainer.end_epoch(
            Epoch(number, loss, accuracy, validation_loss, validation_accuracy, lr, epoch_s, epoch_images / epoch_s)
        )
        with checkpoints.on_interrupt(trainer):
            callback.on_epoch_end(trainer.history[-1])
        checkpoints.after_epoch(trainer)
    kept_epoch = trainer.finish()
    rate = trained_images / seconds["train"] if trained_images else None
    batch_size = config.batch_size or len(train_rows)
    return TrainingResult(batches.normalisation, trainer.history, seconds, rate, batch_size, kept_epoch)


def train_epoch(
    trainer: Trainer, total: int, callback: Callback, checkpoints: Checkpoints
) -> tuple[float, float, float]:
    """Train on each of `total` images once, in random order; return (mean loss, accuracy, last learning rate)."""
    config, epoch = trainer.config, len(trainer.history) + 1
    trainer.shuffle(epoch)
    batch_size = config.batch_size or total
    epoch_steps = -(-total // batch_size)
    ranks = [record.rank for record in trainer.history] if config.schedule == "plateau" else []

    def lr_factor(step: int) -> float:
        return schedules.lr_factor(config, step, epoch_steps, ranks)

    if not trainer.images_done:  # else a checkpoint resumes in the middle of the epoch
        trainer.reset_metrics()
    while trainer.images_done < total:
        first = trainer.images_done
        count = min(batch_size, total - first)
        step = (epoch - 1) * epoch_steps + first // batch_size
        trainer.step(first, count, lr_factor(step))
        trainer.images_done = done = first + count
        with checkpoints.on_interrupt(trainer):
            callback.on_step(epoch, done, total, partial(trainer.metrics, done))
    return *trainer.metrics(total), trainer.optimizer.lr * lr_factor(epoch * epoch_steps - 1)


def split(labels: np.ndarray, config: TrainConfig) -> Rows:
    """Return the indices of the images to train on and to validate on."""
    count = len(labels) // 12 if config.validation is None else config.validation
    return stratified_split(labels, count, config.seed)
