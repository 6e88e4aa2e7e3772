"""Train the shipped model, data/models/digits.h5, which recognizes digits in pictures and rejects other pictures.

    python scripts/make_digits_model.py
    python scripts/make_digits_model.py --digits 2000 --negatives 800 --epochs 2 --output trial.h5
    python scripts/make_digits_model.py --recalibrate

The training set has MNIST's training images, synthetic pictures of digits, and, as an eleventh class, synthetic
pictures without a digit. scripts/pictures draws them from MNIST images and pen strokes, and they are prepared as
`fastdigits predict` prepares pictures. The validation pictures are drawn from MNIST images held out of training; they
set the temperature of the probabilities and the confidence below which the model is unsure. A mixture of pictures as in
use, scripts/pictures/mixture.py, sets the bias of "no digit". scripts/measure_calibration.py measures the result. The
output is the same to the byte each time on the same machine.
"""

import argparse
import os
import sys
from dataclasses import replace

import numpy as np
from pictures.collect import NO_DIGIT, CandidateImages, Collection
from pictures.mixture import mixture

from fastdigits import ops
from fastdigits.config.recipes import AUGMENT
from fastdigits.config.training import TrainConfig
from fastdigits.data import load_digits
from fastdigits.data.sources import DigitSet, shipped_folder
from fastdigits.inference.recognizer import SHIPPED, Recognizer
from fastdigits.models import layers_of
from fastdigits.nn import Network
from fastdigits.nn.calibration import Calibration, fit_no_digit_bias, fit_temperature
from fastdigits.storage import weights
from fastdigits.storage.history import Epoch
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.callbacks import Callback
from fastdigits.training.experiment import run
from fastdigits.training.loop import split

MODEL, EPOCHS = "best", 20
MAX_CONFIDENT_NEGATIVES = 0.025  # of the negatives in the validation set


class Log(Callback):
    """Print a line for each epoch."""

    def on_epoch_end(self, record: Epoch) -> None:
        print(f"epoch {record.epoch}: validation accuracy {record.validation_accuracy:.2%}", flush=True)


def main() -> None:
    """Draw the pictures, train, calibrate and write the model."""
    options = _options()
    config = TrainConfig(epochs=options.epochs, augment=AUGMENT, seed=options.seed)
    mnist = load_digits()
    rows, held_out = split(mnist.train_labels, config)
    validation = _pictures(mnist, held_out, 2, options.digits // 8, options.negatives // 4, options.processes)
    if options.recalibrate:
        saved = weights.read(options.output)
    else:
        training = _pictures(mnist, rows, 1, options.digits, options.negatives, options.processes)
        digits, all_rows = _joined(mnist, rows, held_out, training, validation)
        network, device = Network(layers_of(MODEL, classes=NO_DIGIT + 1)), ops.load("cpu", options.threads)
        saved = run(MODEL, network, digits, device, config, Log(), all_rows).saved()
        weights.write(options.output, saved)
    print(finish(saved, validation, mnist, held_out, options.output))


def finish(saved: SavedNetwork, validation: CandidateImages, mnist: DigitSet, held_out: np.ndarray, path: str) -> str:
    """Calibrate a trained network, evaluate it on MNIST's test images, write it and return a summary line."""
    weights.write(path, saved)
    recognizer = Recognizer(path, "cpu")
    calibration = _calibrate(recognizer, validation)
    in_use = mixture(mnist.train_images[held_out], mnist.train_labels[held_out], validation)
    calibration = replace(calibration, no_digit_bias=_no_digit_bias(recognizer, calibration, *in_use))
    correct = np.array([prediction.digit for prediction in recognizer.predict(mnist.test_images)]) == mnist.test_labels
    metrics = saved.metrics | {"test_accuracy": float(correct.mean())}
    weights.write(path, replace(saved, calibration=calibration, metrics=metrics))
    return f"test accuracy {correct.mean():.2%} on MNIST, {calibration}, {path}"


def _pictures(
    mnist: DigitSet, rows: np.ndarray, seed: int, digits: int, negatives: int, processes: int
) -> CandidateImages:
    def report(done: int) -> None:
        if done % 1000 == 0 or done == digits + negatives:
            print(f"{done} of {digits + negatives} pictures", file=sys.stderr, flush=True)

    collection = Collection(seed, mnist.train_images[rows], mnist.train_labels[rows])
    return collection.draw(digits, negatives, processes, report)


def _joined(
    mnist: DigitSet, rows: np.ndarray, held_out: np.ndarray, training: CandidateImages, validation: CandidateImages
) -> tuple[DigitSet, list[np.ndarray]]:
    """Return MNIST with the pictures added, and the rows for training and for validation."""
    images = np.concatenate([mnist.train_images, training.images, validation.images])
    labels = np.concatenate([mnist.train_labels, training.labels, validation.labels])
    first, last = len(mnist.train_labels), len(labels) - len(validation.labels)
    parts = [rows, np.arange(first, last)], [held_out, np.arange(last, len(labels))]
    digits = DigitSet("mnist and pictures", images, labels, mnist.test_images, mnist.test_labels)
    return digits, [np.concatenate(part).astype(np.int32) for part in parts]


def _calibrate(recognizer: Recognizer, candidates: CandidateImages) -> Calibration:
    """Fit the temperature, and set the confidence below which the model is unsure so that few negatives reach it.

    A negative counts as sure if any of its candidates is, by the rule of `Calibration.is_sure` for the n-th attempt.
    """
    temperature = fit_temperature(recognizer.class_probabilities(candidates.images), candidates.labels)
    recognizer.calibration = Calibration(temperature)
    doubt = np.array([prediction.doubt for prediction in recognizer.predict(candidates.images)]) * candidates.attempts
    least_doubt = np.ones(candidates.pictures[-1] + 1)
    np.minimum.at(least_doubt, candidates.pictures, doubt)
    negative = np.zeros(len(least_doubt), bool)
    negative[candidates.pictures] = candidates.labels == NO_DIGIT
    most_doubt = float(np.quantile(least_doubt[negative], MAX_CONFIDENT_NEGATIVES))
    calibration = Calibration(round(temperature, 3), round(1 - min(max(most_doubt, 0.01), 0.5), 3))
    unsure = np.mean(least_doubt[~negative] > 1 - calibration.unsure_below)
    print(f"unsure about {unsure:.2%} of the validation pictures with a digit")
    return calibration


def _no_digit_bias(recognizer: Recognizer, calibration: Calibration, images: np.ndarray, labels: np.ndarray) -> float:
    """Fit the bias on pictures as they occur in practice."""
    return round(fit_no_digit_bias(calibration.apply(recognizer.class_probabilities(images)), labels), 3)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default=str(shipped_folder() / SHIPPED))
    parser.add_argument("--recalibrate", action="store_true", help="keep the weights of the output, do not train")
    parser.add_argument("--digits", type=int, default=40_000, help="training pictures of digits")
    parser.add_argument("--negatives", type=int, default=16_000, help="training pictures without a digit")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    main()
