"""Measure how fast a network trains on images that are mapped from a packed file, next to arrays in memory.

    python scripts/measure_large_set.py
    python scripts/measure_large_set.py --images 200000 --compared 100000

Writes a set of shifted MNIST images to a folder for temporary files, packs it, and trains `linear` on it. First two
processes go through all images once, mapped and in memory, and tell their memory without the pages of files. Then one
process trains on the first images in turns, mapped and in memory, and compares the medians of the epochs. Speeds are
images per second by the clock and, as other programs disturb these, per second of all processors.
"""

import struct
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time, sleep

import click
import numpy as np

from fastdigits import Callback, Dense, Flatten, Sequential, load_digits
from fastdigits.data.packing import pack
from fastdigits.storage.history import Epoch
from fastdigits.training.callbacks import Training

TEST_IMAGES = 10000
BATCH_SIZE = 128


def write_idx(folder: Path, count: int) -> None:
    """Write `count` training images and MNIST's test images as IDX files."""
    mnist = load_digits()
    rng = np.random.default_rng(0)
    for part, images, labels, number in (
        ("train", mnist.train_images, mnist.train_labels, count),
        ("t10k", mnist.test_images, mnist.test_labels, TEST_IMAGES),
    ):
        with open(folder / f"{part}-images-idx3-ubyte", "wb") as file:
            file.write(struct.pack(">4I", 0x803, number, 28, 28))
            for first in range(0, number, len(images)):
                shifted = np.roll(images, rng.integers(-2, 3, 2), axis=(1, 2)) if first else images
                file.write(shifted[: number - first].tobytes())
        header = struct.pack(">2I", 0x801, number)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(header + np.resize(labels, number).tobytes())


class OneEpoch(Callback):
    """The seconds of a training of one epoch, by the clock and of all processors, without compilation."""

    clock = processors = 0.0

    def on_train_start(self, training: Training) -> None:
        self.processors = process_time()

    def on_epoch_end(self, record: Epoch) -> None:
        self.clock, self.processors = record.seconds, process_time() - self.processors


def train(images: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Train `linear` for an epoch; return images per second by the clock and per second of all processors."""
    model, times = Sequential([Flatten(), Dense(10)], device="cpu"), OneEpoch()
    model.fit(images, labels, callbacks=[times], batch_size=BATCH_SIZE, epochs=1, validation=0, verbose=0)
    return len(images) / times.clock, len(images) / times.processors


def anonymous_mb() -> float:
    """Return the resident memory of this process without the pages of files, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000


def tell_memory(path: str, in_memory: bool) -> None:
    """Train on all images once, and print images per second and the largest memory."""
    highest, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.is_set():
            highest[0] = max(highest[0], anonymous_mb())
            sleep(0.02)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    digits = load_digits(path)
    images = np.array(digits.train_images) if in_memory else digits.train_images
    start = perf_counter()
    clock, _ = train(images, digits.train_labels)
    ended.set()
    watcher.join()
    place = "in memory" if in_memory else "mapped"
    print(
        f"{len(images):,} images {place}: {highest[0]:,.0f} MB beyond the page cache, {clock:,.0f} images/s, "
        f"{perf_counter() - start:.1f} s with the start of the training",
        flush=True,
    )


def compare(path: str, count: int, rounds: int) -> None:
    """Train on the first images in turns, mapped and in memory, and print both speeds."""
    digits = load_digits(path)
    labels = digits.train_labels[:count]
    mapped = digits.train_images[:count]
    places = {"mapped": mapped, "in memory": np.array(mapped)}
    for images in places.values():
        train(images[:BATCH_SIZE], labels[:BATCH_SIZE])  # compiles
    found = np.array([[train(images, labels) for images in places.values()] for _ in range(rounds)])
    for number, unit in enumerate(("images/s by the clock", "images per second of processors")):
        shown, medians = [], []
        for place, speeds in zip(places, found[:, :, number].T, strict=True):
            shown.append(f"{place} {np.median(speeds):,.0f} ({speeds.min():,.0f} to {speeds.max():,.0f})")
            medians.append(np.median(speeds))
        print(f"{unit}: {', '.join(shown)}, {medians[0] / medians[1]:.1%}")


@click.command()
@click.option("--images", default=2_000_000, show_default=True, help="Number of training images.")
@click.option("--compared", default=500_000, show_default=True, help="Number of them to compare both ways with.")
@click.option("--rounds", default=6, show_default=True, help="Number of epochs each way.")
@click.option("--memory", hidden=True, type=(str, bool), default=None)
def main(images: int, compared: int, rounds: int, memory: tuple[str, bool] | None) -> None:
    """Print the memory and the speeds."""
    if memory is not None:
        tell_memory(*memory)
        return
    with TemporaryDirectory() as name:
        folder, path = Path(name), f"{name}/set.h5"
        write_idx(folder, images)
        start = perf_counter()
        pack(folder, path)
        print(f"packed {Path(path).stat().st_size / 1e9:.2f} GB in {perf_counter() - start:.1f} s", flush=True)
        for file in folder.glob("*ubyte"):
            file.unlink()
        for in_memory in ("false", "true"):
            subprocess.run([sys.executable, __file__, "--memory", path, in_memory], check=True)
        compare(path, min(compared, images), rounds)


if __name__ == "__main__":
    main()
