"""Let one call after the other fail while a file is written, as SQLite's tests do.

As a program, `faults.py FOLDER WRITER ...` crashes writers at each call and prints a line of JSON about each crash.
"""

import builtins
import errno
import fcntl
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from fastdigits.config.training import TrainConfig
from fastdigits.data.preprocessing import Normalisation
from fastdigits.errors import UserError
from fastdigits.nn import Dense, Flatten, Network
from fastdigits.ops.runtime import kernel_cache
from fastdigits.storage import hdf5, run_statistics, weights
from fastdigits.storage.history import Epoch
from fastdigits.storage.weights import SavedNetwork

CRASHED = 99  # exit code
TAKES_SPACE = {"open", "write", "fsync"}  # calls that fail once the disk is full
ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "full": errno.ENOSPC, "torn": errno.ENOSPC}
KINDS = [*ERRORS, "short", "interrupt"]
CRASHES = ["crash", "torn crash"]


class Faults:
    """The calls that write files, of which number `at`, counted from 0, fails.

    The kinds of faults: an error (ENOSPC, EIO), an error of this and all later calls that need space (full), half a
    write without an error (short), half a write and then an error (torn), Ctrl-C (interrupt), or the end of the process
    before the call (crash) or in the middle of a write (torn crash).
    """

    def __init__(self, kind: str = "", at: int = -1):
        self.kind, self.at, self.calls = kind, at, []

    def is_due(self, name: str) -> bool:
        """Count a call and return whether it fails."""
        self.calls.append(name)
        number = len(self.calls) - 1
        return number == self.at or (self.kind == "full" and 0 <= self.at < number and name in TAKES_SPACE)

    def fail(self) -> None:
        """End the process or raise an exception."""
        if "crash" in self.kind:
            os._exit(CRASHED)
        if self.kind == "interrupt":
            raise KeyboardInterrupt
        if self.kind in ERRORS:
            raise OSError(ERRORS[self.kind], os.strerror(ERRORS[self.kind]))

    def wrapped(self, name: str, function: Callable) -> Callable:
        """Return a function that may fail before it does anything."""

        def call(*arguments: Any, **named: Any) -> Any:
            if self.is_due(name):
                self.fail()
            return function(*arguments, **named)

        return call

    @contextmanager
    def injected(self) -> Iterator["Faults"]:
        """Replace the calls within the block."""
        really_open = open

        def opened(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            if mode not in ("wb", "xb"):
                return really_open(file, mode, *arguments, **named)
            if self.is_due("open"):
                self.fail()
            return io.BufferedWriter(FaultyFile(os.fspath(file), mode, self))

        with ExitStack() as stack:
            for module in (builtins, io):
                stack.enter_context(patch.object(module, "open", opened))
            for module, name in ((os, "fsync"), (os, "chmod"), (os, "replace"), (os, "unlink"), (fcntl, "flock")):
                stack.enter_context(patch.object(module, name, self.wrapped(name, getattr(module, name))))
            yield self


class FaultyFile(io.FileIO):
    """A file whose writes may fail, or write only half."""

    def __init__(self, path: str, mode: str, faults: Faults):
        super().__init__(path, mode[0])
        self.faults = faults

    def write(self, content: Any) -> int:
        if not self.faults.is_due("write"):
            return super().write(content)
        if self.faults.kind in ("short", "torn", "torn crash"):
            written = super().write(bytes(content)[: len(content) // 2])
            if self.faults.kind == "short":
                return written
        self.faults.fail()
        raise AssertionError


def network(value: float) -> SavedNetwork:
    """A small network whose weights have one value."""
    layers = Network([Flatten(), Dense(10)])
    values = {name: np.full(parameter.shape, value, "f4") for name, parameter in layers.parameters().items()}
    history = [Epoch(1, 0.5, 0.8, 0.25, 0.9, 0.01).to_dict()]
    return SavedNetwork(
        layers.config(), values, Normalisation(0.0, 1.0), "m", "d", asdict(TrainConfig()), history, {"value": value}
    )


def run(seed: int) -> dict[str, Any]:
    """What `train --json` prints about a run, as far as statistics need it."""
    epoch = Epoch(1, 0.5, 0.8, 0.25, 0.9, 0.01, 2.0, 3e4)
    return {
        **{"model": "m", "dataset": "d", "seed": seed, "kept_epoch": 1, "batch_size": 10, "images_per_second": 3e4},
        **{"epochs": [asdict(epoch)], "test": {"accuracy": 0.5, "loss": 1.0}},
        "seconds": {"train": 2.0, "validation": 0.5, "total": 3.0},
    }


def write_checkpoint(folder: Path, value: float) -> None:
    def extend(file: Any) -> None:
        hdf5.write_text(file, "progress", json.dumps({"steps": value}))
        hdf5.write_array(file.create_group("state", track_order=True), "memory_1", np.full(9, value), "f4")

    weights.write(folder / "a.checkpoint.h5", replace(network(value), model="checkpoint"), extend)


def write_figure(folder: Path, value: float) -> None:
    from fastdigits.cli.actions import common
    from fastdigits.plots.style import new_figure

    figure = new_figure(1, 1)
    figure.suptitle(str(value))
    common.write_figure(str(folder / "a.png"), figure)


def write_kernel(folder: Path, value: float) -> None:
    """Write a file of the kernel cache, where an error means that the kernel is compiled again."""
    try:
        kernel_cache.write(folder / "a.kernel", f"{value}".encode() * 30_000)
    except OSError as error:
        raise UserError("The kernel is not saved.") from error


# Functions that write the file of a value into a folder; with statistics, the value is added to the earlier ones.
WRITERS: dict[str, Callable[[Path, float], None]] = {
    "weights": lambda folder, value: weights.write(folder / "a.h5", network(value)),
    "checkpoint": write_checkpoint,
    "statistics": lambda folder, value: run_statistics.add(folder / "a.json", [run(int(value))]),
    "table": lambda folder, value: run_statistics.add(folder / "a.csv", [run(int(value))]),
    "figure": write_figure,
    "kernel": write_kernel,
}


class Trial:
    """A writer and its folder, with the files before (`old`) and after (`new`) a write that does not fail."""

    def __init__(self, writer: str, folder: Path, exists: bool):
        self.write, self.folder = WRITERS[writer], folder
        if exists:
            self.write(folder, 1)
        self.old = self.files()
        with Faults().injected() as faults:
            self.write(folder, 2)
        self.new, self.calls = self.files(), faults.calls

    def files(self) -> dict[str, bytes]:
        """Return the content of all files in the folder."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def reset(self) -> None:
        """Restore the files before the write."""
        for path in self.folder.iterdir():
            path.unlink()
        for name, content in self.old.items():
            (self.folder / name).write_bytes(content)

    def problems(self, strays_allowed: bool = False) -> list[str]:
        """Return what is wrong with the files: contents that are neither old nor new, and strays."""
        found = self.files()
        strays = [name for name in found if name not in self.new]
        wrong = [name for name in self.new if found.get(name) not in (self.old.get(name), self.new[name])]
        return [f"{name} is neither old nor new" for name in wrong] + (
            [] if strays_allowed else [f"{name} is left" for name in strays]
        )


def crash(trial: Trial, kind: str, at: int) -> list[str]:
    """Crash a child at a call; return what is wrong with the files then, and after the next write."""
    trial.reset()
    child = os.fork()
    if child == 0:
        with suppress(BaseException), Faults(kind, at).injected():
            trial.write(trial.folder, 2)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    problems = trial.problems(strays_allowed=True)
    if os.waitstatus_to_exitcode(status) != CRASHED:
        problems.append("it did not crash")
    for name in trial.new:  # but no stray
        (trial.folder / name).unlink(missing_ok=True)
    for name, content in trial.old.items():
        (trial.folder / name).write_bytes(content)
    trial.write(trial.folder, 2)
    return problems + trial.problems()


def main(folder: Path, writers: list[str]) -> None:
    """Crash writers at each of their calls."""
    for writer in writers:
        for exists in (False, True):
            place = folder / f"{writer}-{exists}"
            place.mkdir()
            trial = Trial(writer, place, exists)
            for kind in CRASHES:
                for at, name in enumerate(trial.calls):
                    if kind == "crash" or name == "write":
                        print(json.dumps([writer, exists, kind, at, name, crash(trial, kind, at)]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
