"""The training loop. Read this file first.

`train` runs the epochs and `train_epoch` the steps of one epoch. `Trainer.step` (trainer.py) is one step: forward
pass, loss, backward pass, update.
"""

from dataclasses import replace
from functools import partial
from time import perf_counter

import numpy as np

from fastdigits.config import schedules
from fastdigits.config.training import TrainConfig
from fastdigits.data import stratified_split
from fastdigits.errors import UserError
from fastdigits.nn.network import Network
from fastdigits.ops.interface import Ops
from fastdigits.storage.history import Epoch
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.callbacks import Callback, Training, following
from fastdigits.training.checkpoint import Checkpoints
from fastdigits.training.failure import TrainingFailed, TrainingInterrupted, are_finite, check_finite, overflow_fails
from fastdigits.training.precompile import compile_kernels
from fastdigits.training.result import TrainingResult
from fastdigits.training.trainer import Trainer, build_for_training
from fastdigits.training.transfer import normalisation_for
from fastdigits.training.verdict import Verdict, judge
from fastdigits.training.weighting import with_class_weight

BLOCK_S = 0.01  # of steps that may run without a callback in between, so that Ctrl-C and progress do not wait longer
MAX_BLOCK = 64  # steps, as a GPU only notes them at first

Rows = tuple[np.ndarray, np.ndarray]  # indices of the images to train on and to validate on, int32


def train(
    network: Network,
    images: np.ndarray,
    labels: np.ndarray,
    ops: Ops,
    config: TrainConfig,
    callback: Callback,
    rows: Rows | None = None,
    checkpoints: Checkpoints | None = None,
    trained: SavedNetwork | None = None,
    weights: np.ndarray | None = None,
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
        The checkpoint to resume, and the file for new ones. Nothing is resumed or saved by default.
    trained : SavedNetwork, optional
        The network, of the same architecture, whose weights and normalization training starts from; `config.warm_start`
        must be set. Random weights by default.
    weights : float32 (N,), optional
        Factor of each image's loss in training; 1 by default. Those of `config.class_weight` multiply it.

    Raises
    ------
    UserError
        If the configuration or the checkpoint does not fit the images.
    TrainingFailed
        If the loss or a weight becomes NaN or infinite. The network then has the weights of the last finite epoch.
    TrainingInterrupted
        If the callback or Ctrl-C raises KeyboardInterrupt after the first step. The network keeps its weights.
    """
    network.check_images(images, labels, config.pad)
    checkpoints = checkpoints or Checkpoints()
    train_rows, validation_rows = rows or split(labels, config)
    if config.warm_start and not (trained or checkpoints.resumed):
        raise UserError("warm_start needs a trained network to start from.")
    normalisation = normalisation_for(trained, images, train_rows) if trained else checkpoints.normalisation
    batches = build_for_training(
        network, images, labels, train_rows, ops, config, checkpoints.preparation, normalisation
    )

    weights = with_class_weight(weights, labels, train_rows, config.class_weight)
    start = perf_counter()
    compile_kernels(network, batches, config, weighted=weights is not None)
    seconds = {"compile": perf_counter() - start, "train": 0.0, "validation": 0.0}
    callback.on_compiled(seconds["compile"])

    network.initialise(config.seed)
    if trained:
        network.set_weights(trained.weights)
    trainer = Trainer(network, batches, config, train_rows, weights)
    checkpoints.restore(trainer, len(train_rows))
    resumed_images = trainer.images_trained

    def result(kept_epoch: int, verdict: Verdict | None = None) -> TrainingResult:
        images_trained = trainer.images_trained - resumed_images
        seconds["train"] = sum((epoch.seconds or 0.0 for epoch in trainer.history), 0.0)  # None before the checkpoint
        return TrainingResult(
            normalisation=batches.normalisation,
            epochs=trainer.history,
            seconds=seconds,
            images_per_second=images_trained / seconds["train"] if images_trained and seconds["train"] else None,
            batch_size=config.batch_size or len(train_rows),
            kept_epoch=kept_epoch,
            verdict=verdict,
        )

    with following(callback, Training(trainer)):
        try:
            while not trainer.is_over():
                epoch = train_epoch(trainer, len(train_rows), callback, checkpoints)
                check_finite(epoch.epoch, epoch.train_loss, network.weights())
                if len(validation_rows):
                    with overflow_fails():
                        validation = trainer.evaluate(validation_rows)
                    check_finite(epoch.epoch, validation.loss)
                    epoch = replace(epoch, validation_loss=validation.loss, validation_accuracy=validation.accuracy)
                    seconds["validation"] += validation.seconds
                trainer.end_epoch(epoch)
                with checkpoints.on_interrupt(trainer):
                    callback.on_epoch_end(epoch)
                checkpoints.after_epoch(trainer)
            kept_epoch = trainer.finish()
            with overflow_fails():
                return result(kept_epoch, judge(network, batches, images, labels, train_rows, validation_rows))
        except TrainingFailed as failure:
            last = trainer.return_to_last_epoch()
            raise TrainingFailed(str(failure), None if last is None else result(last)) from None
        except KeyboardInterrupt as interrupt:
            last = trainer.finish() if trainer.images_trained else None
            if not are_finite(network.weights()):
                last = trainer.return_to_last_epoch()
            if last is None:
                raise
            raise TrainingInterrupted(result(last)) from interrupt


def train_epoch(trainer: Trainer, total: int, callback: Callback, checkpoints: Checkpoints) -> Epoch:
    """Train on each of `total` images once, in random order, and return the metrics, without those of validation.

    If a checkpoint was written in the middle of the epoch, train on the remaining images only. If the callback stops
    training, the epoch ends with the current step.
    """
    start, images_before = perf_counter(), trainer.images_done
    config, epoch = trainer.config, len(trainer.history) + 1
    batch_size = config.batch_size or total
    epoch_steps = -(-total // batch_size)
    ranks = [record.rank for record in trainer.history] if config.schedule == "plateau" else []
    steps = range((epoch - 1) * epoch_steps, epoch * epoch_steps)
    lr_factors = [schedules.lr_factor(config, step, epoch_steps, ranks) for step in steps]
    trainer.start_epoch(epoch, lr_factors)
    if not trainer.images_done:
        trainer.reset_metrics()
    block = 1
    while trainer.images_done < total and not trainer.stopped:
        first = trainer.images_done
        count = min(batch_size, total - first)
        times = 1 if callback.every_step else min(block, (total - first) // count)
        step_start = perf_counter()
        trainer.step(first, count, times)
        block = block_after(times, perf_counter() - step_start)
        trainer.images_done = done = first + times * count
        with checkpoints.on_interrupt(trainer):
            callback.on_step(epoch, done, total, partial(trainer.metrics, done))
    done = trainer.images_done
    loss, accuracy = trainer.metrics(done)
    lr = trainer.optimizer.lr * lr_factors[(done - 1) // batch_size]
    seconds = perf_counter() - start
    return Epoch(epoch, loss, accuracy, None, None, lr, seconds, (done - images_before) / seconds)


def block_after(steps: int, seconds: float) -> int:
    """Return how many steps to run before the next callback, given what the last ones took."""
    return int(np.clip(BLOCK_S * steps / seconds, 1, MAX_BLOCK))


def split(labels: np.ndarray, config: TrainConfig) -> Rows:
    """Split the images, stratified by class; return the indices of those to train on and of those to validate on."""
    count = len(labels) // 12 if config.validation is None else config.validation
    return stratified_split(labels, count, config.seed)
