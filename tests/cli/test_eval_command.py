"""`fastdigits eval`: one network, ensembles, and figures of the results."""

import json

import h5py
import numpy as np
import pytest

from fastdigits import ops
from fastdigits.cli.actions import eval as eval_action
from fastdigits.data import load_digits
from fastdigits.inference.evaluate import wilson_interval

pytestmark = pytest.mark.slow

KEYS = [
    "images",
    "correct",
    "accuracy",
    "interval_95",
    "loss",
    "classes",
    "per_class",
    "precision",
    "f1",
    "macro_f1",
    "confusion",
    "calibration_error",
    "seconds",
    "images_per_second",
    "model",
    "device",
    "dataset",
    "tta",
    "members",
    "mcnemar",
]
LINEAR = ("train", "--model", "linear", "--epochs", "3")


@pytest.fixture
def evaluate(invoke):
    """evaluate(*arguments) returns the object that `eval --json` prints."""

    def evaluate(*arguments):
        result = invoke("eval", *arguments, "--json")
        assert result.exit_code == 0, result.exception or result.stderr
        return json.loads(result.stdout)

    return evaluate


def test_two_networks_are_compared_on_the_same_images(invoke, evaluate, trained, tiny):
    invoke("train", "--model", "linear", "--epochs", "1", "--data", tiny, "--output", "other.h5", "--json")
    result = evaluate(trained, "other.h5", "--data", tiny)
    first, second = result["members"]
    test = result["mcnemar"]
    assert test["first_only"] - test["second_only"] == first["correct"] - second["correct"]
    assert 0 < test["p_value"] <= 1
    text = invoke("eval", trained, "other.h5", "--data", tiny).stdout
    assert f"only the first is right on {test['first_only']} images, only the second on {test['second_only']}" in text
    assert evaluate(trained, "--data", tiny)["mcnemar"] is None
    assert "McNemar" not in invoke("eval", trained, "--data", tiny, "--calibration", "calibration.png").stdout


def test_of_many_classes_those_with_the_lowest_f1_are_listed():
    f1 = [None, *(number / 1000 for number in range(999, 0, -1))]
    names = [f"c{number}" for number in range(1000)]
    columns = {"confusion": [[1]] * 1000, "precision": f1, "per_class": f1, "f1": f1}
    lines = eval_action._class_lines({"classes": names, "macro_f1": 0.5, **columns})
    assert lines[0] == "the 50 of 1,000 classes with the lowest F1 (--json has all):"
    assert [line.split()[0] for line in lines[2:-1]] == names[:-51:-1]


def test_images_are_prepared_as_in_training(invoke, evaluate, tiny):
    preparation = "--pad", "2", "--gamma", "0.7", "--contrast", "4", "--binarize", "0.3"
    summary = json.loads(invoke(*LINEAR, "--data", tiny, *preparation, "--augment", "shift=1", "--json").stdout)
    result = evaluate("weights.h5", "--data", tiny)
    assert result["correct"] == summary["test"]["correct"]
    assert result["loss"] == pytest.approx(summary["test"]["loss"], rel=1e-6)


def test_json_as_a_process(process, trained, tiny):
    result = process("eval", trained, "--data", tiny, "--json")
    assert result.returncode == 0
    assert result.stderr.startswith("device: ")
    assert result.stdout.count("\n") == 1
    summary = json.loads(result.stdout)
    assert list(summary) == KEYS
    assert (summary["model"], summary["dataset"]) == ("linear", str(tiny))
    confusion, labels = np.array(summary["confusion"]), load_digits(tiny).test_labels
    assert confusion.shape == (10, 10)
    assert confusion.sum(1).tolist() == np.bincount(labels, minlength=10).tolist()  # rows are true digits
    assert summary["images"] == 100
    assert summary["correct"] == np.trace(confusion)
    assert summary["accuracy"] == pytest.approx(summary["correct"] / 100)
    assert summary["interval_95"] == list(wilson_interval(summary["correct"], 100))
    assert summary["per_class"] == pytest.approx(np.diag(confusion) / confusion.sum(1))
    assert summary["images_per_second"] == pytest.approx(100 / summary["seconds"])
    assert 0 < summary["loss"] < 5


