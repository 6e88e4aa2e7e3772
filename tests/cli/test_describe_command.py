"""`fastdigits describe` and `fastdigits models`."""

import json
from dataclasses import replace

import pytest

from fastdigits.config.schedules import SCHEDULES
from fastdigits.config.training import TrainConfig
from fastdigits.data.sources import shipped_folder
from fastdigits.errors import UserError
from fastdigits.models import MODELS
from fastdigits.plots.schedule import draw
from fastdigits.storage.weights import read, write

SIZES = {
    "linear": (7_850, 7_840),
    "neuron": (805, 794),
    "dnn": (26_506, 26_432),
    "mlp": (118_282, 118_016),
    "feedforward": (105_214, 105_000),
    "conv1": (426_010, 512_040),
    "conv2": (781_706, 1_825_320),
    "conv1-avgpool": (114_970, 201_000),
    "lenet": (61_706, 416_520),
    "cnn": (108_874, 794_880),
    "fast": (69_498, 294_272),
    "record": (215_194, 1_244_160),
    "torch-example": (1_199_882, 11_992_448),
    "alexnet": (1_555_898, 15_248_256),
    "resnet": (77_898, 9_345_920),
    "tiny-8k": (7_646, 1_637_152),
    "tiny-20k": (18_666, 3_951_680),
    "best": (208_218, 7_053_056),
}


