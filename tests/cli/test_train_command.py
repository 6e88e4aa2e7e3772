"""`fastdigits train`: the plain training loop, its options, outputs and errors."""

import gzip
import json
import os
import re
import shutil
import signal
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from fastdigits.cli import COMMANDS
from fastdigits.cli.commands.train import HEADINGS
from fastdigits.cli.commands.train import command as train_command
from fastdigits.cli.terminal import interrupt
from fastdigits.cli.terminal.training_lines import TrainingLines
from fastdigits.config.recipes import MODEL_SETTINGS, RECIPES
from fastdigits.config.training import MODEL, OPTIMIZERS, TrainConfig
from fastdigits.data import load_digits
from fastdigits.ops import why_unavailable
from fastdigits.ops.runtime import kernel_cache
from fastdigits.storage.history import Epoch
from fastdigits.storage.weights import read

pytestmark = pytest.mark.slow

KEYS = [
    "model",
    "device",
    "dataset",
    "seed",
    "parameters",
    "batch_size",
    "epochs",
    "kept_epoch",
    "validation_accuracy",
    "test",
    "seconds",
    "images_per_second",
    "verdict",
    "output",
    "dead_runs",
]
EPOCH = [
    "epoch",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "learning_rate",
    "seconds",
    "images_per_second",
]
TEST = ["images", "correct", "accuracy", "interval_95", "loss"]
SECONDS = ["load", "compile", "train", "validation", "test", "total"]
LINEAR = ("train", "--model", "linear", "--epochs", "1")


@pytest.fixture
def train(invoke, tiny, tmp_path):
    """train(*arguments) trains on the tiny set and returns the summary, the saved network and stderr."""

    def train(*arguments):
        result = invoke("train", "--data", tiny, "--json", *arguments)
        assert result.exit_code == 0, result.exception or result.stderr
        summary = json.loads(result.stdout)
        return SimpleNamespace(summary=summary, saved=read(tmp_path / summary["output"]), stderr=result.stderr)

    return train


def weight_bytes(run):
    """All weights as bytes."""
    return {name: value.tobytes() for name, value in run.saved.weights.items()}


# The whole of MNIST, in a process of its own


@pytest.fixture(scope="module")
def full_run(tmp_path_factory, environment, run_python):
    """`train --model linear --epochs 1 --device cpu --json` on MNIST: the completed process and the weights file."""
    folder = tmp_path_factory.mktemp("full")
    result = run_python("-m", "fastdigits", *LINEAR, "--device", "cpu", "--json", cwd=folder, env=environment)
    assert result.returncode == 0, result.stderr
    return result, folder / "weights.h5"


def test_training_on_mnist_prints_one_json_object(full_run):
    result, weights = full_run
    assert result.stdout.count("\n") == 1
    summary = json.loads(result.stdout)
    assert list(summary) == KEYS
    assert [list(epoch) for epoch in summary["epochs"]] == [EPOCH]
    assert list(summary["test"]) == TEST
    assert list(summary["seconds"]) == SECONDS
    [epoch], test, seconds = summary["epochs"], summary["test"], summary["seconds"]
    assert test["accuracy"] > 0.9
    assert test["images"] == 10000
    assert test["correct"] == round(test["accuracy"] * 10000)
    assert test["interval_95"][0] < test["accuracy"] < test["interval_95"][1]
    assert epoch["epoch"] == 1
    assert 0.7 < epoch["train_accuracy"] < epoch["validation_accuracy"]
    assert epoch["validation_loss"] < epoch["train_loss"] < 1
    assert epoch["images_per_second"] == pytest.approx(55000 / epoch["seconds"])
    assert seconds["total"] > sum(seconds[part] for part in SECONDS if part != "total")
    assert summary["images_per_second"] == pytest.approx(55000 / seconds["train"])
    defaults = TrainConfig()
    assert {key: summary[key] for key in ("model", "device", "dataset", "parameters", "output")} == {
        "model": "linear",
        "device": "cpu",
        "dataset": "mnist",
        "parameters": 7850,
        "output": "weights.h5",
    }
    assert (summary["seed"], summary["batch_size"]) == (defaults.seed, defaults.batch_size)
    saved = read(weights)
    assert (saved.model, saved.dataset) == ("linear", "mnist")
    assert saved.history == [Epoch(**epoch).to_dict() for epoch in summary["epochs"]]
    assert saved.metrics["test_accuracy"] == test["accuracy"]


