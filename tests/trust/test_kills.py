"""A training that is killed again and again, and resumed each time, ends with the same bits as an undisturbed one."""

import random
import struct
import subprocess
import sys
from contextlib import suppress

import pytest

from fastdigits.data import load_digits
from fastdigits.training import checkpoint

KILLS = 200
EPOCHS = 300
TRAIN = ["train", "--model", "linear", "--optimizer", "adam", "--ema", "0.9", "--keep-best", "--batch-size", "100"]
MAX_EPOCHS_SEEN = 12  # before a kill
MAX_WAIT_S = 0.05  # after an epoch's line, in which a checkpoint is written and the next epoch begins

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(7200)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with 300 training and 100 test images of MNIST."""
    mnist, folder = load_digits("mnist"), tmp_path_factory.mktemp("data")
    parts = {"train": (mnist.train_images[:300], mnist.train_labels[:300])}
    parts["t10k"] = mnist.test_images[:100], mnist.test_labels[:100]
    for part, arrays in parts.items():
        for array, kind in zip(arrays, ("images-idx3", "labels-idx1"), strict=True):
            header = struct.pack(f">{array.ndim + 1}I", 0x800 + array.ndim, *array.shape)
            (folder / f"{part}-{kind}-ubyte").write_bytes(header + array.tobytes())
    return folder


def training(folder, environment, arguments):
    """Start a training whose lines can be read."""
    command = [sys.executable, "-m", "fastdigits", *arguments, "--no-progress"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes)


def killed(process, chance):
    """Kill a training some time after one of its next epochs; return False if it has ended by itself before."""
    epochs, lines = chance.randrange(MAX_EPOCHS_SEEN), []
    with process:
        for line in process.stdout:
            lines.append(line)
            epochs -= line.startswith("epoch ")
            if epochs < 0:
                break
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, MAX_WAIT_S))
        process.kill()
    if process.returncode > 0:
        raise AssertionError("".join(lines))
    return process.returncode < 0


def test_killed_trainings_are_resumed_to_the_same_bits(tmp_path, data, environment):
    chance, kills, trainings = random.Random(3), 0, 0
    while kills < KILLS:
        trainings += 1
        arguments = [*TRAIN, "--data", str(data), "--epochs", str(EPOCHS), "--seed", str(trainings)]
        undisturbed, folder = tmp_path / f"undisturbed-{trainings}", tmp_path / f"killed-{trainings}"
        undisturbed.mkdir()
        folder.mkdir()
        with training(undisturbed, environment, arguments) as process:
            output = process.stdout.read()
        assert process.returncode == 0, output

        saved = folder / "weights.checkpoint.h5"
        while True:
            resumed = ["train", "--resume", saved.name] if saved.exists() else arguments
            if not killed(training(folder, environment, [*resumed, "--checkpoint-every", "1"]), chance):
                break
            kills += 1
            assert not saved.exists() or checkpoint.read(saved).saved.history
        assert (folder / "weights.h5").read_bytes() == (undisturbed / "weights.h5").read_bytes()
        assert sorted(path.name for path in folder.iterdir()) == ["weights.checkpoint.h5", "weights.h5"]