def test_a_model_as_json(run_main):
    result = run_main("describe", "lenet", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    summary = json.loads(result.stdout)
    assert list(summary) == ["model", "input_shape", "layers", "parameters", "multiply_adds"]
    assert (summary["model"], summary["input_shape"]) == ("lenet", [1, 28, 28])
    assert (summary["parameters"], summary["multiply_adds"]) == (61_706, 416_520)
    assert summary["layers"][3] == {
        "layer": "conv2d_2",
        "type": "Conv2D",
        "output_shape": [16, 10, 10],
        "kernel": "5 x 5",
        "parameters": 2_416,
        "multiply_adds": 240_000,
    }
    assert summary["layers"][5]["kernel"] == "2 x 2, stride 2"
    assert summary["layers"][7] | {"kernel": ""} == {
        "layer": "dense_1",
        "type": "Dense",
        "output_shape": [120],
        "kernel": "",
        "parameters": 48_120,
        "multiply_adds": 48_000,
    }


@pytest.mark.parametrize("model", MODELS)
def test_sums_of_a_model(model, invoke):
    summary = json.loads(invoke("describe", model, "--json").stdout)
    assert (summary["parameters"], summary["multiply_adds"]) == SIZES[model]
    for key in ("parameters", "multiply_adds"):
        assert summary[key] == sum(layer[key] for layer in summary["layers"])


def test_a_model_as_text(run_main):
    result = run_main("describe", "cnn")
    assert (result.returncode, result.stderr) == (0, "")
    assert "\x1b" not in result.stdout
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["cnn", "output", "shape", "kernel", "parameters", "multiply-adds"]
    assert lines[1].split() == ["input", "1", "x", "28", "x", "28"]
    assert lines[2].split() == ["conv2d_1", "16", "x", "24", "x", "24", "5", "x", "5", "416", "230,400"]
    assert lines[-1].split() == ["total", "108,874", "794,880"]
    assert all(line == line.rstrip() for line in lines)
    assert max(map(len, lines)) <= 80


def test_a_weights_file(invoke, trained, tiny):
    summary = json.loads(invoke("describe", trained, "--json").stdout)
    assert list(summary)[-4:] == ["dataset", "config", "metrics", "start"]
    assert summary["model"] == "linear"
    assert summary["parameters"] == 7_850
    assert summary["dataset"] == str(tiny)
    assert summary["config"]["epochs"] == 3
    assert summary["config"].keys() == vars(TrainConfig()).keys()
    accuracy = summary["metrics"]["test_accuracy"]
    last = invoke("describe", trained).stdout.splitlines()[-1]
    assert last == f"trained on {tiny}, test accuracy {accuracy:.2%}"


def test_inner_layers_are_listed_before_their_layer_and_counted_once(invoke):
    layers = json.loads(invoke("describe", "resnet", "--json").stdout)["layers"]
    second = [layer for layer in layers if layer["layer"].startswith("residual_2")]
    assert [layer["layer"] for layer in second] == [
        *(f"residual_2.{name}" for name in ("conv2d_1", "batchnorm_1", "relu_1", "conv2d_2", "batchnorm_2")),
        "residual_2.projection",
        "residual_2",
    ]
    assert second[0]["kernel"] == "3 x 3, stride 2"
    assert second[-2]["kernel"] == "1 x 1, stride 2"
    assert (second[-1]["parameters"], second[-1]["multiply_adds"]) == (0, 0)


@pytest.mark.parametrize("example", ["small", "residual"])
def test_a_file_of_layers(example, invoke):
    path = shipped_folder() / "models" / f"{example}.toml"
    summary = json.loads(invoke("describe", str(path), "--json").stdout)
    assert summary["model"] == example
    assert summary["layers"][-1]["output_shape"] == [10]


def test_invalid_file_of_layers(fails, tmp_path):
    (tmp_path / "net.toml").write_text('[[layer]]\ntype = "Dense"\nunits = 10\n')
    fails(1, "net.toml: Layer dense_1: Dense: needs a flat input", "describe", "net.toml")
    fails(1, "missing.toml cannot be read", "describe", "missing.toml")


def test_neither_model_nor_file(invoke, fails):
    assert "linear, neuron, dnn, mlp, feedforward" in invoke("describe", "nothing").stderr
    fails(2, "neither a model", "describe", "nothing")
    fails(2, "MODEL|WEIGHTS", "describe")


def test_name_too_long_for_a_file(fails):
    fails(2, "neither a model", "describe", "a" * 300)


def test_file_that_is_not_a_network(invoke, fails, tmp_path):
    (tmp_path / "text.h5").write_text("no weights")
    assert isinstance(invoke("describe", "text.h5").exception, UserError)
    fails(1, "is not an HDF5 file", "describe", "text.h5")
    fails(1, "Is a directory", "describe", ".")


@pytest.mark.parametrize("metrics", [{}, {"test_accuracy": None}, {"test_accuracy": "good"}], ids=str)
def test_metrics_may_be_anything(metrics, invoke, trained, tmp_path):
    write(tmp_path / "odd.h5", replace(read(trained), metrics=metrics))
    result = invoke("describe", "odd.h5")
    assert result.exit_code == 0, result.exception
    assert "trained on" in result.stdout


SCHEDULE = ("describe", "--schedule", "step", "--lr-decay", "0.1", "--decay-every", "2", "--epochs", "4", "--lr", "0.5")


def test_a_schedule_as_json(invoke):
    curve = json.loads(invoke(*SCHEDULE, "--json").stdout)
    assert curve["rates"] == pytest.approx([0.5] * 2 * curve["epoch_steps"] + [0.05] * 2 * curve["epoch_steps"])


def test_a_schedule_as_text_and_curve(run_main, tmp_path):
    result = run_main(*SCHEDULE, "-o", "curve.png")
    assert (result.returncode, result.stderr) == (0, "written: curve.png\n")
    title, header, *lines = result.stdout.splitlines()
    assert (title, header.split()) == ("schedule step over 4 epochs", ["epochs", "learning", "rate"])
    assert [line.split() for line in (lines[0], lines[-1])] == [["0.00", "0.5"], ["3.99", "0.05"]]
    assert len(lines) == 11
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_curve_has_labelled_axes():
    figure = draw([0.5, 0.25, 0.125, 0.0625], 2, "a title")
    [axes] = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("epochs", "learning rate", "a title")
    [line] = axes.lines
    assert line.get_xdata() == pytest.approx([0, 0.5, 1, 1.5])
    assert line.get_ydata() == pytest.approx([0.5, 0.25, 0.125, 0.0625])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_with_warm_up(schedule, invoke):
    curve = json.loads(invoke("describe", "--schedule", schedule, "--warmup", "0.2", "--json").stdout)
    assert len(curve["rates"]) == 10 * curve["epoch_steps"]
    assert 0 < curve["rates"][0] < max(curve["rates"]) <= 0.006
    assert ("validation never improves" in invoke("describe", "--schedule", schedule).stdout) == (schedule == "plateau")


def test_a_schedule_or_a_network(fails):
    fails(2, "either a MODEL|WEIGHTS or a --schedule", "describe", "lenet", "--schedule", "cosine")
    fails(2, "--warmup needs a --schedule", "describe", "lenet", "--warmup", "0.1")
    fails(2, "--output needs a --schedule", "describe", "lenet", "-o", "curve.png")
    fails(2, "takes no --lr-decay", "describe", "--schedule", "cosine", "--lr-decay", "0.1")
    fails(1, "does not exist", "describe", "--schedule", "cosine", "-o", "missing/curve.png")


def test_models(run_main):
    result = run_main("models")
    assert (result.returncode, result.stderr) == (0, "")
    header, *lines = result.stdout.splitlines()
    assert header.split()[:3] == ["model", "parameters", "multiply-adds"]
    assert [line.split()[0] for line in lines[: len(SIZES)]] == list(SIZES)
    assert lines[8].split()[:3] == ["lenet", "61,706", "416,520"]
    assert all(len(line.split()) > 5 for line in lines)  # and says what it is


def test_models_with_measured_results(invoke, monkeypatch, tmp_path):
    monkeypatch.setattr("fastdigits.data.model_results.shipped_folder", lambda: tmp_path)
    (tmp_path / "models").mkdir()
    result = {"test_accuracy": 0.9929, "seeds": 5, "seconds": 4.62, "machine": "an abacus"}
    (tmp_path / "models" / "measured.json").write_text(json.dumps({"lenet": result}))
    header, *lines, footer = invoke("models").stdout.splitlines()
    assert header.split() == ["model", "parameters", "multiply-adds", "test", "accuracy", "training"]
    assert lines[8].split()[:6] == ["lenet", "61,706", "416,520", "99.29%", "4.6", "s"]
    assert lines[0].split()[:4] == ["linear", "7,850", "7,840", "Multinomial"]
    assert lines[0].index("Multinomial") == lines[8].index("LeNet")
    assert "an abacus" in footer
    rows = json.loads(invoke("models", "--json").stdout)["models"]
    assert {row["model"]: row["test_accuracy"] for row in rows if "test_accuracy" in row} == {"lenet": 0.9929}


def test_each_machine_names_the_models_measured_on_it(invoke, tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    reached = {
        name: {"test_accuracy": 0.9, "seconds": 1.0, "machine": machine}
        for name, machine in (("linear", "slow"), ("lenet", "fast"), ("cnn", "slow"))
    }
    (tmp_path / "models" / "measured.json").write_text(json.dumps(reached))
    monkeypatch.setattr("fastdigits.data.model_results.shipped_folder", lambda: tmp_path)
    footers = invoke("models").stdout.splitlines()[-2:]
    assert [footer.partition(", ")[2] for footer in footers] == ["slow; linear, cnn", "fast; lenet"]


def test_models_as_json(invoke):
    result = invoke("models", "--json")
    [(key, rows)] = json.loads(result.stdout).items()
    assert key == "models"
    assert {row["model"]: (row["parameters"], row["multiply_adds"]) for row in rows} == SIZES
    keys = {"model", "parameters", "multiply_adds", "description"}
    assert all(row.keys() >= keys for row in rows)
    assert all(row["description"] for row in rows)


def test_figures_of_a_network(invoke, trained, tmp_path):
    result = invoke("describe", trained, "--picture", "layers.svg", "--filters", "kernels.png")
    assert result.stdout == invoke("describe", trained).stdout
    assert result.stderr.splitlines() == ["written: layers.svg", "written: kernels.png"]
    drawn = (tmp_path / "layers.svg").read_text("utf8")
    assert drawn.startswith("<?xml")
    assert "<!-- 7,850 parameters, 7,840 multiply-adds per image -->" in drawn
    assert (tmp_path / "kernels.png").read_bytes().startswith(b"\x89PNG")
    invoke("describe", "lenet", "--picture", "lenet.pdf")
    assert (tmp_path / "lenet.pdf").read_bytes().startswith(b"%PDF")


def test_figures_that_cannot_be_drawn(fails, trained):
    fails(2, "does not end with .png, .svg or .pdf", "describe", "lenet", "--picture", "lenet.jpg")
    fails(
        2, "--filters draws trained kernels", "describe", "lenet", "--picture", "lenet.png", "--filters", "kernels.png"
    )
    fails(2, "name the same file", "describe", trained, "--picture", "a.png", "--filters", "./a.png")
    fails(2, "--picture needs a MODEL|WEIGHTS", "describe", "--schedule", "cosine", "--picture", "a.png")
    fails(1, "does not exist", "describe", "lenet", "--picture", "missing/lenet.png")


def test_a_network_without_kernels(invoke, tiny, tmp_path):
    (tmp_path / "bare.toml").write_text('[[layer]]\ntype = "GlobalAvgPool2D"\n[[layer]]\ntype = "Dense"\nunits = 10')
    invoke("train", "--model", "bare.toml", "--epochs", "1", "--data", tiny, "--batch-size", "16")
    result = invoke("describe", "weights.h5", "--filters", "kernels.png")
    assert isinstance(result.exception, UserError)
    assert "no kernels and no weights of pixels" in str(result.exception)
    assert not (tmp_path / "kernels.png").exists()