def test_lines_on_a_pipe_are_plain_and_one_thread_gives_the_same_weights(full_run, process, tmp_path):
    result = process(*LINEAR, "--device", "cpu", "--threads", "1")
    assert result.returncode == 0
    assert result.stderr == ""
    assert not set("\x1b\r\b") & set(result.stdout)
    lines = [line for line in result.stdout.splitlines() if not line.startswith("compiling kernels")]
    starts = ["linear: 7,850 parameters, mnist: 60,000 images", "kernels ready", "epoch 1/1 ", "test accuracy 9"]
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=False)] == starts
    assert lines[4:] == ["weights: weights.h5"]
    summary = json.loads(full_run[0].stdout)
    [epoch] = summary["epochs"]
    assert f"train loss {epoch['train_loss']:.4f} accuracy  {epoch['train_accuracy']:.2%}" in lines[2]
    assert f"validation loss {epoch['validation_loss']:.4f}" in lines[2]
    assert f"({summary['test']['correct']:,} of 10,000, 95 % interval " in lines[3]
    assert (tmp_path / "weights.h5").read_bytes() == full_run[1].read_bytes()


# What the options do


def test_defaults(invoke, tiny, tmp_path, monkeypatch):
    digits, asked = load_digits(tiny), []
    monkeypatch.setattr(
        "fastdigits.cli.actions.common.load_digits",
        lambda data, **reading: asked.append(data) or replace(digits, name=data),
    )
    result = invoke("train")
    assert result.exit_code == 0
    assert asked == ["mnist"]
    saved = read(tmp_path / "weights.h5")
    assert saved.model == MODEL
    assert TrainConfig(**saved.config) == TrainConfig(**MODEL_SETTINGS[MODEL])
    epochs = [line for line in result.stdout.splitlines() if line.startswith("epoch ")]
    assert len(epochs) == len(saved.history) == MODEL_SETTINGS[MODEL]["epochs"]
    assert [path.name for path in tmp_path.iterdir()] == ["weights.h5"]


