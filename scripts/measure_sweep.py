"""Measure how much sooner workers finish 24 short trainings than one process: python scripts/measure_sweep.py"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 24


def main() -> None:
    """Print the seconds of one process on one thread and on all, and of workers with one thread each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="lenet")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    training = "--model", options.model, "--epochs", str(options.epochs), "--device", "cpu"
    cores = str(options.cores)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.h5")
        for number in (cores, "1"):  # compile the kernels
            seconds(*training, "--threads", number, output=path)
        one = seconds(*training, "--runs", str(RUNS), "--threads", "1", output=path)
        several = seconds(*training, "--runs", str(RUNS), "--threads", cores, output=path)
        workers = seconds(*training, "--runs", str(RUNS), "--workers", cores, output=path)
    print(f"one process, 1 thread: {one:.1f} s")
    print(f"one process, {cores} threads: {several:.1f} s, {one / several:.2f} times as fast")
    print(f"{cores} workers with 1 thread: {workers:.1f} s, {one / workers:.2f} times as fast")


def seconds(*arguments: str, output: Path) -> float:
    """Run `fastdigits train` and return how long it takes."""
    command = [sys.executable, "-m", "fastdigits", "train", *arguments, "--output", str(output)]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
