"""`fastdigits data`."""

import json
import shutil

import pytest
from click.testing import CliRunner

from fastdigits.cli import cli
from fastdigits.data.sources import SHA256, shipped_folder
from fastdigits.errors import UserError


def invoke(*arguments):
    return CliRunner().invoke(cli, ["data", *map(str, arguments)])


@pytest.fixture
def copy(tmp_path):
    for name in SHA256:
        shutil.copy(shipped_folder() / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("arguments", [[], ["list"], ["verify"], ["download"]])
def test_help_has_an_example(arguments):
    result = invoke(*arguments, "--help")
    assert result.exit_code == 0
    assert f"Example: fastdigits data {' '.join(arguments)}" in result.stdout


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


def test_download_without_a_reachable_mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr("fastdigits.data.download.MIRRORS", ["http://127.0.0.1:1/"])
    monkeypatch.setattr("fastdigits.data.download.PAUSE_S", 0)
    result = invoke("download", "--to", tmp_path / "mnist")
    assert isinstance(result.exception, UserError)
    assert "Could not download train-images-idx3-ubyte.gz (http://127.0.0.1:1/:" in str(result.exception)
    assert result.stdout == ""
    assert list((tmp_path / "mnist").iterdir()) == []


def test_unknown_option_is_a_usage_error():
    assert invoke("list", "--nonsense").exit_code == 2