def test_text(run_main, trained, tiny):
    result = run_main("eval", trained, "--data", tiny, "--device", "cpu")
    assert (result.returncode, result.stderr) == (0, "")
    assert "\x1b" not in result.stdout
    first, *_, header, zero = result.stdout.splitlines()[:7]
    assert first.startswith(f"linear on {tiny}: ")
    assert "of 100 images; 95 % interval" in first
    assert header.split() == [*map(str, range(10)), "correct"]
    assert zero.split()[0] == "0"
    lines = result.stdout.splitlines()
    assert len(lines) == 6 + 10 + 2 + 10 + 1
    assert lines[17].split() == ["images", "precision", "recall", "F1"]
    assert lines[-1].startswith("mean F1 ")


@pytest.fixture
def exact_loads(monkeypatch):
    """Whether each command loaded exact operations."""
    asked, load = [], ops.load

    def watched(device, threads=None, exact=False):
        asked.append(exact)
        return load(device, threads, exact)

    monkeypatch.setattr(ops, "load", watched)
    return asked


def test_exact_if_given_or_trained_so(exact_loads, invoke, evaluate, trained, tiny):
    evaluate(trained, "--data", tiny)
    evaluate(trained, "--data", tiny, "--exact")
    invoke(*LINEAR, "--data", tiny, "--exact")
    evaluate("weights.h5", "--data", tiny)
    assert exact_loads == [False, True, True, True]


@pytest.mark.parametrize("loss", ["cross-entropy", "mse"])
def test_metrics_equal_those_of_training(loss, invoke, evaluate, tiny):
    trained = json.loads(invoke(*LINEAR, "--data", tiny, "--batch-size", 70, "--loss", loss, "--json").stdout)["test"]
    summary = evaluate("weights.h5", "--data", tiny)
    assert summary["loss"] == pytest.approx(trained.pop("loss"), rel=1e-5)
    assert {key: summary[key] for key in trained} == trained


def test_devices_and_threads_give_the_same_results(evaluate, trained, tiny):
    options = [["--device", "cpu"], ["--threads", "1"], ["--device", "reference"]]
    auto, *others = (evaluate(trained, "--data", tiny, *option) for option in ([], *options))
    assert [other["device"] for other in others] == ["cpu", "cpu", "reference"]
    for other in others:
        assert other["confusion"] == auto["confusion"]
        assert other["loss"] == pytest.approx(auto["loss"], rel=1e-5)


def test_data_defaults_to_mnist(evaluate, trained):
    summary = evaluate(trained)
    assert (summary["dataset"], summary["images"]) == ("mnist", 10000)
    assert 0.5 < summary["accuracy"] < 1


def test_a_digit_without_images(evaluate, invoke, trained, tiny, write_digits, tmp_path):
    digits = load_digits(tiny)
    kept = digits.test_labels != 4
    arrays = digits.train_images, digits.train_labels, digits.test_images[kept], digits.test_labels[kept]
    summary = evaluate(trained, "--data", write_digits(tmp_path / "no4", *arrays))
    assert summary["per_class"][4] is None
    assert sum(summary["confusion"][4]) == 0
    assert all(0 <= share <= 1 for digit, share in enumerate(summary["per_class"]) if digit != 4)
    assert invoke("eval", trained, "--data", tmp_path / "no4").exit_code == 0


def test_test_images_of_the_other_polarity(invoke, trained, tiny, write_digits, tmp_path):
    digits = load_digits(tiny)
    arrays = digits.train_images, digits.train_labels, 255 - digits.test_images, digits.test_labels
    dark = write_digits(tmp_path / "dark", *arrays)
    outputs = {
        "eval": [trained],
        "report": [trained, "--output", tmp_path / "report.html"],
        "compare": [trained],
        "explain": [trained, "test:0"],
    }
    for command, arguments in outputs.items():
        says = "Warning: The images have dark ink, but the network was trained on light ink"
        assert says in invoke(command, *arguments, "--data", dark).stderr
        assert says not in invoke(command, *arguments, "--data", tiny).stderr


