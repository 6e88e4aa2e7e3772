"""The training loop."""

from dataclasses import dataclass
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

Rows = tuple[np.ndarray, np.ndarray]  # to train on and to validate on, int32


@dataclass(frozen=True)
class TrainingResult:
    """A finished training; `seconds` are those of "compile", "train" and "validation".

    `batch_size` is how many images a step learned from, `kept_epoch` the epoch whose weights the network has;
    `images_per_second` is None where a checkpoint left nothing to learn.
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
    """Build the network on a device, give it its random start and train it.

    Parameters
    ----------
    network : Network
    images : uint8 (N, H, W)
    labels : uint8 (N,)
    ops : Ops
    config : TrainConfig
    callback : Callback
    rows : two int32 arrays, optional
        Which images to train and to validate on; as `split` chooses unless given.
    checkpoints : Checkpoints, optional
        Where to go on from and what to leave behind.

    Raises
    ------
    UserError
        If the configuration or the checkpoint does not fit the images.
    TrainingFailed
        If the network is no longer made of finite numbers.
    """
    network.check_images(images, labels, config.pad)
    checkpoints = checkpoints or Checkpoints()
    rows, validation_rows = rows or split(labels, config)
    batches = build_for_training(network, images, labels, rows, ops, config)

    start = perf_counter()
    compile_kernels(network, batches, config)
    seconds = {"compile": perf_counter() - start, "train": 0.0, "validation": 0.0}
    callback.on_compiled(seconds["compile"])

    network.initialise(config.seed)
    trainer, learned = Trainer(network, batches, config, rows), 0
    checkpoints.restore(trainer, len(rows))
    while not trainer.is_over():
        start, before = perf_counter(), trainer.images
        loss, accuracy, lr = train_epoch(trainer, len(rows), callback, checkpoints)
        epoch_s = perf_counter() - start
        number = len(trainer.history) + 1
        if not all(np.isfinite(value).all() for value in (loss, *network.weights().values())):
            raise TrainingFailed(f"The network is no longer made of finite numbers after epoch {number}; lower --lr.")
        with trainer.using_evaluation_weights():
            validation = evaluate(network, batches, validation_rows, config.loss) if len(validation_rows) else None
        held_out = (validation.loss, validation.accuracy) if validation else (None, None)
        learned += len(rows) - before
        seconds["train"] += epoch_s
        seconds["validation"] += validation.seconds if validation else 0.0
        trainer.end_epoch(Epoch(number, loss, accuracy, *held_out, lr, epoch_s, (len(rows) - before) / epoch_s))
        with checkpoints.on_interrupt(trainer):
            callback.on_epoch_end(trainer.history[-1])
        checkpoints.after_epoch(trainer)
    kept = trainer.finish()
    rate = learned / seconds["train"] if learned else None
    size = config.batch_size or len(rows)
    return TrainingResult(batches.normalisation, trainer.history, seconds, rate, size, kept)


def train_epoch(
    trainer: Trainer, total: int, callback: Callback, checkpoints: Checkpoints
) -> tuple[float, float, float]:
    """Learn once from every one of so many images, in an order of its own; return (mean loss, accuracy, last rate)."""
    config, epoch = trainer.config, len(trainer.history) + 1
    trainer.shuffle(epoch)
    size = config.batch_size or total
    steps = -(-total // size)
    ranks = [record.rank for record in trainer.history] if config.schedule == "plateau" else []

    def share(step: int) -> float:
        return schedules.lr_factor(config, step, steps, ranks)

    if not trainer.images:  # else a checkpoint goes on in the middle of an epoch
        trainer.reset_metrics()
    while trainer.images < total:
        first, last = trainer.images, min(trainer.images + size, total)
        step = (epoch - 1) * steps + first // size
        trainer.step(first, last - first, share(step))
        trainer.images = last
        with checkpoints.on_interrupt(trainer):
            callback.on_step(epoch, last, total, lambda done=last: trainer.metrics(done))
    return *trainer.metrics(total), trainer.optimizer.lr * share(epoch * steps - 1)


def split(labels: np.ndarray, config: TrainConfig) -> Rows:
    """(rows to train on, rows to validate on) of the training images."""
    count = len(labels) // 12 if config.validation is None else config.validation
    return stratified_split(labels, count, config.seed)
