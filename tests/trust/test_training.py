"""No training is lost: killed processes, signals, closed terminals and full disks."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from processes import TIME_LIMIT_S, python_process

from fastdigits.storage.weights import read
from fastdigits.training import checkpoint

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals and no terminals of this kind")

# Writes 300 training and 100 test images
DIGITS = """
import struct
from fastdigits.data import load_digits
mnist = load_digits()
parts = {"train": (mnist.train_images[:300], mnist.train_labels[:300])}
parts["t10k"] = mnist.test_images[:100], mnist.test_labels[:100]
for part, arrays in parts.items():
    for array, kind in zip(arrays, ("images-idx3", "labels-idx1")):
        header = struct.pack(f">{array.ndim + 1}I", 0x800 + array.ndim, *array.shape)
        open(f"{part}-{kind}-ubyte", "wb").write(header + array.tobytes())
"""
# A command on a disk that is full in the folder `full` until there is a file `space`
FULL_DISK = """
import errno, os
from fastdigits.cli import main
replace = os.replace
def replace_or_fail(source, target):
    if f"{os.sep}full{os.sep}" in os.fspath(target) and not os.path.exists("space"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    replace(source, target)
os.replace = replace_or_fail
main()
"""
TRAIN = "train", "--data", "digits", "--device", "reference", "--model", "linear"
RESCUED = "home/cache/fastdigits/rescued/a.h5"
NO_SPACE = "Cannot write full/a.h5 (No space left on device)"


@pytest.fixture(scope="module")
def digits(tmp_path_factory, environment):
    """The folder of a data set."""
    folder = tmp_path_factory.mktemp("data") / "digits"
    folder.mkdir()
    subprocess.run([sys.executable, "-c", DIGITS], cwd=folder, env=environment, check=True, timeout=TIME_LIMIT_S)
    return folder


@pytest.fixture
def options(tmp_path, digits, environment):
    """The working directory and the variables of a process, with a home and a cache of its own."""
    (tmp_path / "digits").symlink_to(digits)
    (tmp_path / "full").mkdir()
    home = tmp_path / "home"
    home.mkdir()
    return {"cwd": tmp_path, "env": environment | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}}


@contextmanager
def terminal(*arguments, cwd, env):
    """Start `python ARGUMENTS` on a terminal of its own; yield the process and the other end of the terminal."""
    import pty

    parent, child = pty.openpty()
    with python_process(*arguments, cwd=cwd, env=env, stdin=child, stdout=child, stderr=child) as process:
        os.close(child)
        yield process, parent


def read_until(text, descriptor):
    """Read from a terminal until it shows the text."""
    shown = b""
    while text.encode() not in shown:
        shown += os.read(descriptor, 1000)
    return shown.decode(errors="ignore")  # the last character may have come in part


def read_rest(descriptor):
    """Read from a terminal until the process closes it."""
    shown = b""
    try:
        while part := os.read(descriptor, 1000):
            shown += part
    except OSError:  # on Linux, the end
        pass
    return shown.decode()


# Killed processes

KILLS = """
import os, random, signal
from pathlib import Path
from fastdigits import ops
from fastdigits.config.training import TrainConfig
from fastdigits.data import load_digits
from fastdigits.models import network_of
from fastdigits.training import checkpoint
from fastdigits.training.callbacks import Callback
from fastdigits.training.checkpoint import Checkpoints
from fastdigits.training.loop import train

random.seed(0)
digits, device = load_digits("digits"), ops.load("reference")
config = TrainConfig(epochs=30, batch_size=100, ema=0.9, keep_best=True)

class Reporting(Callback):
    def __init__(self, pipe):
        self.pipe = pipe

    def on_step(self, *_):
        os.write(self.pipe, b".")

def run(path, callback):
    resumed = checkpoint.read(path) if path.exists() else None
    checkpoints = Checkpoints(path, 1, "linear", "digits", resumed=resumed)
    network = network_of("linear", input_shape=(1, 28, 28))
    train(network, digits.train_images, digits.train_labels, device, config, callback, checkpoints=checkpoints)

kills = 0
for _ in range(20):
    steps, pipe = os.pipe()
    child = os.fork()
    if not child:
        run(Path("killed.h5"), Reporting(pipe))
        os._exit(0)
    os.close(pipe)
    for _ in range(random.randint(1, 8)):  # the child goes on while this process reads, so it dies anywhere
        os.read(steps, 1)
    os.kill(child, signal.SIGKILL)
    kills += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    os.close(steps)
run(Path("killed.h5"), Callback())
run(Path("whole.h5"), Callback())
print(kills)
"""


@posix
def test_a_training_that_is_killed_again_and_again_gives_the_same_bytes(options, tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", KILLS], **options, capture_output=True, text=True, timeout=TIME_LIMIT_S
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 0
    assert (tmp_path / "killed.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


# Signals


@posix
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals_save_a_checkpoint(name, code, options, tmp_path):
    arguments = "-m", "fastdigits", *TRAIN, "--epochs", "1000000"
    with python_process(*arguments, **options, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        for line in running.stdout:
            if line.startswith("epoch"):
                break
        running.send_signal(getattr(signal, name))
        output, errors = running.communicate()
    assert running.returncode == code
    assert errors.strip() == "Interrupted."
    assert "to resume: fastdigits train --resume weights.checkpoint.h5" in output
    assert checkpoint.read(tmp_path / "weights.checkpoint.h5").progress["steps"] > 0


TWO_SIGNALS = """
import signal
from fastdigits.cli.terminal import interrupt
with interrupt.handled(), interrupt.deferrable():
    interrupt.defer()
    signal.raise_signal(signal.SIG{first})
    print("deferred", flush=True)
    signal.raise_signal(signal.SIG{second})
    print("survived", flush=True)
"""


@posix
@pytest.mark.parametrize(("first", "second"), [("INT", "INT"), ("TERM", "TERM"), ("HUP", "TERM"), ("INT", "HUP")])
def test_a_second_signal_ends_the_process_at_once(first, second, environment):
    program = TWO_SIGNALS.format(first=first, second=second)
    with python_process("-c", program, env=environment, stdout=subprocess.PIPE, text=True) as running:
        output, _ = running.communicate()
    assert (running.returncode, output) == (-getattr(signal, f"SIG{second}"), "deferred\n")


@posix
def test_a_signal_that_is_ignored_stays_ignored(environment):
    """As under nohup."""
    program = (
        "import signal; from fastdigits.cli.terminal import interrupt; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "with interrupt.handled(): signal.raise_signal(signal.SIGHUP)\n"
        "assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN"
    )
    with python_process("-c", program, env=environment) as running:
        assert running.wait() == 0


@posix
@pytest.mark.parametrize("progress", ["--progress", "--no-progress"])
def test_a_terminal_that_closes_saves_a_checkpoint(progress, options, tmp_path):
    arguments = "-m", "fastdigits", *TRAIN, "--epochs", "1000000", progress
    with terminal(*arguments, **options) as (running, descriptor):
        read_until("epoch", descriptor)
        os.close(descriptor)  # every line after this one fails
        running.send_signal(signal.SIGHUP)  # which the session leader of a terminal gets
        assert running.wait() == 129
    assert checkpoint.read(tmp_path / "weights.checkpoint.h5").progress["steps"] > 0


# Full disks


def train_on_a_full_disk(options, *arguments):
    process = ["-c", FULL_DISK, *TRAIN, "--epochs", "2", "--output", "full/a.h5", *arguments]
    with python_process(*process, **options, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        output, errors = running.communicate()
    return running.returncode, output, errors


def test_without_a_terminal_the_result_goes_to_another_folder(options, tmp_path):
    rescued = tmp_path / "home" / "cache" / "fastdigits" / "rescued"
    for name in ("a.h5", "a-2.h5"):  # the second one must not replace the first
        code, output, errors = train_on_a_full_disk(options)
        assert code == 1
        assert errors.splitlines()[-1].startswith(f"Error: {NO_SPACE}")
        assert errors.splitlines()[-1].endswith(f"The file is {rescued / name} instead.")
        assert f"weights: {rescued / name}" in output
        assert len(read(rescued / name).history) == 2
    assert os.listdir(tmp_path / "full") == []


def test_json_names_the_file_that_was_written(options, tmp_path):
    (tmp_path / "home" / "cache").write_text("a file, so that this is no folder")
    code, output, errors = train_on_a_full_disk(options, "--json", "--stats", "stats.json", "--plot", "full/b.png")
    assert code == 1
    assert json.loads(output)["output"] == str(tmp_path / "home" / "a.h5")
    assert len(read(tmp_path / "home" / "a.h5").history) == 2
    assert (tmp_path / "home" / "b.png").exists()
    assert json.loads((tmp_path / "stats.json").read_text())["times_run"] == 1
    assert errors.splitlines()[-1].count("No space left on device") == 2


def test_a_checkpoint_that_cannot_be_written_does_not_end_a_training(options, tmp_path):
    code, _, errors = train_on_a_full_disk(options, "--checkpoint-every", "1", "--output", "full/c.h5")
    assert code == 1  # because of the result
    warnings = [line for line in errors.splitlines() if line.startswith("Warning: No checkpoint after epoch 1: ")]
    assert len(warnings) == 1
    assert warnings[0].endswith("Training goes on.")


def test_statistics_survive_if_no_folder_takes_the_weights(options, tmp_path):
    program = FULL_DISK.replace(
        'if f"{os.sep}full{os.sep}" in os.fspath(target)', 'if os.fspath(target).endswith(".h5")'
    )
    process = ["-c", program, *TRAIN, "--epochs", "1", "--json", "--stats", "stats.json"]
    with python_process(*process, **options, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        output, errors = running.communicate()
    assert running.returncode == 1
    assert json.loads(output)["output"] is None
    assert json.loads((tmp_path / "stats.json").read_text())["times_run"] == 1
    assert "Error: Cannot write weights.h5 (No space left on device)" in errors.splitlines()[-1]


@posix
def test_a_terminal_asks_for_space_and_tries_again(options, tmp_path):
    process = ["-c", FULL_DISK, *TRAIN, "--epochs", "2", "--output", "full/a.h5", "--no-progress"]
    with terminal(*process, **options) as (running, descriptor):
        assert NO_SPACE in read_until("or type another path: ", descriptor)
        os.write(descriptor, b"\n")
        assert NO_SPACE in read_until("or type another path: ", descriptor)
        (tmp_path / "space").touch()
        os.write(descriptor, b"\n")
        assert "weights: full/a.h5" in read_rest(descriptor)
        assert running.wait() == 0
    assert len(read(tmp_path / "full" / "a.h5").history) == 2


@posix
@pytest.mark.parametrize(
    ("answer", "code", "name"),
    [("b.h5\n", 0, "b.h5"), ("\x04", 1, RESCUED), ("\x03", 130, RESCUED)],
    ids=["another path", "end of input", "Ctrl-C"],
)
def test_a_terminal_takes_another_path(answer, code, name, options, tmp_path):
    process = ["-c", FULL_DISK, *TRAIN, "--epochs", "2", "--output", "full/a.h5", "--no-progress"]
    with terminal(*process, **options) as (running, descriptor):
        read_until("or type another path: ", descriptor)
        if answer == "\x03":
            running.send_signal(signal.SIGINT)
        else:
            os.write(descriptor, answer.encode())
        read_rest(descriptor)
        assert running.wait() == code
    assert len(read(tmp_path / name).history) == 2
