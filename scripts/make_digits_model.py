"""Make the model that ships: data/models/digits.h5, a network that reads pictures and knows what is no digit.

    python scripts/make_digits_model.py

It learns from MNIST's training images, from pictures of many kinds drawn from these and from strokes of a pen
(scripts/pictures), prepared as `fastdigits predict` prepares them, and, as an eleventh class, from pictures without a
digit. Validation images are drawn from images that it does not learn from; they decide the temperature of its
probabilities and the confidence below which it is unsure. On the same machine the same bytes come out.
"""

import argparse
import os
import sys
from dataclasses import replace

import numpy as np
from pictures.collect import NO_DIGIT, Collection, Seen

from fastdigits import ops
from fastdigits.config.recipes import AUGMENT
from fastdigits.config.training import TrainConfig
from fastdigits.data import load_digits
from fastdigits.data.sources import DigitSet, shipped_folder
from fastdigits.inference.recognizer import SHIPPED, Recognizer
from fastdigits.models import layers_of
from fastdigits.nn import Network
from fastdigits.nn.calibration import Calibration, fit_temperature
from fastdigits.storage import weights
from fastdigits.storage.history import Epoch
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.callbacks import Callback
from fastdigits.training.experiment import run
from fastdigits.training.loop import split

MODEL, EPOCHS = "best", 20
MAX_CONFIDENT_NEGATIVES = 0.025  # of those that it validates with


class Log(Callback):
    """A line for each epoch."""

    def on_epoch_end(self, record: Epoch) -> None:
        print(f"epoch {record.epoch}: validation accuracy {record.validation_accuracy:.2%}", flush=True)


def main() -> None:
    """Draw, train, calibrate, write."""
    options = _options()
    config = TrainConfig(epochs=options.epochs, augment=AUGMENT, seed=options.seed)
    mnist = load_digits()
    rows, held_out = split(mnist.train_labels, config)
    learned = _pictures(mnist, rows, 1, options.digits, options.negatives, options.processes)
    validated = _pictures(mnist, held_out, 2, options.digits // 8, options.negatives // 4, options.processes)
    digits, all_rows = _joined(mnist, rows, held_out, learned, validated)
    network, device = Network(layers_of(MODEL, classes=NO_DIGIT + 1)), ops.load("cpu", options.threads)
    done = run(MODEL, network, digits, device, config, Log(), all_rows)
    weights.write(options.output, done.saved())
    print(finish(done.saved(), validated, mnist, options.output))


def finish(saved: SavedNetwork, validated: Seen, mnist: DigitSet, path: str) -> str:
    """Write a network that has learned, calibrated, with the share of MNIST's digits that a Recognizer reads right."""
    weights.write(path, saved)
    recognizer = Recognizer(path, "cpu")
    calibration = _calibrated(recognizer, validated)
    right = np.array([reading.digit for reading in recognizer.predict(mnist.test_images)]) == mnist.test_labels
    metrics = saved.metrics | {"test_accuracy": float(right.mean())}
    weights.write(path, replace(saved, calibration=calibration, metrics=metrics))
    return f"test accuracy {right.mean():.2%} on MNIST, {calibration}, {path}"


def _pictures(mnist: DigitSet, rows: np.ndarray, seed: int, digits: int, negatives: int, processes: int) -> Seen:
    def tell(done: int) -> None:
        if done % 1000 == 0 or done == digits + negatives:
            print(f"{done} of {digits + negatives} pictures", file=sys.stderr, flush=True)

    collection = Collection(seed, mnist.train_images[rows], mnist.train_labels[rows])
    return collection.draw(digits, negatives, processes, tell)


def _joined(
    mnist: DigitSet, rows: np.ndarray, held_out: np.ndarray, learned: Seen, validated: Seen
) -> tuple[DigitSet, list[np.ndarray]]:
    """MNIST with the pictures, and the rows to learn from and to validate with."""
    images = np.concatenate([mnist.train_images, learned.images, validated.images])
    labels = np.concatenate([mnist.train_labels, learned.labels, validated.labels])
    first, last = len(mnist.train_labels), len(labels) - len(validated.labels)
    parts = [rows, np.arange(first, last)], [held_out, np.arange(last, len(labels))]
    digits = DigitSet("mnist and pictures", images, labels, mnist.test_images, mnist.test_labels)
    return digits, [np.concatenate(part).astype(np.int32) for part in parts]


def _calibrated(recognizer: Recognizer, seen: Seen) -> Calibration:
    """Honest probabilities, and so high a confidence asked for that few negatives have it, seen in any way."""
    temperature = fit_temperature(recognizer.class_probabilities(seen.images), seen.labels)
    recognizer.calibration = Calibration(temperature)
    doubt = np.array([1 - reading.confidence for reading in recognizer.predict(seen.images)]) * seen.ways
    least = np.ones(seen.pictures[-1] + 1)
    np.minimum.at(least, seen.pictures, doubt)
    negative = np.zeros(len(least), bool)
    negative[seen.pictures] = seen.labels == NO_DIGIT
    most_doubt = float(np.quantile(least[negative], MAX_CONFIDENT_NEGATIVES))
    calibration = Calibration(round(temperature, 3), round(1 - min(max(most_doubt, 0.01), 0.5), 3))
    unsure = np.mean(least[~negative] > 1 - calibration.unsure_below)
    print(f"unsure of {unsure:.2%} of the validation pictures with a digit")
    return calibration


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default=str(shipped_folder() / SHIPPED))
    parser.add_argument("--digits", type=int, default=40_000, help="pictures of digits to learn from")
    parser.add_argument("--negatives", type=int, default=16_000, help="pictures without one to learn from")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    main()
