"""`fastdigits train --from`: fine-tuning of a trained network, and what the other commands make of the result."""

import json
import shlex
import shutil
from dataclasses import replace
from hashlib import sha256
from html import unescape

import numpy as np
import pytest

from fastdigits import Dense, Flatten, ReLU, Sequential, UserError, load, load_digits
from fastdigits.cli.actions.reproduction import reproduction_of
from fastdigits.storage.weights import Start, read

pytestmark = pytest.mark.slow


@pytest.fixture
def small(invoke, tiny, tmp_path):
    """The weights file of a network with two dense layers, trained on the tiny set with padding and augmentation."""
    options = ["--model", "mlp", "--hidden", "16", "--pad", "1", "--augment", "shift=1", "--epochs", "2", "--seed", "3"]
    result = invoke("train", "--data", tiny, *options, "--output", "old.h5")
    assert result.exit_code == 0, result.exception
    return tmp_path / "old.h5"


def test_the_network_and_its_preprocessing_come_from_the_file(invoke, tiny, small):
    result = invoke("train", "--from", small, "--data", tiny, "--freeze", "dense_1", "--output", "new.h5")
    assert result.exit_code == 0, result.exception
    assert f"starts from mlp in {small}, trained on {tiny}" in result.stdout
    assert "frozen: dense_1 (14,416 of 14,586 parameters)" in result.stdout
    old, new = read(small), read(small.with_name("new.h5"))
    assert new.network == old.network
    assert new.normalisation == old.normalisation
    assert (new.model, new.config["pad"], new.config["augment"]) == ("mlp", 1, "shift=1")
    assert (new.config["warm_start"], new.config["freeze"], new.config["epochs"]) == (True, "dense_1", 5)
    assert new.config["lr"] == pytest.approx(0.0006)
    assert len(new.history) == 5
    changed = {name for name, value in new.weights.items() if value.tobytes() != old.weights[name].tobytes()}
    assert changed == {"dense_2/weight", "dense_2/bias"}
    assert new.history[-1]["train_loss"] < old.history[-1]["train_loss"]


def test_the_network_to_start_from_is_not_replaced_unasked(invoke, tiny, small, tmp_path):
    small.rename(tmp_path / "weights.h5")
    before = (tmp_path / "weights.h5").read_bytes()
    arguments = "train", "--from", "weights.h5", "--data", tiny, "--epochs", "1"
    refused = invoke(*arguments)
    assert refused.exit_code == 2
    assert "The result would replace weights.h5, from which training starts; give it another name" in refused.stderr
    assert (tmp_path / "weights.h5").read_bytes() == before
    assert invoke(*arguments, "--output", "weights.h5").exit_code == 0
    assert (tmp_path / "weights.h5").read_bytes() != before


def test_eval_predict_report_and_further_training_take_the_result(invoke, tiny, small, tmp_path):
    assert invoke("train", "--from", small, "--data", tiny, "--epochs", "1", "--augment", "").exit_code == 0
    assert json.loads(invoke("eval", "weights.h5", "--data", tiny, "--json").stdout)["images"] == 100
    assert "classifies test image 0" in invoke("explain", "weights.h5", "test:0").stdout
    assert invoke("report", "weights.h5", "-o", "r.html").exit_code == 0
    page = unescape((tmp_path / "r.html").read_text())
    assert f"fastdigits train --from old.h5 --data {tiny} --epochs 1 --lr 0.0006" in page
    assert " --augment ''</code>" in page
    assert sha256(small.read_bytes()).hexdigest() in page
    assert f"trained on {tiny}, starting from old.h5" in invoke("describe", "weights.h5").stdout
    assert invoke("train", "--resume", "weights.h5", "--epochs", "2").exit_code == 0
    assert read("weights.h5").start == Start.of(small)


@pytest.mark.parametrize(
    "options",
    [[], ["--warmup", "0", "--augment", "", "--lr", "0.001"], ["--freeze", "dense_1", "--seed", "7"]],
    ids=str,
)
def test_the_command_of_the_report_reproduces_the_network(options, invoke, tiny, small, tmp_path):
    assert invoke("train", "--from", small, "--data", tiny, "--epochs", "1", *options).exit_code == 0
    first = read("weights.h5")
    small.rename(tmp_path / "weights.h5")
    again = reproduction_of(replace(first, start=Start("weights.h5", first.start.sha256)))
    assert invoke(*shlex.split(again.command)[1:]).exit_code == 0
    second = read("new-weights.h5")
    assert (second.config, second.start.sha256) == (first.config, first.start.sha256)
    assert all(value.tobytes() == second.weights[name].tobytes() for name, value in first.weights.items())


