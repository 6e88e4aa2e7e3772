"""Tiny networks in the simulator, with settings that would take many kernels to compile for the interpreter of PTX."""

import struct

import numpy as np
import pytest
from click.testing import CliRunner

from fastdigits import Sequential, load
from fastdigits.cli import cli
from fastdigits.nn import AvgPool2D, BatchNorm, Conv2D, Dense, Dropout, Flatten, LeakyReLU, MaxPool2D, ReLU, Residual
from fastdigits.ops import load as load_ops

TERMS = 200  # rounded terms in two steps of these networks: 7 images, layers of 36 inputs, forward and backward
NETWORKS = {
    "dense": [Flatten(), Dense(5), ReLU(), Dropout(0.25), Dense(3)],
    "convolutions": [
        *(Conv2D(2, 3, padding="same"), ReLU(), MaxPool2D(2)),
        *(Conv2D(2, 2), LeakyReLU(), Conv2D(2, 1), ReLU()),
        *(Flatten(), Dense(3)),
    ],
    "normalised": [
        *(Conv2D(2, 3), ReLU(), AvgPool2D(2)),
        *(Residual([Conv2D(2, 1), BatchNorm()]), ReLU(), Dropout(0.5)),
        *(Flatten(), Dense(3)),
    ],
}
# One step on a whole batch and one on the rest. The gradient of a bias before a normalization is only rounding errors,
# which Adam would enlarge.
SETTINGS = {"epochs": 1, "batch_size": 5, "validation": 0, "optimizer": "momentum"}


@pytest.fixture(scope="module")
def ops():
    return load_ops("cuda")


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adamw", "clip_norm": 0.1, "ema": 0.5, "label_smoothing": 0.1, "loss": "mse"},
        {"augment": "shift=1,rotate=10,elastic=0.5,noise=0.1", "optimizer": "sgd", "fused": False},
        {"batch_size": None, "optimizer": "nesterov"},
    ],
    ids=["many options", "augmentation", "all images"],
)
def test_trains_like_the_definition_with_options(assertions, ops, digits, monkeypatch, settings):
    monkeypatch.setattr("fastdigits.training.trainer.MAX_MICRO_BATCH", 5)  # so that all images form two micro-batches
    assertions.trains_like_the_definition(ops, NETWORKS["dense"], digits, TERMS, **SETTINGS | settings)


@pytest.mark.parametrize("network", NETWORKS)
def test_evaluates_like_the_definition(assertions, ops, network, digits):
    assertions.evaluates_like_the_definition(ops, NETWORKS[network], digits, 4, TERMS)


def test_steps_allocate_nothing(assertions, ops, digits):
    assertions.steps_allocate_nothing(ops, [Flatten(), Dense(3)], digits, **SETTINGS | {"epochs": 3})


@pytest.mark.filterwarnings("ignore:.*dark ink", "ignore:.*no better than chance")  # one epoch of seven images of noise
def test_weights_saved_on_cuda_load_on_the_reference(digits, tmp_path):
    model = Sequential(NETWORKS["dense"], (1, 6, 6), device="cuda")
    model.fit(*digits, epochs=1, validation=2, batch_size=5)
    model.save(tmp_path / "weights.h5")
    shares = [load(tmp_path / "weights.h5", device).predict(digits[0]) for device in ("cuda", "reference")]
    np.testing.assert_allclose(*shares, rtol=0, atol=1e-6)


def test_train_and_eval_commands_run_on_cuda(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fastdigits.inference.ensemble.EVALUATION_BATCH", 8)
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", np.ascontiguousarray(digits[0][:, :3, :3])), ("labels-idx1", digits[1])):
            header = struct.pack(f">{array.ndim + 1}I", 0x800 + array.ndim, *array.shape)
            (tmp_path / f"{part}-{kind}-ubyte").write_bytes(header + array.tobytes())
    common = "--data", ".", "--device", "cuda", "--json"
    options = "--model", "linear", "--epochs", "1", "--validation", "2", "--batch-size", "5"
    for arguments in (["train", *options, *common], ["eval", "weights.h5", *common]):
        result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert result.exit_code == 0
        assert '"device": "cuda"' in result.stdout
