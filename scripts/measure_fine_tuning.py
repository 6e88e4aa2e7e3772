"""Measure what fine-tuning on 100 corrected pictures costs and gives.

    python scripts/measure_fine_tuning.py
    python scripts/measure_fine_tuning.py --weights weights.h5 --threads 2

Each row is a kind of pictures that MNIST does not have. 100 of its training images that are misread when they are
changed in this way are the corrected pictures; 1,000 test images that are changed in the same way are their like. The
seconds are those of the whole command `fastdigits train --from`, once kernels are compiled. `processor s` counts all
cores.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory
from time import perf_counter

import click
import numpy as np
from pictures import corruptions
from pictures.scenes import Rng
from scipy import ndimage

from fastdigits import Sequential, load, load_digits
from fastdigits.data import DigitSet

CORRECTED, LIKE = 100, 1000
EXAMINED = 20000  # training images among which misread ones are searched
HEAD = ("pictures", "their like, before", "after", "MNIST, before", "after", "points", "seconds", "processor s")


def turned(rng: Rng, image: np.ndarray) -> np.ndarray:
    """Turned by 30 to 50 degrees, to the left or to the right."""
    angle = rng.uniform(30, 50) * rng.choice([-1, 1])
    return ndimage.rotate(image, angle, reshape=False, order=1)


KINDS: dict[str, corruptions.Corruption] = {
    "turned by 30 to 50 degrees": turned,
    "outlined": corruptions.outlined,
    "blurred": corruptions.blurred,
    "dotted": corruptions.dotted,
    "coarse": corruptions.coarse,
    "covered": corruptions.covered,
}


def corrected_set(model: Sequential, mnist: DigitSet, change: corruptions.Corruption, path: Path) -> float:
    """Write the corrected pictures and their like to a file; return the accuracy of the network on the latter."""
    rng = np.random.default_rng(0)
    images = np.stack([change(rng, image) for image in mnist.train_images[:EXAMINED]])
    wrong = np.flatnonzero(model.predict(images).argmax(1) != mnist.train_labels[:EXAMINED])[:CORRECTED]
    assert len(wrong) == CORRECTED, f"only {len(wrong)} pictures are misread"
    like = np.stack([change(rng, image) for image in mnist.test_images[:LIKE]])
    labels = mnist.test_labels[:LIKE]
    np.savez(path, x_train=images[wrong], y_train=mnist.train_labels[wrong], x_test=like, y_test=labels)
    return model.evaluate(like, labels).accuracy


def fastdigits(*words: str) -> tuple[dict, float, float]:
    """Run a command; return its JSON output, and its seconds by the clock and of all processors."""
    before, start = getrusage(RUSAGE_CHILDREN), perf_counter()
    done = subprocess.run([sys.executable, "-m", "fastdigits", *words], check=True, stdout=subprocess.PIPE)
    seconds, after = perf_counter() - start, getrusage(RUSAGE_CHILDREN)
    return json.loads(done.stdout), seconds, sum(after[:2]) - sum(before[:2])


@click.command()
@click.option("--weights", help="Network to fine-tune; by default cnn is trained on MNIST first.")
@click.option("--threads", default=2, show_default=True, help="Number of cores to use.")
def main(weights: str | None, threads: int) -> None:
    """Print a row for each kind of pictures."""
    mnist = load_digits()
    with TemporaryDirectory() as name:
        folder = Path(name)
        if weights is None:
            weights = str(folder / "cnn.h5")
            fastdigits("train", "--threads", str(threads), "--json", "--output", weights)
        model = load(weights)
        before = model.evaluate(mnist.test_images, mnist.test_labels).accuracy
        print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
        for kind, change in KINDS.items():
            like = corrected_set(model, mnist, change, folder / "few.npz")
            output = str(folder / "tuned.h5")
            command = ["train", "--from", weights, "--data", str(folder / "few.npz"), "--output", output, "--json"]
            command += ["--threads", str(threads)]
            fastdigits(*command)  # compiles what is not compiled yet
            found, seconds, of_processors = fastdigits(*command)
            after = load(output).evaluate(mnist.test_images, mnist.test_labels).accuracy
            accuracies = f"{like:.2%} | {found['test']['accuracy']:.2%} | {before:.2%} | {after:.2%}"
            points = 100 * (after - before)
            print(f"| {kind} | {accuracies} | {points:+.2f} | {seconds:.1f} | {of_processors:.1f} |", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