def test_a_file_whose_start_is_not_known_says_so(small):
    saved = read(small)
    again = reproduction_of(replace(saved, config=saved.config | {"warm_start": True}))
    assert again.command.startswith("fastdigits train --from WEIGHTS.h5 --data ")
    assert "WEIGHTS.h5 stands for the file" in again.note


def test_a_network_that_was_trained_in_python_says_so(tmp_path):
    digits, model = load_digits(), Sequential([Flatten(), Dense(10)], device="reference")
    model.fit(digits.train_images[:100], digits.train_labels[:100], epochs=1)
    model.save(tmp_path / "python.h5")
    assert "in Python, on arrays" in reproduction_of(read(tmp_path / "python.h5")).note


@pytest.fixture
def resized(invoke, write_digits, tmp_path):
    """The weights file of a network that was trained on images of 20 x 20 pixels with --size 12, and 40 more such."""
    mnist = load_digits()
    old, new = (
        (mnist.train_images[first : first + count, 4:24, 4:24], mnist.train_labels[first : first + count])
        for first, count in ((0, 300), (1000, 40))
    )
    write_digits(tmp_path / "old", *old, *old)
    write_digits(tmp_path / "new", *new, *new)
    arguments = "--data", "old", "--size", "12", "--model", "linear", "--epochs", "2", "--output", "old.h5"
    assert invoke("train", *arguments).exit_code == 0
    return tmp_path / "old.h5"


FURTHER = ("--data", "new", "--size", "12")


def test_a_resumed_fine_tuning_reads_the_replayed_images_in_the_same_way(invoke, resized):
    result = invoke("train", "--from", resized, *FURTHER, "--epochs", "1", "--output", "new.h5")
    assert "next to 300 images of old" in result.stdout
    assert read("new.h5").replay_reading == {"size": (12, 12)}
    again = invoke("train", "--resume", "new.h5", "--epochs", "2")
    assert again.exit_code == 0, again.exception
    assert "next to 300 images of old" in again.stdout
    assert (read("new.h5").config["replay"], read("new.h5").replay_reading) == ("old", {"size": (12, 12)})
    assert "--ema" not in reproduction_of(read("new.h5")).command
    assert "--warmup" not in reproduction_of(read("new.h5")).command


def test_few_images_are_learned_gently_unless_the_options_say_otherwise(invoke, resized):
    arguments = "train", "--from", resized, *FURTHER, "--epochs", "1", "--output", "new.h5"
    assert invoke(*arguments).exit_code == 0
    config = read("new.h5").config
    assert (config["lr"], config["warmup"], config["ema"]) == (pytest.approx(0.0002), 0.3, 0.998)
    assert invoke(*arguments, "--ema", "0.5", "--lr", "0.1", "--warmup", "0").exit_code == 0
    config = read("new.h5").config
    assert (config["lr"], config["warmup"], config["ema"]) == (0.1, 0, 0.5)
    assert "--warmup 0.0 --ema 0.5" in reproduction_of(read("new.h5")).command
    older = replace(read("new.h5"), config=config | {"ema": None})
    assert "--warmup 0.0 --ema 0.0" in reproduction_of(older).command


def test_a_resumed_checkpoint_of_a_fine_tuning_gives_the_same_bits(invoke, resized):
    arguments = "train", "--from", resized, *FURTHER, "--epochs", "4", "--augment", "shift=1"
    assert invoke(*arguments, "--output", "whole.h5", "--checkpoint-every", "3").exit_code == 0
    again = invoke("train", "--resume", "whole.checkpoint.h5", "--output", "rest.h5")
    assert again.exit_code == 0, again.exception
    whole, rest = read("whole.h5"), read("rest.h5")
    assert all(value.tobytes() == rest.weights[name].tobytes() for name, value in whole.weights.items())


def test_fine_tuning_twice_replays_the_first_images_each_time(invoke, resized):
    assert invoke("train", "--from", resized, *FURTHER, "--epochs", "1", "--output", "new.h5").exit_code == 0
    for epochs in ("1", "2"):  # the second one on the same images as the first
        again = invoke("train", "--from", "new.h5", *FURTHER, "--epochs", epochs, "--output", "newer.h5")
        assert "next to 300 images of old" in again.stdout
        assert read("newer.h5").replay_reading == {"size": (12, 12)}