def test_the_same_seed_gives_the_same_file(invoke, process, tiny, tmp_path):
    arguments = [*LINEAR, "--data", tiny, "--seed", "3", "--output"]
    assert invoke(*arguments, "first.h5").exit_code == 0
    assert process(*arguments, "second.h5", "--threads", "1").returncode == 0
    assert (tmp_path / "first.h5").read_bytes() == (tmp_path / "second.h5").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        (["--optimizer", "sgd"], "optimizer", "sgd"),
        (["--lr", "0.001"], "lr", 0.001),
        (["--momentum", "0.5"], "momentum", 0.5),
        (["--weight-decay", "0.2"], "weight_decay", 0.2),
        (["--schedule", "constant"], "schedule", "constant"),
        (["--loss", "mse"], "loss", "mse"),
        (["--batch-size", "50"], "batch_size", 50),
        (["--epochs", "3"], "epochs", 3),
        (["--validation", "100"], "validation", 100),
        (["--seed", "9"], "seed", 9),
        (["--pad", "2"], "pad", 2),
        (["--contrast", "4"], "contrast", 4.0),
        (["--gamma", "0.7"], "gamma", 0.7),
        (["--binarize", "0.5"], "binarize", 0.5),
        (["--ink", "dark"], "ink", "dark"),
        (["--no-normalise"], "normalise", False),
        (["--augment", "shift=2,elastic=0.5"], "augment", "shift=2,elastic=0.5"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_option_changes_the_weights_and_is_stored(arguments, field, value, train):
    base = "--model", "mlp", "--hidden", "20", "--epochs", "2", "--optimizer", "nesterov"
    plain, changed = train(*base), train(*base, *arguments)
    assert changed.saved.config == plain.saved.config | {field: value}
    assert plain.saved.config[field] != value
    assert weight_bytes(changed) != weight_bytes(plain)


def test_no_graph_gives_the_same_weights(train):
    recorded, eager = train(*LINEAR[1:]), train(*LINEAR[1:], "--no-graph")
    assert eager.saved.config == recorded.saved.config | {"graph": False}
    assert weight_bytes(eager) == weight_bytes(recorded)


def test_exact_convolutions_give_other_bits_and_the_same_metrics(train):
    """On the same batches only rounding differs, and ten steps hardly amplify it."""
    base = "--model", "cnn", "--epochs", "1", "--batch-size", "30", "--device", "cpu"
    quick, exact, again = train(*base), train(*base, "--exact"), train(*base, "--exact")
    assert exact.saved.config == quick.saved.config | {"exact": True}
    assert weight_bytes(exact) != weight_bytes(quick)
    assert weight_bytes(again) == weight_bytes(exact)
    assert exact.summary["test"]["accuracy"] == pytest.approx(quick.summary["test"]["accuracy"], abs=0.02)
    assert exact.summary["epochs"][0]["train_loss"] == pytest.approx(quick.summary["epochs"][0]["train_loss"], rel=1e-3)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer(optimizer, train):
    run = train(*LINEAR[1:], "--optimizer", optimizer)
    others = [train(*LINEAR[1:], "--optimizer", other) for other in OPTIMIZERS if other != optimizer]
    assert all(weight_bytes(run) != weight_bytes(other) for other in others)


def test_loss_option_holds_for_training_validation_and_test(train):
    losses = []
    for loss in ("cross-entropy", "mse"):
        summary = train(*LINEAR[1:], "--lr", "1e-9", "--loss", loss).summary  # hardly changes the weights
        [epoch] = summary["epochs"]
        losses.append([epoch["train_loss"], epoch["validation_loss"], summary["test"]["loss"]])
        assert max(losses[-1]) < 1.5 * min(losses[-1])
    assert all(squares < cross_entropy / 1.2 for cross_entropy, squares in zip(*losses, strict=True))


def test_hidden_activation_and_init(train):
    run = train("--model", "mlp", "--hidden", "30x20", "--activation", "tanh", "--init", "glorot", "--epochs", "1")
    layers = run.saved.network["layers"]
    assert [layer["type"] for layer in layers] == ["Flatten", "Dense", "Tanh", "Dense", "Tanh", "Dense"]
    assert [layer["units"] for layer in layers[1::2]] == [30, 20, 10]
    assert {layer["initializer"] for layer in layers[1::2]} == {"glorot"}
    assert run.summary["parameters"] == 784 * 30 + 30 + 30 * 20 + 20 + 20 * 10 + 10


@pytest.mark.parametrize(
    "arguments", [["--activation", "sigmoid"], ["--activation", "leaky-relu"], ["--init", "glorot"]]
)
def test_activation_and_init_change_the_weights(arguments, train):
    base = "--model", "mlp", "--hidden", "20", "--epochs", "1"
    assert weight_bytes(train(*base)) != weight_bytes(train(*base, *arguments))


def test_sizes_of_hidden_layers_are_separated_by_commas_or_x(invoke):
    for sizes in ("256,128", "256x128"):
        assert "--hidden            256x128\n" in invoke("train", "--model", "mlp", "--hidden", sizes, "--show").stdout


def test_weights_that_start_at_zero(train):
    run = train(*LINEAR[1:], "--init", "zeros")
    assert run.saved.network["layers"][1]["initializer"] == "zeros"
    assert run.summary["test"]["accuracy"] > 0.2  # a single layer learns from there


def test_help_lists_every_option_once_under_a_heading(invoke):
    names = [name for group in HEADINGS.values() for name in group]
    assert sorted(names) == sorted(param.name for param in train_command.params)
    text = invoke("train", "--help").stdout
    assert all(f"\n{heading}:\n" in text for heading in HEADINGS)


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["--model", "lenet"], ["--model", "tiny-8k"], ["--model", "alexnet"], ["--from", "weights.h5"]),
        *(["--recipe", name] for name in RECIPES),
    ],
    ids=" ".join,
)
def test_help_states_the_defaults_of_each_model_and_recipe(arguments):
    plain, chosen = (train_command.make_context("train", [*given]) for given in ([], arguments))
    for param in train_command.params:
        value, record = chosen.params.get(param.name), param.get_help_record(plain)
        stated = re.search(r"default: \(?([^;\]]*)", record[1]) if record else None
        if value is None or not stated or param.opts[0] in arguments:
            continue
        words = {False: param.secondary_opts, True: param.opts}.get(value, [value]) if param.is_flag else [value]
        if not stated[1].startswith(("depends on", "on a terminal")):
            assert str(words[0]).removeprefix("--") in re.split(r"[ ,)]+", stated[1]), param.name


