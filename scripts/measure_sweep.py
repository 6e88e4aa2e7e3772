"""Measure how much sooner workers finish 24 short trainings than one process: python scripts/measure_sweep.py

The seconds are split into startup, the trainings, and the end of the command. What the first training takes longer than
the others, to load kernels and images, belongs to the startup.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

RESULT = re.compile(r"(run (\d+) of \d+, seed \d+: )?validation accuracy")  # without workers, runs end in their order


@dataclass(frozen=True)
class Seconds:
    """How long a command takes: until the first training, for all trainings, and after them."""

    startup: float
    training: float
    end: float

    @property
    def total(self) -> float:
        """All seconds."""
        return self.startup + self.training + self.end

    def __str__(self) -> str:
        return f"{self.total:6.1f} s: startup {self.startup:.2f}, trainings {self.training:.1f}, end {self.end:.2f}"


def main() -> None:
    """Print the seconds of one process on one thread and on all, and of workers with one thread each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="lenet")
    parser.add_argument("--epochs", type=int, default=2, help="of each training (default: 2)")
    parser.add_argument("--runs", type=int, default=24, help="number of trainings (default: 24)")
    parser.add_argument("--cores", type=int, default=2, help="number of threads, and of workers (default: 2)")
    parser.add_argument("--repeat", type=int, default=1, help="measure all that many times, in turns (default: 1)")
    options = parser.parse_args()
    training = "--model", options.model, "--epochs", str(options.epochs), "--device", "cpu"
    cores = str(options.cores)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.h5")
        for number in (cores, "1"):  # compile the kernels
            seconds(*training, "--runs", "2", "--threads", number, output=path)
        runs = *training, "--runs", str(options.runs)
        for _ in range(options.repeat):
            one = seconds(*runs, "--threads", "1", output=path)
            several = seconds(*runs, "--threads", cores, output=path)
            workers = seconds(*runs, "--workers", cores, output=path)
            print(f"1 process, 1 thread   {one}")
            print(f"1 process, {cores} threads  {several}; {one.total / several.total:.2f} times as fast")
            print(f"{cores} workers, 1 thread   {workers}; {one.total / workers.total:.2f} times as fast", flush=True)


def seconds(*arguments: str, output: Path) -> Seconds:
    """Run `fastdigits train` with two or more runs and return how long it takes."""
    command = [sys.executable, "-u", "-m", "fastdigits", "train", *arguments, "--json", "--output", str(output)]
    start = time.perf_counter()
    ends: dict[int, float] = {}  # by the number of the run
    line = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        for line in running.stderr:
            if found := RESULT.match(line):
                ends[int(found[2] or len(ends) + 1)] = time.perf_counter() - start
        summary = running.stdout.read()
    total = time.perf_counter() - start
    if running.returncode:
        sys.exit(f"fastdigits train has failed: {line.strip()}")
    runs = json.loads(summary)["trainings"]
    startup = ends[1] - median(run["seconds"]["total"] for run in runs[1:])
    last = max(ends.values())
    return Seconds(startup, last - startup, total - last)


if __name__ == "__main__":
    main()
