"""Every command that may compile kernels for long shows which one it compiles."""

import json

import pytest
from PIL import Image

from fastdigits import Dense, Flatten, Sequential, load_digits

# Prints the kernels that are loaded or compiled while nobody would be told about it
PROGRAM = """
import json, sys
from contextlib import contextmanager
from fastdigits.ops.runtime import compilation, numba_cache

shown, load, depth, hidden = compilation.shown, numba_cache.KernelCache.load, 0, []

@contextmanager
def watched(show):
    global depth
    visible = "numba" in sys.modules  # else nothing is shown
    with shown(show):
        depth += visible
        yield
        depth -= visible

def watched_load(self, key):
    if not depth:
        hidden.append(self._name)
    return load(self, key)

compilation.shown, numba_cache.KernelCache.load = watched, watched_load
from fastdigits.cli import cli
cli.main(sys.argv[1:], standalone_mode=False)
print("hidden:", json.dumps(hidden))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with linear.h5, and digit.png."""
    folder, digits = tmp_path_factory.mktemp("shown"), load_digits()
    model = Sequential([Flatten(), Dense(10)], device="reference")
    model.fit(digits.train_images[:100], digits.train_labels[:100], epochs=1)
    model.save(folder / "linear.h5")
    Image.fromarray(255 - digits.test_images[0]).resize((84, 84)).save(folder / "digit.png")
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "eval linear.h5 linear.h5 --device cpu",
        "predict digit.png --device cpu",
        "predict digit.png --several --device cpu",
        "explain linear.h5 test:0",
        "report linear.h5 --data mnist --device cpu",
        "compare linear.h5 --device cpu",
        "export linear.h5 -o linear.c --int8",
    ],
)
def test_no_kernel_is_compiled_without_a_word(command, folder, environment, run_python):
    result = run_python("-c", PROGRAM, *command.split(), cwd=folder, env=environment)
    assert result.returncode == 0, result.stderr
    [line] = [line for line in result.stdout.splitlines() if line.startswith("hidden: ")]
    assert json.loads(line.removeprefix("hidden: ")) == []