def test_validation_0(invoke, train, tiny):
    [epoch] = train(*LINEAR[1:], "--validation", "0").summary["epochs"]
    assert (epoch["validation_loss"], epoch["validation_accuracy"]) == (None, None)
    assert "validation" not in invoke(*LINEAR, "--data", tiny, "--validation", "0").stdout


def test_validation_takes_images_from_training(invoke, tiny):
    arguments = [*LINEAR, "--data", tiny, "--batch-size", "10", "--log-every", "1", "--validation"]
    assert "epoch 1: 290 of 300 images" in invoke(*arguments, "0").stdout
    assert "epoch 1: 90 of 100 images" in invoke(*arguments, "200").stdout


def test_log_every(invoke, tiny):
    arguments = [*LINEAR[:3], "--epochs", "2", "--data", tiny, "--batch-size", "50", "--validation", "0"]
    quiet = invoke(*arguments).stdout.splitlines()
    loud = invoke(*arguments, "--log-every", "2").stdout.splitlines()
    more = [line.split(",")[0] for line in loud if "images, loss" in line]
    assert more == [f"epoch {epoch}: {images} of 300 images" for epoch in (1, 2) for images in (100, 200)]
    assert len(loud) == len(quiet) + 4


def test_stats(train, tmp_path):
    runs = [train(*LINEAR[1:], "--seed", seed, "--stats", "stats.json").summary for seed in (1, 2)]
    content = json.loads((tmp_path / "stats.json").read_text())
    assert content["times_run"] == 2
    assert content["runs"] == [{key: value for key, value in run.items() if key != "dead_runs"} for run in runs]
    assert content["test_accuracies"] == [run["test"]["accuracy"] for run in runs]
    assert content["times"]["total"] == pytest.approx((runs[0]["seconds"]["total"] + runs[1]["seconds"]["total"]) / 2)
    assert content["times"].keys() == {"step", "epoch", "training", "validation", "total"}


@pytest.mark.parametrize("option", ["--output", "--stats"])
def test_empty_file_names_are_refused_before_training(fails, tiny, option):
    fails(1, "The name of an output file is empty", *LINEAR, "--data", tiny, option, "")


def test_folder_for_statistics_is_refused(fails, tiny):
    fails(1, ". is a folder", *LINEAR, "--data", tiny, "--stats", ".")


@pytest.mark.parametrize("option", ["--lr", "--weight-decay", "--clip-norm"])
def test_numbers_beyond_float32_are_refused(fails, option):
    fails(2, "cannot be 1e+300", "train", option, "1e300")


def test_output(train, tmp_path):
    (tmp_path / "kept.h5").write_bytes(b"old")
    assert train(*LINEAR[1:], "--output", "kept.h5").summary["output"] == "kept.h5"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.h5"]


def test_cpu_and_reference_train_alike(train):
    cpu, reference = (train("--model", "mlp", "--epochs", "2", "--device", device) for device in ("cpu", "reference"))
    assert (cpu.summary["device"], reference.summary["device"]) == ("cpu", "reference")
    for one, other in zip(cpu.summary["epochs"], reference.summary["epochs"], strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-3)
        assert one["validation_loss"] == pytest.approx(other["validation_loss"], rel=1e-3)


