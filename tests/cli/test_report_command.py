"""`fastdigits report`, and the command line that trains its network again."""

import json
import shlex
from html import unescape

import pytest

from fastdigits.cli.actions.reproduction import reproduction_of
from fastdigits.errors import UserError
from fastdigits.storage.weights import read

pytestmark = pytest.mark.slow


@pytest.fixture
def linear(invoke, tiny):
    """The weights and the statistics of a small training, in the current folder."""
    options = "--epochs", "2", "--seed", "3", "--batch-size", "50", "--validation", "60"
    invoke("train", "--model", "linear", "--data", tiny, *options, "--stats", "stats.json")


@pytest.mark.usefixtures("linear")
def test_a_report_as_a_process(process, invoke, tiny, tmp_path):
    result = process("report", "weights.h5", "-o", "page.html", "--stats", "stats.json", "--json")
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stderr
    summary = json.loads(result.stdout)
    assert result.stdout.count("\n") == 1
    page = unescape((tmp_path / "page.html").read_text("utf8"))
    evaluated = json.loads(invoke("eval", "weights.h5", "--data", tiny, "--json").stdout)
    assert (summary["accuracy"], summary["dataset"]) == (evaluated["accuracy"], str(tiny))
    assert summary["images_per_second"] > summary["single_image_seconds"] > 0
    assert f"<h1>linear on {tiny}</h1>" in page
    assert f"{evaluated['accuracy']:.2%}" in page
    assert f"of {100 - evaluated['correct']} test errors" in page
    [run] = json.loads((tmp_path / "stats.json").read_text())["runs"]
    assert f"<dd>{run['seconds']['total']:.2f} s</dd>" in page
    command = f"fastdigits train --model linear --data {tiny} --epochs 2 --batch-size 50 --validation 60 --seed 3"
    assert f"<code>{command}</code>" in page


@pytest.mark.usefixtures("linear")
def test_reproduction_gives_the_same_weights(invoke, tmp_path):
    again = reproduction_of(read(tmp_path / "weights.h5"))
    assert (again.file, again.layers) == (None, None)
    assert invoke(*shlex.split(again.command)[1:], "--output", "again.h5").exit_code == 0
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "weights.h5").read_bytes()


def test_reproduction_of_an_unnamed_network_has_its_layers(invoke, tiny, tmp_path):
    options = "--pad", "1", "--no-normalise", "--augment", "shift=1", "--batch-size", "all", "--epochs", "2"
    invoke("train", "--model", "mlp", "--hidden", "12x7", "--data", tiny, *options, "--output", "first.h5")
    first = read(tmp_path / "first.h5")
    again = reproduction_of(first)
    assert again.file == "mlp.toml"
    assert "units = 12" in again.layers
    (tmp_path / again.file).write_text(again.layers)
    assert invoke(*shlex.split(again.command)[1:], "--output", "again.h5").exit_code == 0
    second = read(tmp_path / "again.h5")
    assert (second.config, second.history) == (first.config, first.history)
    assert all((second.weights[name] == value).all() for name, value in first.weights.items())


def test_reproduction_reads_the_data_set_in_the_same_way(invoke, tiny, tmp_path):
    options = "--size", "12x10", "--value-range", "-40,300.5", "--transpose"
    invoke("train", "--model", "linear", "--data", tiny, "--epochs", "1", *options, "--output", "first.h5")
    command = reproduction_of(read(tmp_path / "first.h5")).command
    assert " ".join(options) in command
    assert invoke(*shlex.split(command)[1:], "--output", "again.h5").exit_code == 0
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "first.h5").read_bytes()
    assert invoke("report", "first.h5", "-o", "first.html").exit_code == 0
    assert command in unescape((tmp_path / "first.html").read_text())
    assert invoke("train", "--resume", "first.h5", "--epochs", "2", "--output", "longer.h5").exit_code == 0
    assert read(tmp_path / "longer.h5").reading == read(tmp_path / "first.h5").reading


def test_reproduction_leaves_out_model_settings(invoke, tiny, tmp_path):
    invoke("train", "--model", "tiny-8k", "--epochs", "1", "--data", tiny, "--device", "reference")
    saved = read(tmp_path / "weights.h5")
    assert reproduction_of(saved).command == f"fastdigits train --model tiny-8k --data {tiny} --epochs 1"


@pytest.mark.usefixtures("linear")
def test_errors_that_the_user_can_fix(invoke, fails, trained, tiny, tmp_path):
    (tmp_path / "text.json").write_text("no statistics")
    for arguments, says in {
        ("weights.h5", "-o", "missing/a.html"): "does not exist",
        ("missing.h5",): "No such file",
        ("weights.h5", "--data", "missing"): "no data folder",
        ("weights.h5", "--stats", "missing.json"): "There is no file missing.json",
        ("weights.h5", "--stats", "text.json"): "is not a statistics file",
        (trained, "--stats", "stats.json"): "has no run of these weights",
    }.items():
        error = invoke("report", *arguments).exception
        assert isinstance(error, UserError), error
        assert says in str(error)
    assert not (tmp_path / "report.html").exists()
    fails(2, "does not end with .html", "report", "weights.h5", "-o", "report.pdf")
