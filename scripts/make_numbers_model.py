"""Train the shipped model data/models/numbers.h5, which reads whole handwritten numbers.

    python scripts/make_numbers_model.py
    python scripts/make_numbers_model.py --lines 2000 --epochs 2 --output trial.h5

scripts/lines draws synthetic pictures of numbers from MNIST's training images and pen strokes, and they are prepared
as `LineReader` prepares pictures. Lines that are drawn from held-out images set the temperature of the confidence and
the confidence below which a reading is unsure; none of these is drawn on a screen, which is easier to read.
scripts/measure_numbers.py measures the result. The output is the same to the byte each time on the same machine.
"""

import argparse
import os
import sys
from dataclasses import asdict, replace
from functools import partial

import numpy as np
from lines.calibrate import fit, read_all
from lines.collect import LineCollection

from fastdigits import ops
from fastdigits.config.training import TrainConfig
from fastdigits.data import load_digits
from fastdigits.data.lines import Lines
from fastdigits.data.preprocessing import Normalisation
from fastdigits.data.sources import shipped_folder
from fastdigits.imaging.line_format import LINE_HEIGHT, ink_strength, line_width, scale_line
from fastdigits.inference.line_reader import SHIPPED, LineReader, value_of
from fastdigits.inference.recognizer import Recognizer
from fastdigits.models.lines import SYMBOLS, number_reader
from fastdigits.nn.sequence_network import SequenceNetwork
from fastdigits.storage import weights
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training.lines import LineTrainer
from fastdigits.training.loop import split

LINES, EPOCHS = 72_000, 20
MAX_WIDTH = 480  # pixels of a training line; few are wider, and each width costs compilation and memory
AUGMENT = "shift=2,rotate=1.5,scale=0.08,shear=6,elastic=0.6,contrast=0.3,gamma=0.3,noise=0.04"


def main() -> None:
    """Draw the lines, train, calibrate and write the model."""
    options = _options()
    config = TrainConfig(
        epochs=options.epochs, batch_size=32, lr=0.004, weight_decay=0.01, clip_norm=5.0, augment=AUGMENT
    )
    mnist = load_digits()
    rows, held_out = split(mnist.train_labels, config)
    digits = mnist.train_images[rows], mnist.train_labels[rows]
    training = _lines(LineCollection(1, *digits), options.lines, options.processes)
    digits = mnist.train_images[held_out], mnist.train_labels[held_out]
    pictures, texts = _pictures(LineCollection(2, *digits, on_screen=0), options.lines // 20, options.processes)
    pixels = np.concatenate([image.reshape(-1) for image in training.images]) / np.float32(255)
    normalisation = Normalisation(float(pixels.mean()), float(pixels.std()))
    network = SequenceNetwork(number_reader(), (1, LINE_HEIGHT, 2 * LINE_HEIGHT), SYMBOLS)
    network.build(ops.load("cpu", options.threads), 1, training=True)
    network.initialise(config.seed)
    trainer = LineTrainer(network, training, normalisation, config)
    for epoch in range(1, config.epochs + 1):
        print(f"epoch {epoch}: loss {trainer.train_epoch():.4f}", flush=True)
        saved = SavedNetwork(
            network.config(), network.weights(), normalisation, "numbers", "synthetic numbers", asdict(config), [], {}
        )
        weights.write(options.output, saved)  # already of use before the last epoch
    reader = LineReader(options.output, "cpu", options.threads, Recognizer(None, "cpu", options.threads))
    inks = [ink_strength(picture) for picture in pictures]
    found = [found for _, found in reader.search([scale_line(ink) for ink in inks])]
    lattices = [reader.lattice(ink) for ink in inks]
    calibration = fit(found, lattices, texts)
    read = [text for text, _ in read_all(found, lattices, calibration.temperature)]
    correct = float(np.mean([value_of(a) == value_of(b) for a, b in zip(read, texts, strict=True)]))
    weights.write(options.output, replace(saved, calibration=calibration, metrics={"validation_accuracy": correct}))
    print(f"{correct:.2%} of {len(texts)} validation lines right, {calibration}, {options.output}")


def _lines(collection: LineCollection, count: int, processes: int) -> Lines:
    drawn = collection.draw(count, processes, partial(_report, count))
    return drawn.chosen(np.flatnonzero([image.shape[1] <= MAX_WIDTH for image in drawn.images]))


def _pictures(collection: LineCollection, count: int, processes: int) -> tuple[list[np.ndarray], list[str]]:
    pictures, texts = collection.pictures(count, processes, partial(_report, count))
    chosen = [number for number, picture in enumerate(pictures) if line_width(picture) <= MAX_WIDTH]
    return [pictures[number] for number in chosen], [texts[number] for number in chosen]


def _report(count: int, done: int) -> None:
    if done % 1000 == 0 or done == count:
        print(f"{done} of {count} lines", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default=str(shipped_folder() / SHIPPED))
    parser.add_argument("--lines", type=int, default=LINES, help="training lines")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    main()