@pytest.mark.parametrize(
    ("remove", "says"),
    [
        (lambda folder: folder.rename(folder.with_name("moved")), "There is no data folder old"),
        (
            lambda folder: shutil.copytree(folder.with_name("dark"), folder, dirs_exist_ok=True),
            "do not match the others",
        ),
    ],
)
def test_a_fine_tuning_whose_replayed_images_are_gone_is_not_resumed_without_them(
    remove, says, invoke, resized, write_digits, tmp_path
):
    assert invoke("train", "--from", resized, *FURTHER, "--epochs", "1", "--output", "new.h5").exit_code == 0
    images, labels = load_digits().train_images[:300, 4:24, 4:24], load_digits().train_labels[:300]
    write_digits(tmp_path / "dark", 255 - images, labels, 255 - images, labels)
    remove(tmp_path / "old")
    result = invoke("train", "--resume", "new.h5", "--epochs", "2")
    assert says in str(result.exception)


@pytest.mark.parametrize(
    ("says", "arguments"),
    [
        ("leave --model out", ["--model", "linear"]),
        ("leave --hidden out", ["--hidden", "16"]),
        ("leave --pad out", ["--pad", "1"]),
        ("leave --no-normalise out", ["--no-normalise"]),
        ("leave --recipe out", ["--recipe", "fast"]),
        ("leave --from out", ["--resume", "any.h5"]),
        ("no layer 'conv2d_1' to freeze; choose among dense_1, dense_2.", ["--freeze", "conv2d_1"]),
        ("none is left to train", ["--freeze", "dense_1,dense_2"]),
    ],
)
def test_contradicting_options_are_refused(says, arguments, invoke, tiny, small):
    result = invoke("train", "--from", small, "--data", tiny, *arguments)
    assert result.exit_code == 2
    assert says in result.stderr.splitlines()[-1]


def test_images_of_another_size_are_refused(invoke, write_digits, small, tmp_path):
    images, labels = np.zeros((20, 8, 8), np.uint8), np.arange(20, dtype=np.uint8) % 10
    folder = write_digits(tmp_path / "small", images, labels, images, labels)
    result = invoke("train", "--from", small, "--data", folder)
    assert str(result.exception) == "Expected 30 x 30 images, got 10 x 10 with 1 zeros added on each side."


def test_the_values_shown_are_those_that_apply(invoke, small):
    lines = invoke("train", "--from", small, "--optimizer", "adam", "--show").stdout.splitlines()
    shown = dict(line.split(maxsplit=1) for line in lines[:-2])
    assert shown["--lr"] == "0.0004, a tenth of the default of adam"
    assert (shown["--epochs"], shown["--augment"]) == ("5", "as in the file")
    assert "--model" not in shown
    assert "--pad" not in shown


def test_python_does_the_same(invoke, tiny, small):
    assert invoke("train", "--from", small, "--data", tiny, "--freeze", "dense_1", "--epochs", "1").exit_code == 0
    digits, model = load_digits(tiny), load(small)
    settings = {"epochs": 1, "lr": 0.0006, "augment": "shift=1", "pad": 1, "freeze": "dense_1"}
    model.fit(digits.train_images, digits.train_labels, warm_start=True, **settings)
    model.save("python.h5")
    written, saved = read("weights.h5"), read("python.h5")
    assert saved.weights.keys() == written.weights.keys()
    assert all(value.tobytes() == written.weights[name].tobytes() for name, value in saved.weights.items())
    assert saved.normalisation == written.normalisation


def test_more_classes_in_python():
    digits = load_digits()
    images, labels = digits.train_images[:200], digits.train_labels[:200]
    model = Sequential([Flatten(), Dense(32), ReLU(), Dense(10)], device="cpu")
    with pytest.raises(UserError, match="not trained"):
        model.fit(images, labels, warm_start=True)
    model.fit(images, labels, epochs=5)
    letters = model.with_classes(26)
    assert letters.predict(images[:3]).shape == (3, 26)
    before = letters.network.weights()
    letters.fit(images, labels + 16, epochs=20, batch_size=32, warm_start=True, freeze="dense_1")
    assert letters.network.weights()["dense_1/weight"].tobytes() == before["dense_1/weight"].tobytes()
    assert letters.predict(images).argmax(1).min() >= 16