def test_auto_device_is_named(train):
    run = train(*LINEAR[1:])
    assert run.stderr.startswith(f"device: {run.summary['device']}, because ")


def test_images_of_another_size(invoke, write_digits, tiny, tmp_path):
    digits = load_digits(tiny)
    arrays = digits.train_images[:, ::2, ::4], digits.train_labels, digits.test_images[:, ::2, ::4], digits.test_labels
    write_digits(tmp_path / "small", *arrays)
    result = invoke("train", "--model", "mlp", "--epochs", "1", "--data", "small", "--json")
    assert json.loads(result.stdout)["dataset"] == "small"
    assert read(tmp_path / "weights.h5").network["input_shape"] == [1, 14, 7]


# Output


def test_progress_without_a_terminal(invoke, tiny):
    result = invoke(*LINEAR, "--data", tiny, "--progress", "--json")
    assert json.loads(result.stdout)["model"] == "linear"


def test_ctrl_c_keeps_older_weights(interrupt_after, tiny, tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"old")
    code, _, errors = interrupt_after("epoch", *LINEAR[:3], "--epochs", "1000000", "--data", tiny)
    assert code == 130
    assert errors.strip() == "Interrupted."
    assert (tmp_path / "weights.h5").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["weights.checkpoint.h5", "weights.h5"]


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)], ids=str)
def test_help_has_an_example(arguments, invoke):
    result = invoke(*arguments, "--help")
    assert result.exit_code == 0
    assert re.search(rf"Examples?:\s+fastdigits {' '.join(arguments)}", result.stdout)


def test_help_as_a_process(process):
    result = process("train", "-h")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Example: fastdigits train" in result.stdout


def test_help_lists_every_command(invoke):
    assert all(name in invoke("--help").stdout for name in COMMANDS)


def test_help_imports_nothing_heavy(environment, run_python):
    program = """if True:
        import sys
        from fastdigits.cli import COMMANDS, cli
        for command in COMMANDS:
            cli.main([command, "--help"], standalone_mode=False)
            heavy = {"numpy", "numba", "h5py", "matplotlib", "PIL", "rich"} & {*sys.modules}
            assert not heavy, f"{command} --help imports {heavy}"
    """
    result = run_python("-c", program, env=environment)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'?"),
        (["data", "lst"], "No such command 'lst'. Did you mean 'list'?"),
        (["learn"], "No such command 'learn'."),
    ],
    ids=str,
)
def test_mistyped_command(arguments, says, invoke):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: {says}"


# Errors


