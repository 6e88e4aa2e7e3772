"""`fastdigits data`."""

import json
import shutil

import formats
import numpy as np
import pytest
from click.testing import CliRunner

from fastdigits.cli import cli
from fastdigits.data import load_digits
from fastdigits.data.sources import SHA256, shipped_folder
from fastdigits.errors import UserError


def invoke(*arguments):
    return CliRunner().invoke(cli, ["data", *map(str, arguments)])


@pytest.fixture
def copy(tmp_path):
    for name in SHA256:
        shutil.copy(shipped_folder() / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("arguments", [[], ["list"], ["verify"], ["download"], ["pack"]])
def test_help_has_an_example(arguments):
    result = invoke(*arguments, "--help")
    assert result.exit_code == 0
    assert f"fastdigits data {' '.join(arguments)}" in result.stdout.split("Example")[1]


def test_list():
    result = invoke("list")
    assert result.exit_code == 0
    assert f"mnist in {shipped_folder()}" in result.stdout
    assert "60000 images of 28 x 28, 10 classes" in result.stdout
    assert "10000 images of 28 x 28, 10 classes" in result.stdout
    assert "sha256 440fcabf73cc  ok" in result.stdout


def test_list_as_json(process):
    result = process("data", "list", "--json")
    assert result.returncode == 0
    assert result.stderr == ""
    [mnist] = json.loads(result.stdout)["sets"]
    assert mnist["name"] == "mnist"
    assert mnist["folder"] == str(shipped_folder())
    assert mnist["parts"]["test"] == {"images": 10000, "height": 28, "width": 28, "classes": 10}
    assert {file["file"]: file["sha256"] for file in mnist["files"]} == SHA256
    assert {file["state"] for file in mnist["files"]} == {"ok"}


def test_verify_of_the_shipped_files():
    result = invoke("verify")
    assert result.exit_code == 0
    assert result.stdout.count("ok\n") == 4


def test_verify_of_a_folder_as_json(copy):
    result = invoke("verify", copy, "--json")
    assert result.exit_code == 0
    files = [{"file": name, "state": "ok"} for name in SHA256]
    assert json.loads(result.stdout) == {"folder": str(copy), "ok": True, "files": files}


def test_verify_of_a_damaged_folder(copy, process):
    (copy / "train-labels-idx1-ubyte.gz").write_bytes(b"something else")
    (copy / "t10k-images-idx3-ubyte.gz").unlink()
    result = process("data", "verify", copy, "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout)["ok"] is False
    assert result.stderr == (
        f"Error: {copy} does not hold the original MNIST files: train-labels-idx1-ubyte.gz (wrong checksum), "
        "t10k-images-idx3-ubyte.gz (missing); move the wrong files away, then run "
        f"'fastdigits data download --to {copy}'.\n"
    )


def test_download_keeps_files_that_are_there(copy):
    result = invoke("download", "--to", copy)
    assert result.exit_code == 0
    assert result.stdout == f"The MNIST files are in {copy}; use them with --data {copy}.\n"
    assert result.stderr.splitlines() == [f"{name}: already there" for name in SHA256]


def test_a_folder_whose_name_stands_for_standard_output_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mnist", "fashion-mnist"):
        assert "Nothing is written to standard output" in str(invoke("download", name, "--to", "-").exception)
    assert list(tmp_path.iterdir()) == []


def test_download_without_a_reachable_mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr("fastdigits.data.download.MIRRORS", ["http://127.0.0.1:1/"])
    monkeypatch.setattr("fastdigits.data.download.PAUSE_S", 0)
    result = invoke("download", "--to", tmp_path / "mnist")
    assert isinstance(result.exception, UserError)
    assert "Could not download train-images-idx3-ubyte.gz (http://127.0.0.1:1/:" in str(result.exception)
    assert result.stdout == ""
    assert list((tmp_path / "mnist").iterdir()) == []


def test_sets_that_can_be_downloaded_are_listed_with_their_licences(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "fastdigits" / "usps").mkdir(parents=True)
    result = invoke("list")
    assert "fashion-mnist: articles of clothing" in result.stdout
    assert "licence: MIT; https://github.com/zalandoresearch/fashion-mnist" in result.stdout
    assert "not here: fastdigits data download emnist-letters" in result.stdout
    assert f"in {tmp_path}/fastdigits/usps" in result.stdout
    downloads = {one["name"]: one for one in json.loads(invoke("list", "--json").stdout)["downloads"]}
    assert [name for name, one in downloads.items() if one["downloaded"]] == ["usps"]


def test_download_of_an_unknown_set():
    result = invoke("download", "mnist2")
    assert result.exit_code == 2
    assert "There is no data set 'mnist2'; choose among mnist, fashion-mnist, kmnist," in result.output


def test_a_set_that_is_not_downloaded_says_how(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    result = CliRunner().invoke(cli, ["show", "--data", "kmnist", "-o", str(tmp_path / "a.png")])
    assert str(result.exception) == "kmnist is not on this machine; run 'fastdigits data download kmnist' first."


def test_pack(tmp_path):
    few = formats.few_digits()
    formats.pictures(few, tmp_path / "set", names="abcdefghij")
    result = invoke("pack", tmp_path / "set", "-o", tmp_path / "set.h5")
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert first == "60 train, 25 test images of 28 x 28, 10 classes"
    assert second.endswith(f"use it with --data {tmp_path / 'set.h5'}")
    packed, read = (load_digits(path) for path in (tmp_path / "set.h5", tmp_path / "set"))
    assert packed.classes == read.classes == tuple("abcdefghij")
    assert (packed.train_images == read.train_images).all()
    assert (packed.test_labels == read.test_labels).all()


def test_pack_of_a_set_without_a_test_part_splits_it_as_reading_does(tmp_path):
    few = formats.few_digits()
    np.savez(tmp_path / "set.npz", x=few.x_train / 255, y=few.y_train)
    result = invoke("pack", tmp_path / "set.npz", "-o", tmp_path / "set.h5", "--size", "14", "--json")
    assert json.loads(result.stdout)["images"] == {"train": 48, "test": 12}
    assert "values 0 to 1 are scaled to 0 to 255" in result.stderr
    assert "12 of 60 images are held out" in result.stderr
    packed, read = load_digits(tmp_path / "set.h5"), load_digits(tmp_path / "set.npz", size=14)
    assert packed.train_images.shape == (48, 14, 14)
    assert (packed.train_images == read.train_images).all()
    assert (packed.train_labels == read.train_labels).all()
    assert (packed.test_images == read.test_images).all()


def test_a_failed_pack_leaves_the_old_file(tmp_path):
    (tmp_path / "set.h5").write_bytes(b"old")
    pixels = [",".join(["1", *["0"] * 4])] * 9000 + ["1,0,0,x,0"]
    (tmp_path / "set.csv").write_text("\n".join(pixels))
    result = invoke("pack", tmp_path / "set.csv", "-o", tmp_path / "set.h5")
    assert "Row 9001 of" in str(result.exception)
    assert (tmp_path / "set.h5").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set.csv", "set.h5"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "28x28x28"], "'28x28x28' is not a size such as 28 or 28x20"),
        (["--size", "0"], "'0' is out of range; choose 1 to 1024 pixels a side"),
        (["--value-range", "1"], "'1' is not two numbers such as 0,1"),
        (["--value-range", "1,nan"], "is not two different numbers such as 0,1"),
    ],
)
def test_bad_options_of_reading(arguments, message, tmp_path):
    result = invoke("pack", "mnist", "-o", tmp_path / "a.h5", *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_unknown_option_is_a_usage_error():
    assert invoke("list", "--nonsense").exit_code == 2
