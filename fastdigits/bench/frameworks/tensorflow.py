"""TensorFlow: the exported model of Keras, trained with a step that TensorFlow compiles to a graph."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # hides messages about the instruction set of the CPU
import tensorflow as tf

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import keras

from fastdigits.bench.frameworks.training import exported, in_batches
from fastdigits.config.training import TrainConfig
from fastdigits.export.tensors import state_dict
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.optimizer import EPSILON, weight_decay_of

TITLE = "TensorFlow"
# Optimizers by our names
OPTIMIZERS: dict[str, Callable[[TrainConfig], Any]] = {
    "sgd": lambda config: keras.optimizers.SGD(),
    "momentum": lambda config: keras.optimizers.SGD(momentum=config.momentum),
    "nesterov": lambda config: keras.optimizers.SGD(momentum=config.momentum, nesterov=True),
    "adam": lambda config: keras.optimizers.Adam(beta_1=config.beta1, beta_2=config.beta2, epsilon=EPSILON),
    "adamw": lambda config: keras.optimizers.AdamW(
        weight_decay=weight_decay_of(config), beta_1=config.beta1, beta_2=config.beta2, epsilon=EPSILON
    ),
}


def version() -> str:
    """Return the version of the framework."""
    return tf.__version__


def why_unavailable(device: str) -> str | None:
    """Return why a device cannot be used, or None if it can."""
    if (backend := keras.backend.backend()) != "tensorflow":
        return f"Keras runs on {backend}, so set the environment variable KERAS_BACKEND to tensorflow"
    if device == "cuda" and not tf.config.list_physical_devices("GPU"):
        return "TensorFlow finds no GPU"
    return None


def why_different(config: TrainConfig) -> str | None:
    """Return why an optimizer of Keras does not compute the same as ours, or None if it does."""
    constant = config.schedule == "constant" and not config.warmup
    if config.optimizer in ("momentum", "nesterov") and not constant:
        return f"its {config.optimizer} multiplies each gradient by the rate of its own step, not of the current one"
    if config.optimizer != "adamw" and weight_decay_of(config):
        return f"the weight decay of its {config.optimizer} is not part of the gradient"
    return None


class Trainer:
    """See bench.frameworks.training.Trainer."""

    def __init__(
        self,
        saved: SavedNetwork,
        config: TrainConfig,
        images: np.ndarray,
        labels: np.ndarray,
        device: str,
        threads: int,
    ):
        _set_threads(threads)
        keras.utils.set_random_seed(config.seed % 2**32)  # of dropout
        defined = exported(saved, "keras")
        self.place, self.prepare = "/GPU:0" if device == "cuda" else "/CPU:0", defined["prepare"]
        with tf.device(self.place):
            self.network = defined["build"]()
            defined["load"](self.network, state_dict(saved))
            self.optimizer = OPTIMIZERS[config.optimizer](config)
            self.optimizer.build(self.network.trainable_variables)
            self.loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)
            self.images = tf.constant(in_batches(self.prepare, images))
            self.labels = tf.constant(labels.astype(np.int32))
            self.sums = tf.Variable(tf.zeros(2))
            rows, rate = tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.float32)
            self.graph = tf.function(self._step, input_signature=[rows, rate]).get_concrete_function()

    def step(self, rows: np.ndarray, rate: float) -> None:
        with tf.device(self.place):
            self.graph(tf.constant(rows), tf.constant(rate, tf.float32))

    def totals(self) -> tuple[float, float]:
        loss, hits = self.sums.numpy().tolist()  # waits for the device
        self.sums.assign(tf.zeros(2))
        return loss, hits

    def scores(self, images: np.ndarray) -> np.ndarray:
        with tf.device(self.place):
            return self.network(self.prepare(images), training=False).numpy()

    def _step(self, rows: Any, rate: Any) -> None:
        """Run one step; called while its graph is traced."""
        x, targets = tf.gather(self.images, rows), tf.gather(self.labels, rows)
        with tf.GradientTape() as tape:
            scores = self.network(x, training=True)
            loss = self.loss(tf.one_hot(targets, scores.shape[-1]), scores)
        variables = self.network.trainable_variables
        self.optimizer.learning_rate.assign(rate)
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        hits = tf.equal(tf.argmax(scores, 1, tf.int32), targets)
        self.sums.assign_add([loss * tf.cast(tf.size(rows), tf.float32), tf.reduce_sum(tf.cast(hits, tf.float32))])


def _set_threads(threads: int) -> None:
    """Set the number of threads; TensorFlow allows this only before its first operation."""
    if tf.config.threading.get_intra_op_parallelism_threads() == threads:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        pass  # it keeps those of the first training in this process