@pytest.mark.parametrize(
    ("says", "arguments"),
    [
        ("linear, neuron, dnn, mlp, feedforward", ["--model", "nothing"]),
        ("--batch-size", ["--batch-size", "0"]),
        ("--epochs", ["--epochs", "0"]),
        ("--epochs", ["--epochs", "many"]),
        ("--lr", ["--lr", "-0.1"]),
        ("--lr", ["--lr", "0"]),
        ("--momentum", ["--momentum", "1"]),
        ("--weight-decay", ["--weight-decay", "-1"]),
        ("--validation", ["--validation", "-1"]),
        ("--seed", ["--seed", "-1"]),
        ("--seed", ["--seed", str(2**63)]),
        ("--threads", ["--threads", "0"]),
        ("'--threads': 100000 is more than the number of cores", ["--threads", "100000"]),
        ("--optimizer", ["--optimizer", "magic"]),
        ("--loss", ["--loss", "magic"]),
        ("--activation", ["--activation", "magic"]),
        ("--init", ["--init", "magic"]),
        ("--schedule", ["--schedule", "magic"]),
        ("--device", ["--device", "magic"]),
        ("setting lr cannot be nan", ["--lr", "nan"]),
        ("setting lr cannot be inf", ["--lr", "inf"]),
        ("--pad", ["--pad", "-1"]),
        ("--pad", ["--pad", "65"]),
        ("--contrast", ["--contrast", "0"]),
        ("--contrast", ["--contrast", "inf"]),
        ("--gamma", ["--gamma", "-1"]),
        ("setting gamma cannot be nan", ["--gamma", "nan"]),
        ("--binarize", ["--binarize", "1"]),
        ("--augment: there is no effect 'rot'; choose among shift, rotate", ["--augment", "rot=3"]),
        ("--augment: rotate takes a number from 0 to 180", ["--augment", "shift=2,rotate=200"]),
        ("'3x'", ["--model", "mlp", "--hidden", "3x"]),
        ("--hidden", ["--model", "mlp", "--hidden", "0"]),
        ("--hidden", ["--model", "mlp", "--hidden", "9" * 5000]),
        ("'lenet' has no option --hidden", ["--model", "lenet", "--hidden", "30"]),
        ("--pool", ["--model", "lenet", "--pool", "magic"]),
        ("--width", ["--model", "resnet", "--width", "0"]),
        ("nan is not a number in the range 0<x<=8", ["--model", "resnet", "--width", "nan"]),
        ("'lenet' has no option --width", ["--model", "lenet", "--width", "2"]),
        ("'linear' has no option --activation", ["--model", "linear", "--activation", "tanh"]),
        ("--nonsense", ["--nonsense"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_usage_errors(says, arguments, invoke):
    result = invoke("train", *arguments)
    assert result.exit_code == 2, result.exception
    assert says in result.stderr.splitlines()[-1]


def test_usage_errors_are_one_sentence(fails, process_fails, tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"old")
    process_fails(2, "linear, neuron, dnn, mlp, feedforward", "train", "--model", "nothing")
    fails(2, "--batch-size", "train", "--batch-size", "0", "--json")
    fails(2, "--lr", "train", "--lr", "-1")
    fails(2, "choose 1 to", "train", "--threads", "100000")
    fails(2, "'3x'", "train", "--model", "mlp", "--hidden", "3x")
    fails(2, "'cnn' has no option --hidden", "train", "--hidden", "30")
    fails(2, "No such command", "learn")


@pytest.mark.parametrize(
    ("says", "arguments"),
    [
        ("choose 0 to 299", ["--validation", "300"]),
        ("no data folder missing", ["--data", "missing"]),
        ("is empty", ["--data", "empty"]),
        ("301 images", ["--data", "unequal"]),
        ("damaged gzip", ["--data", "truncated"]),
        ("belong together", ["--data", "sizes"]),
        ("does not exist", ["--output", "missing/weights.h5"]),
        ("is a folder", ["--output", "empty"]),
        ("too long", ["--output", "a" * 300]),
        ("does not exist", ["--stats", "missing/stats.json"]),
        ("is not a statistics file", ["--stats", "weights.h5", "--output", "other.h5"]),
        ("too long", ["--stats", "a" * 300]),
        ("--lr", ["--lr", "1e30", "--optimizer", "sgd", "--model", "mlp", "--epochs", "2"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_errors_that_the_user_can_fix(says, arguments, fails, process_fails, tiny, write_digits, tmp_path):
    digits = load_digits(tiny)
    images, labels, test = digits.train_images, digits.train_labels, (digits.test_images, digits.test_labels)
    (tmp_path / "empty").mkdir()
    write_digits(tmp_path / "unequal", images[[0, *range(300)]], labels, *test)
    write_digits(tmp_path / "sizes", images, labels, digits.test_images[:, 1:], digits.test_labels)
    write_digits(tmp_path / "truncated", images, labels, *test)
    images_file = tmp_path / "truncated" / "train-images-idx3-ubyte"
    images_file.write_bytes(gzip.compress(images_file.read_bytes(), 1)[:-1000])
    (tmp_path / "weights.h5").write_bytes(b"old")
    diverges = "--lr" in arguments  # NumPy might print warnings
    result = (process_fails if diverges else fails)(1, says, *LINEAR, "--data", tiny, *arguments)
    assert "epoch" not in result.stdout  # refused before any work was done
    assert (tmp_path / "weights.h5").read_bytes() == b"old"


def test_weights_and_statistics_cannot_share_a_file(invoke, tiny, tmp_path):
    result = invoke(*LINEAR, "--data", tiny, "--output", "both", "--stats", "both")
    assert result.exit_code in (1, 2)
    assert "epoch" not in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_file_name_that_is_not_valid_text(environment, process, tiny, tmp_path):
    variables = environment | {"PYTHONIOENCODING": "utf-8:strict"}
    result = process(*LINEAR, "--data", tiny, "--output", b"\xff.h5", text=False, env=variables)
    assert (result.returncode, result.stderr) == (0, b"")
    assert os.listdir(os.fsencode(tmp_path)) == [b"\xff.h5"]


@pytest.mark.skipif(why_unavailable("cuda") is None, reason="this machine has CUDA")
@pytest.mark.parametrize("command", [LINEAR, ("eval",)], ids=" ".join)
def test_missing_device(command, fails, trained, tiny):
    weights = [trained] if command == ("eval",) else []
    fails(1, "use --device cpu", *command, *weights, "--data", tiny, "--device", "cuda")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission(fails, tiny, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    fails(1, "Permission denied", *LINEAR, "--data", tiny, "--output", "locked/weights.h5")
    (tmp_path / "locked").chmod(0o700)


def test_a_recipe_sets_options_and_the_command_line_overrides_it(train):
    fast = train("--recipe", "fast")
    assert fast.summary["model"] == "fast"
    assert len(fast.summary["epochs"]) == 1
    assert fast.summary["epochs"][0]["validation_loss"] is None
    assert fast.saved.config["label_smoothing"] == RECIPES["fast"]["label_smoothing"]
    changed = train("--recipe", "fast", "--epochs", "2", "--model", "linear")
    assert changed.summary["model"] == "linear"
    assert len(changed.summary["epochs"]) == 2
    assert changed.saved.config["lr"] == RECIPES["fast"]["lr"]


def test_model_settings_yield_to_options_and_recipes(train):
    alexnet, own = ("--model", "alexnet"), MODEL_SETTINGS["alexnet"]["lr"]
    small = ("--width", "0.02", "--epochs", "1")
    plain = train(*alexnet, *small)
    assert plain.saved.config["lr"] == own
    assert plain.summary["parameters"] < 20_000  # instead of 1,555,898 without --width
    assert train(*small, "--lr", "0.5", *alexnet).saved.config["lr"] == 0.5
    for arguments in ((*alexnet, "--recipe", "fast"), ("--recipe", "fast", *alexnet)):
        assert train(*arguments, *small).saved.config["lr"] == RECIPES["fast"]["lr"] != own


@pytest.mark.parametrize("init", ["he", "glorot", "normal", "uniform"])
def test_model_options(init, train):
    saved = train("--model", "lenet", "--pool", "max", "--init", init, "--epochs", "1").saved
    assert [layer["type"] for layer in saved.network["layers"]].count("MaxPool2D") == 2
    assert saved.network["layers"][0]["initializer"] == init


def test_a_file_of_layers(train, tmp_path):
    (tmp_path / "my net.toml").write_text(LAYERS)
    done = train("--model", "my net.toml", "--epochs", "2")
    assert (done.summary["model"], done.saved.model) == ("my net", "my net")
    kinds = [layer["type"] for layer in done.saved.network["layers"]]
    assert kinds == ["Conv2D", "BatchNorm", "Residual", "ReLU", "Flatten", "Dropout", "Dense"]
    assert {"batchnorm_1/running_var", "residual_1/projection.weight"} < done.saved.weights.keys()
    assert (done.saved.weights["batchnorm_1/running_var"] != 1).all()


def test_invalid_file_of_layers(fails, tiny, tmp_path):
    (tmp_path / "net.toml").write_text(LAYERS.replace("units = 10", ""))
    fails(1, "net.toml: layer 7 (Dense) lacks the field 'units'; add it.", "train", "--model", "net.toml")
    (tmp_path / "net.toml").write_text(LAYERS.replace("kernel = 3", "kernel = 30"))
    says = "net.toml: Layer conv2d_1: Conv2D: a kernel of 30 x 30 does not fit an input of 28 x 28"
    fails(1, says, "train", "--model", "net.toml", "--data", tiny)
    fails(2, "has no option --width", "train", "--model", "net.toml", "--width", "1")


LAYERS = """
[[layer]]
type = "Conv2D"
filters = 3
kernel = 3

[[layer]]
type = "BatchNorm"

[[layer]]
type = "Residual"
projection = true
    [[layer.layers]]
    type = "Conv2D"
    filters = 4
    kernel = [3, 3]
    stride = 2
    padding = 1

[[layer]]
type = "ReLU"

[[layer]]
type = "Flatten"

[[layer]]
type = "Dropout"
rate = 0.5

[[layer]]
type = "Dense"
units = 10
"""


def test_recipes_consist_of_options():
    options = {parameter.name for parameter in train_command.params}
    assert all(set(recipe) <= options for recipe in RECIPES.values())


def test_label_smoothing_and_betas_change_the_weights(train):
    base = "--model", "linear", "--epochs", "1"
    plain = weight_bytes(train(*base))
    assert weight_bytes(train(*base, "--label-smoothing", "0.2")) != plain
    assert weight_bytes(train(*base, "--beta1", "0.5")) != plain
    assert weight_bytes(train(*base, "--beta2", "0.9")) != plain
    assert weight_bytes(train(*base, "--no-fuse")).keys() == plain.keys()


@pytest.fixture
def handled_interrupts():
    """The handler of Ctrl-C that commands install."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with interrupt.handled():
        yield
    with interrupt.handled():
        pass  # forgets the signals, or the commands of later tests would be interrupted
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("handled_interrupts")
def test_lost_ctrl_c_is_raised_again():
    """Python drops an exception raised inside a callback of the compiler; the next step must stop all the same."""
    interrupt.check()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    lines = TrainingLines(list, 1, 0)
    for reach in (
        lambda: lines.on_compiled(1.0),
        lambda: lines.on_step(1, 1, 2, lambda: (0.0, 0.0)),
        interrupt.check,
    ):
        with pytest.raises(KeyboardInterrupt):
            reach()


@pytest.mark.usefixtures("handled_interrupts")
def test_a_signal_is_deferred_to_a_check():
    with interrupt.deferrable():
        interrupt.defer()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()


@pytest.mark.usefixtures("handled_interrupts")
def test_ctrl_c_is_immediate_after_the_block_that_deferred_it():
    with interrupt.deferrable():
        interrupt.defer()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a file that is always full")
def test_full_disk_behind_stdout(process):
    with open("/dev/full", "w") as full:
        result = process("models", stdout=full)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: The output cannot be written (No space left on device); ")
    assert len(result.stderr.splitlines()) == 1


def test_stdout_with_strict_utf_8(environment, process, tiny, trained, tmp_path):
    file = tmp_path / os.fsdecode(b"caf\xe9.h5")
    file.write_bytes(trained.read_bytes())
    strict = environment | {"PYTHONIOENCODING": "utf-8:strict"}
    result = process("eval", file, trained, "--data", tiny, env=strict)
    assert result.returncode == 0, result.stderr
    assert "caf\\udce9.h5 (linear)" in result.stdout


@pytest.mark.usefixtures("trained")
def test_damaged_kernel_cache_is_rebuilt(environment, process, tiny, tmp_path):
    folder = tmp_path / "kernels"  # with those that other tests have compiled
    shutil.copytree(kernel_cache.folder(), folder, ignore=shutil.ignore_patterns("*.part", "*.lock"))
    cache = environment | {"NUMBA_CACHE_DIR": str(folder)}
    kernels = [path for op in ("adamw_step", "softmax_cross_entropy") for path in folder.glob(f"*.{op}-*.kernel")]
    assert len(kernels) == 2
    for kernel in kernels:
        kernel.write_bytes(kernel.read_bytes()[:100])
    times = []
    for _ in range(2):  # compiles again, but only once
        result = process(*LINEAR, "--data", tiny, "--output", tmp_path / "w.h5", env=cache)
        assert result.returncode == 0, result.stderr
        assert all(kernel.stat().st_size > 100 for kernel in kernels)
        times.append([kernel.stat().st_mtime_ns for kernel in kernels])
    assert times[0] == times[1]