@pytest.fixture
def files(tmp_path, trained, tiny, write_digits):
    """Files that are not weights files, and a data set of other images, in the current folder."""
    (tmp_path / "text.h5").write_text("no weights")
    (tmp_path / "empty.h5").write_bytes(b"")
    (tmp_path / "cut.h5").write_bytes(trained.read_bytes()[:4000])
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["data"] = np.arange(5)
    digits = load_digits(tiny)
    small = digits.train_images[:, ::2, ::2], digits.train_labels, digits.test_images[:, ::2, ::2], digits.test_labels
    write_digits(tmp_path / "small", *small)


@pytest.mark.parametrize(
    ("says", "arguments"),
    [
        ("is not an HDF5 file", ["text.h5"]),
        ("is not an HDF5 file", ["empty.h5"]),
        ("is cut short or damaged", ["cut.h5"]),
        ("holds no network of fastdigits", ["foreign.h5"]),
        ("No such file", ["missing.h5"]),
        ("Is a directory", ["small"]),
        ("no data folder", ["trained", "--data", "missing"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("files")
def test_what_a_user_can_mend(says, arguments, fails, trained, tiny):
    name, *options = arguments
    fails(1, says, "eval", trained if name == "trained" else name, "--data", tiny, *options)


@pytest.fixture
def three(invoke, tiny):
    """Three weights files in the current folder, of different kinds."""
    for number, model in enumerate(("linear", "mlp", "linear")):
        arguments = "--model", model, "--epochs", "2", "--seed", number, "--output", f"{number}.h5"
        assert invoke("train", "--data", tiny, *arguments).exit_code == 0
    return "0.h5", "1.h5", "2.h5"


def test_ensemble_shows_each_member_and_the_average(three, evaluate, invoke, tiny):
    summary = evaluate(*three, "--data", tiny)
    assert list(summary) == KEYS
    assert summary["model"] == "linear + mlp + linear"
    for file, member in zip(three, summary["members"], strict=True):
        alone = evaluate(file, "--data", tiny)
        assert member["file"] == file
        assert (member["correct"], member["interval_95"]) == (alone["correct"], alone["interval_95"])
        assert member["loss"] == pytest.approx(alone["loss"], rel=1e-5)
        assert alone["members"] == [{"file": file, "model": alone["model"]} | {key: alone[key] for key in KEYS[:5]}]
    assert summary["interval_95"] == list(wilson_interval(summary["correct"], 100))
    assert summary["loss"] < np.mean([member["loss"] for member in summary["members"]])  # as the logarithm is concave
    first, *members = invoke("eval", *three, "--data", tiny, "--device", "cpu").stdout.splitlines()[:4]
    assert first.startswith("linear + mlp + linear on ")
    for line, member in zip(members, summary["members"], strict=True):
        low, high = member["interval_95"]
        assert line.startswith(f"  {member['file']} ({member['model']}): accuracy {member['accuracy']:.2%} (")
        assert f"95 % interval {low:.2%} to {high:.2%}" in line


def test_an_ensemble_of_copies_is_the_network(trained, evaluate, tiny):
    alone, twice = evaluate(trained, "--data", tiny), evaluate(trained, trained, "--data", tiny)
    assert twice["confusion"] == alone["confusion"]
    assert twice["loss"] == pytest.approx(alone["loss"], rel=1e-5)


def test_test_time_augmentation(trained, evaluate, invoke, tiny):
    once, moved = evaluate(trained, "--data", tiny), evaluate(trained, "--data", tiny, "--tta")
    assert (once["tta"], moved["tta"]) == (False, True)
    assert moved["loss"] != once["loss"]
    assert moved["images"] == 100
    assert "averaged over each image and its 8 shifts" in invoke("eval", trained, "--data", tiny, "--tta").stdout
    assert "averaged" not in invoke("eval", trained, "--data", tiny).stdout


def test_ensemble_of_networks_with_different_preprocessing(trained, invoke, evaluate, tiny):
    preparation = "--pad", "2", "--contrast", "0.5", "--no-normalise"
    summary = json.loads(invoke(*LINEAR, "--data", tiny, *preparation, "--json").stdout)
    together = evaluate(trained, "weights.h5", "--data", tiny)
    assert together["members"][1]["correct"] == summary["test"]["correct"]
    assert together["members"][1]["loss"] == pytest.approx(summary["test"]["loss"], rel=1e-5)
    assert evaluate(trained, "weights.h5", "--data", tiny, "--tta")["images"] == 100


def test_ensemble_of_different_input_shapes_is_refused(trained, invoke, fails, tiny, write_digits, tmp_path):
    digits = load_digits(tiny)
    small = digits.train_images[:, ::2, ::2], digits.train_labels, digits.test_images[:, ::2, ::2], digits.test_labels
    invoke(*LINEAR, "--data", write_digits(tmp_path / "small", *small))
    fails(1, "The networks of an ensemble take", "eval", trained, "weights.h5", "--data", tiny)


def test_usage_errors(invoke, fails):
    assert invoke("eval").exit_code == 2
    fails(2, "WEIGHTS", "eval")
    fails(2, "--threads", "eval", "weights.h5", "--threads", "100000")


@pytest.fixture
def drawn(monkeypatch):
    """The arguments of each plot, by its name."""
    from fastdigits.plots import confusion, examples, mistakes

    drawn = {}
    for module in (confusion, mistakes, examples):
        name, draw = module.__name__.rpartition(".")[2], module.draw
        monkeypatch.setattr(module, "draw", lambda *given, n=name, d=draw: d(*drawn.setdefault(n, given)))
    return drawn


def test_figures(drawn, evaluate, trained, tiny, tmp_path):
    files = "--confusion", "c.svg", "--mistakes", "m.png", "--examples", "e.pdf"
    summary = evaluate(trained, "--data", tiny, *files)
    beginnings = {"c.svg": b"<?xml", "m.png": b"\x89PNG", "e.pdf": b"%PDF"}
    assert all((tmp_path / name).read_bytes().startswith(start) for name, start in beginnings.items())
    counts, title, names = drawn["confusion"]
    assert "".join(names) == "0123456789"
    assert counts.tolist() == summary["confusion"]
    assert title == f"linear on {tiny}: {summary['correct']} of 100 images correct"
    images, labels, probabilities, rows, title, _ = drawn["mistakes"]
    wrong, read = 100 - summary["correct"], probabilities.argmax(1)
    assert (read != labels).sum() == wrong
    assert title.endswith(f"the worst {len(rows)} of {wrong} mistakes" if wrong > 24 else f"{wrong} mistakes")
    assert len(rows) == min(24, wrong)
    assert (read[rows] != labels[rows]).all()
    *_, groups, title, _ = drawn["examples"]
    assert [len(chosen) for chosen in groups.values()] == [8, min(8, wrong)]
    assert (read[groups["Correct"]] == labels[groups["Correct"]]).all()
    assert (read[groups["Wrong"]] != labels[groups["Wrong"]]).all()


def test_figures_of_an_ensemble(drawn, evaluate, trained, tiny):
    summary = evaluate(trained, trained, "--data", tiny, "--tta", "--mistakes", "m.png")
    *_, probabilities, _, title, _ = drawn["mistakes"]
    assert (probabilities.argmax(1) == load_digits(tiny).test_labels).sum() == summary["correct"]
    assert title.startswith(f"linear + linear on {tiny}: ")


def test_figures_that_cannot_be_drawn(fails, trained, tiny):
    fails(2, "does not end with .png, .svg or .pdf", "eval", trained, "--confusion", "a.txt")
    fails(2, "name the same file", "eval", trained, "--data", tiny, "--confusion", "a.png", "--examples", "a.png")
    fails(1, "does not exist", "eval", trained, "--data", tiny, "--mistakes", "missing/a.png")
