"""Compare other programs that run exported networks with fastdigits, on the test images of MNIST.

    python tests/export/measure_agreement.py WEIGHTS... [--images N]

WEIGHTS are files that `fastdigits train` has written. Prints a row of a Markdown table for each, as in docs/results.md:
the largest difference of all scores from ours, relative to the range of ours, in ONNX Runtime, PyTorch, the page in
headless Chromium and compiled C, our accuracy, and that of compiled C in int8. A program that is not installed has an
empty cell. Stops with an error if an answer differs, or a score or the accuracy by too much.
"""

import argparse
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

import agreement
import chromium

from fastdigits.data import load_part
from fastdigits.storage.weights import SavedNetwork, read

HEADS = ["network", "ONNX Runtime", "PyTorch", "HTML page", "C", "accuracy", "int8 C"]


def relative_difference(saved: SavedNetwork, found: np.ndarray, expected: np.ndarray) -> str:
    """Return the cell of a program; exit if it does not agree."""
    difference, others = agreement.difference(found, expected), int((found.argmax(1) != expected.argmax(1)).sum())
    if others or difference > agreement.TOLERANCE:
        sys.exit(f"{saved.model}: {others} answers differ, and the scores by {difference:.1e} of their range")
    return f"{difference:.1e}".replace("e-0", "e-")


def row(saved: SavedNetwork, images: np.ndarray, labels: np.ndarray, folder: Path) -> list[str]:
    """Return the cells of a network."""
    expected = agreement.ours(saved, images)
    accuracy = (expected.argmax(1) == labels).mean()
    programs = [
        (agreement.onnxruntime, (), find_spec("onnxruntime") and find_spec("onnx")),
        (agreement.pytorch, (), find_spec("torch")),
        (agreement.page, (folder,), chromium.BROWSER and chromium.DRIVER and find_spec("selenium")),
        (agreement.compiled_c, (folder,), agreement.COMPILER),
    ]
    cells = [
        relative_difference(saved, scores_of(saved, images, *arguments), expected) if is_installed else ""
        for scores_of, arguments, is_installed in programs
    ]
    int8 = ""
    if agreement.COMPILER:
        quantized = (agreement.compiled_c(saved, images, folder, int8=True).argmax(1) == labels).mean()
        if quantized < accuracy - agreement.INT8_LOSS:
            sys.exit(f"{saved.model}: {quantized:.2%} with int8, {accuracy:.2%} with float32")
        int8 = f"{quantized:.2%}"
    classes = "" if len(saved.class_names) == 10 else f", {len(saved.class_names)} classes"
    return [f"`{saved.model}`{classes}", *cells, f"{accuracy:.2%}", int8]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="+", metavar="WEIGHTS")
    parser.add_argument("--images", type=int, default=10_000, metavar="N", help="The first N test images only.")
    given = parser.parse_args()
    images, labels = (part[: given.images] for part in load_part("mnist", "test"))
    print(f"| {' | '.join(HEADS)} |", f"|{'---|' * len(HEADS)}", sep="\n", flush=True)
    for path in given.weights:
        with tempfile.TemporaryDirectory() as folder:
            print(f"| {' | '.join(row(read(path), images, labels, Path(folder)))} |", flush=True)


if __name__ == "__main__":
    main()
