"""The seconds of a command are split into startup, trainings and end, in one process and with workers."""

import importlib

import numpy as np
import pytest

from fastdigits.data import load_digits


@pytest.fixture(scope="module")
def measure(scripts):
    return importlib.import_module("measure_sweep")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path, mnist = tmp_path_factory.mktemp("measure") / "digits.npz", load_digits()
    parts = {"x_train": mnist.train_images, "y_train": mnist.train_labels}
    parts |= {"x_test": mnist.test_images, "y_test": mnist.test_labels}
    np.savez(path, **{name: array[:200] for name, array in parts.items()})
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--threads", "1"), ("--workers", "2")])
def test_the_parts_are_those_of_the_command(options, measure, data, tmp_path, monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    training = "--data", data, "--model", "linear", "--device", "reference", "--epochs", "40", "--runs", "3"
    found = measure.seconds(*training, *options, output=tmp_path / "weights.h5")
    assert found.startup > 0.1
    assert found.training > 0.1
    assert found.end > 0.0
    assert found.total == found.startup + found.training + found.end


def test_the_parts_are_written_with_their_sum(measure):
    assert str(measure.Seconds(2.5, 60.0, 0.25)) == "  62.8 s: startup 2.50, trainings 60.0, end 0.25"


def test_a_command_that_fails_ends_the_measurement(measure, tmp_path):
    with pytest.raises(SystemExit, match=r"fastdigits train has failed: Error: .*none"):
        measure.seconds("--model", "none", output=tmp_path / "weights.h5")
