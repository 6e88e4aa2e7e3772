"""`fastdigits train`: schedules, repeated runs, checkpoints and recipes."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from fastdigits.cli.commands.train import command as train_command
from fastdigits.config.recipes import MODEL_SETTINGS, RECIPES
from fastdigits.config.training import MODEL
from fastdigits.data import load_digits
from fastdigits.errors import UserError
from fastdigits.storage.weights import read
from fastdigits.training import checkpoint

pytestmark = pytest.mark.slow

LINEAR = ("--model", "linear", "--epochs", "3")
MLP = ("--model", "mlp", "--hidden", "20", "--epochs", "4")
PREPARED = ("--pad", "2", "--contrast", "4", "--gamma", "0.7", "--no-normalise")
AUGMENTED = ("--augment", "shift=1,rotate=8,elastic=0.6,noise=0.1")


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


def validations(summary):
    return [epoch["validation_accuracy"] for epoch in summary["epochs"]]


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        (["--schedule", "step", "--lr-decay", "0.1"], "lr_decay", 0.1),
        (["--schedule", "exponential", "--decay-every", "2"], "decay_every", 2),
        (["--schedule", "inverse-time"], "schedule", "inverse-time"),
        (["--schedule", "cosine"], "schedule", "cosine"),
        (["--warmup", "0.5"], "warmup", 0.5),
        (["--clip-norm", "0.1"], "clip_norm", 0.1),
        (["--ema", "0.9"], "ema", 0.9),
        (["--batch-size", "all"], "batch_size", None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_option_changes_the_weights_and_is_stored(arguments, field, value, train):
    plain, changed = train(*MLP), train(*MLP, *arguments)
    assert changed.saved.config[field] == value != plain.saved.config[field]
    assert weight_bytes(changed) != weight_bytes(plain)


def test_a_batch_of_all_images_is_one_step_an_epoch(train, invoke, tiny):
    assert train(*LINEAR, "--batch-size", "all").summary["batch_size"] == 275
    lines = invoke("train", "--data", tiny, *LINEAR, "--batch-size", "all", "--log-every", "1").stdout
    assert "images, loss" not in lines  # no step but the last of each epoch
    assert "images, loss" in invoke("train", "--data", tiny, *LINEAR, "--batch-size", "274", "--log-every", "1").stdout


def test_early_stop_keeps_the_best_epoch(train):
    run = train("--model", "linear", "--epochs", "100", "--early-stop", "2", "--lr", "0.02", "--schedule", "constant")
    accuracies, kept = validations(run.summary), run.summary["kept_epoch"]
    assert len(accuracies) == kept + 2 < 100
    assert run.summary["validation_accuracy"] == accuracies[kept - 1] == max(accuracies)
    assert run.saved.metrics["kept_epoch"] == kept
    assert "the best on the validation images" in run.stderr


def test_keep_best_and_no_keep_best(train):
    base = "--model", "linear", "--epochs", "12", "--lr", "0.02", "--schedule", "constant"
    last, best = train(*base), train(*base, "--keep-best")
    assert validations(best.summary) == validations(last.summary)
    assert last.summary["kept_epoch"] == 12
    assert best.summary["kept_epoch"] < 12
    assert weight_bytes(best) != weight_bytes(last)
    assert weight_bytes(train(*base, "--early-stop", "12", "--no-keep-best")) == weight_bytes(last)


# Several runs


def test_runs_use_successive_seeds_and_keep_the_best_by_validation(train):
    done = train(*LINEAR, "--runs", "3", "--seed", "4")
    alone = [train(*LINEAR, "--seed", seed, "--output", f"{seed}.h5") for seed in (4, 5, 6)]
    runs = done.summary["trainings"]
    assert [run["seed"] for run in runs] == [4, 5, 6]
    for one, other in zip(runs, alone, strict=True):
        assert one["test"] == other.summary["test"]
        assert validations(one) == validations(other.summary)
    last = [
        (run.summary["epochs"][-1]["validation_accuracy"], -run.summary["epochs"][-1]["validation_loss"])
        for run in alone
    ]
    best = alone[last.index(max(last))]
    assert weight_bytes(done) == weight_bytes(best)
    assert done.summary["seed"] == best.summary["seed"]
    accuracies = [run["test"]["accuracy"] for run in runs]
    spread = done.summary["averages"]["test_accuracy"]
    assert spread["mean"] == pytest.approx(sum(accuracies) / 3)
    assert (spread["min"], spread["max"]) == (min(accuracies), max(accuracies))
    assert spread["std"] == pytest.approx((sum((a - spread["mean"]) ** 2 for a in accuracies) / 2) ** 0.5)
    assert "run 2 of 3, seed 5" in done.stderr
    assert "test accuracy: mean" in done.stderr


def test_runs_write_the_same_file_as_the_best_run_alone(invoke, tiny, tmp_path):
    summary = json.loads(invoke("train", "--data", tiny, *LINEAR, "--runs", "2", "--output", "a.h5", "--json").stdout)
    invoke("train", "--data", tiny, *LINEAR, "--seed", summary["seed"], "--output", "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_folds_are_validated_on_images_held_out(train):
    done = train(*LINEAR, "--folds", "4")
    runs = done.summary["trainings"]
    assert [run["fold"] for run in runs] == [1, 2, 3, 4]
    assert len({run["epochs"][0]["train_loss"] for run in runs}) == 4
    for run in runs:  # of 75 images each
        assert run["validation_accuracy"] * 75 == pytest.approx(round(run["validation_accuracy"] * 75))
    accuracies = [run["validation_accuracy"] for run in runs]
    assert done.summary["averages"]["validation_accuracy"]["mean"] == pytest.approx(sum(accuracies) / 4)
    assert done.summary["validation_accuracy"] == max(accuracies)
    assert done.summary["fold"] == accuracies.index(max(accuracies)) + 1 or accuracies.count(max(accuracies)) > 1
    assert train("--recipe", "fast", "--folds", "2", "--model", "linear").summary["averages"]["trained"] == 2


def test_folds_and_runs_combine_with_other_options(train):
    methods = "--ema", "0.9", "--clip-norm", "1", "--early-stop", "1", "--schedule", "plateau", "--batch-size", "all"
    for several in ("--folds", "--runs"):
        assert len(train(*MLP, *methods, "--warmup", "0.1", several, "2").summary["trainings"]) == 2


@pytest.mark.parametrize("several", ["--folds", "--runs"])
def test_folds_and_runs_prepare_and_augment_images(several, train, invoke, tiny, tmp_path):
    done = train(*MLP, *PREPARED, *AUGMENTED, "--ema", "0.9", several, "2")
    assert done.saved.network["input_shape"] == [1, 32, 32]
    assert done.saved.normalisation.preparation.pad == 2
    test = json.loads(invoke("eval", tmp_path / "weights.h5", "--data", tiny, "--json").stdout)
    assert test["correct"] == done.summary["test"]["correct"]
    assert weight_bytes(done) != weight_bytes(train(*MLP, *PREPARED, "--ema", "0.9", several, "2"))


def test_all_images_in_one_step_are_augmented(train):
    steps = [train(*MLP, "--batch-size", size, *AUGMENTED) for size in ("all", 275)]
    assert weight_bytes(steps[0]) == weight_bytes(steps[1]) != weight_bytes(train(*MLP, "--batch-size", "all"))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_failed_runs_are_counted_and_restarted(train, invoke, tiny, tmp_path):
    failing = "--data", tiny, "--model", "mlp", "--optimizer", "sgd", "--lr", "1e30", "--epochs", "2"
    result = invoke("train", *failing, "--restart-dead", "2", "--stats", "stats.json")
    assert isinstance(result.exception, UserError)
    assert "--lr" in str(result.exception)
    assert result.stdout.count("run failed: ") == 2
    assert "another try with seed 2" in result.stdout
    assert json.loads((tmp_path / "stats.json").read_text())["dead_runs"] == 3
    assert not (tmp_path / "weights.h5").exists()
    several = invoke("train", *failing, "--runs", "2", "--stats", "several.json")
    assert json.loads((tmp_path / "several.json").read_text())["dead_runs"] == 2
    assert "All 2 training runs failed" in str(several.exception)
    train(*LINEAR, "--stats", "stats.json")
    content = json.loads((tmp_path / "stats.json").read_text())
    assert (content["times_run"], content["dead_runs"]) == (1, 3)
    assert "runs: 1; 3 more failed" in (tmp_path / "stats.txt").read_text()


AT_CHANCE = *LINEAR, "--data", "shuffled", "--lr", "1e-12", "--optimizer", "sgd"
# Weight decay that multiplies every weight by -1.5 in each step, so that they overflow after some epochs
GROWING = "--optimizer", "sgd", "--lr", "1e-4", "--weight-decay", "25000", "--schedule", "constant"
DIVERGING = "--model", "linear", "--epochs", "100", "--batch-size", "7", *GROWING


@pytest.fixture
def shuffled(tiny, write_digits, tmp_path):
    """A folder with the images of the tiny set and labels that do not belong to them."""
    digits = load_digits(tiny)
    labels = np.random.default_rng(0).permutation(digits.train_labels)
    write_digits(tmp_path / "shuffled", digits.train_images, labels, digits.test_images, digits.test_labels)


@pytest.mark.usefixtures("shuffled")
def test_a_network_at_chance_is_written_with_a_warning(process, tmp_path):
    result = process("train", *AT_CHANCE)
    assert result.returncode == 0
    warning = [line for line in result.stderr.splitlines() if not line.startswith("device: ")]
    assert warning[0].startswith("Warning: The network is no better than chance: ")
    assert len(warning) == 1
    assert len(read(tmp_path / "weights.h5").history) == 3


@pytest.mark.usefixtures("shuffled")
def test_the_verdict_is_in_the_summary(train):
    chance, fine = train(*AT_CHANCE), train(*LINEAR)
    assert chance.summary["verdict"]["result"] == "chance"
    assert chance.summary["verdict"]["message"] in chance.stderr
    assert chance.summary["dead_runs"] == 1
    assert (fine.summary["verdict"]["result"], fine.summary["verdict"]["message"]) == ("above chance", "")
    assert "Warning" not in fine.stderr


def test_a_perfect_network_on_unequal_classes_is_no_failure(train, write_digits, tmp_path):
    """95 of 100 images are of one class, so that always answering it is nearly perfect."""
    digits = load_digits()
    rows = np.concatenate([np.flatnonzero(digits.train_labels == digit)[:count] for digit, count in ((3, 95), (7, 5))])
    images = digits.train_images[rows], digits.train_labels[rows]
    write_digits(tmp_path / "unequal", *images, *images)
    run = train("--data", "unequal", "--model", "mlp", "--epochs", "20")
    assert run.summary["test"]["accuracy"] == 1
    assert run.summary["verdict"]["result"] == "above chance"
    assert "Warning" not in run.stderr


def test_a_run_that_diverges_writes_its_last_finite_epoch(process, invoke, tiny, tmp_path):
    result = process("train", "--data", tiny, *DIVERGING, "--json", "--output", "a.h5")
    assert result.returncode == 1
    summary = json.loads(result.stdout)
    kept = summary["kept_epoch"]
    assert summary["verdict"]["result"] == "diverged"
    assert result.stderr.splitlines()[-1].startswith("Error: The ")
    assert result.stderr.splitlines()[-1].endswith(f"lower --lr. The weights of epoch {kept} are in a.h5.")
    assert len(read(tmp_path / "a.h5").history) == kept > 1
    # training that ends there gives the same weights
    assert invoke("train", "--data", tiny, *DIVERGING, "--epochs", kept, "--output", "b.h5").exit_code == 0
    saved = [read(tmp_path / name).weights["dense_1/weight"].tobytes() for name in ("a.h5", "b.h5")]
    assert saved[0] == saved[1]


@pytest.mark.usefixtures("shuffled")
def test_runs_at_chance_are_in_the_averages_if_no_run_succeeds(train):
    done = train(*AT_CHANCE, "--runs", "2", "--stats", "stats.json", "--plot", "curves.png")
    assert (done.summary["averages"]["trained"], done.summary["averages"]["dead_runs"]) == (0, 2)
    assert [run["verdict"]["result"] for run in done.summary["trainings"]] == ["chance", "chance"]
    assert done.summary["averages"]["test_accuracy"]["mean"] > 0
    assert "0 runs succeeded, 2 failed; the averages are those of failed runs" in done.stderr


# Finished networks


def test_a_finished_network_is_trained_further(train):
    first = train(*LINEAR, "--output", "a.h5", "--schedule", "constant")
    further = train("--resume", "a.h5", "--epochs", "5", "--output", "b.h5")
    assert [epoch["epoch"] for epoch in further.summary["epochs"]] == [1, 2, 3, 4, 5]
    assert further.saved.history[:3] == first.saved.history
    assert further.saved.history[4]["train_loss"] < first.saved.history[2]["train_loss"]
    assert "a.h5 holds a finished network, linear: the optimizer starts from its initial state" in further.stderr
    assert "schedule" not in further.stderr
    again = train("--resume", "a.h5", "--epochs", "5")  # replaces a.h5
    assert (again.summary["output"], weight_bytes(again)) == ("a.h5", weight_bytes(further))


def test_a_schedule_over_more_epochs_is_announced(train):
    train(*LINEAR)
    further = train("--resume", "weights.h5", "--epochs", "6")
    assert "--schedule one-cycle over 6 epochs instead of 3: it continues at 59% of its peak" in further.stderr
    assert further.summary["epochs"][-1]["learning_rate"] < 0.001


@pytest.mark.parametrize("method", [["--ema", "0.9"], ["--keep-best"], ["--early-stop", "9"]], ids=" ".join)
def test_a_finished_network_is_trained_further_with_its_method(method, train):
    first = train(*MLP, *method, "--lr", "1e-30", "--checkpoint-every", "1")  # hardly changes the weights
    further = train("--resume", "weights.h5", "--epochs", "6", "--checkpoint-every", "1", "--output", "b.h5")
    values = [run.saved.weights["dense_1/weight"] for run in (first, further)]
    np.testing.assert_allclose(values[1], values[0], atol=1e-6)
    assert weight_bytes(train("--resume", "b.checkpoint.h5", "--output", "c.h5")) == weight_bytes(further)


def test_a_network_that_was_stopped_early_is_not_trained_further(train, fails):
    train("--model", "linear", "--epochs", "100", "--early-stop", "1", "--lr", "0.02", "--schedule", "constant")
    fails(1, "--early-stop 1 has ended its training", "train", "--resume", "weights.h5", "--epochs", "200")


def test_statistics_of_several_runs(train, tmp_path):
    runs = train(*LINEAR, "--runs", "2", "--stats", "stats.json").summary["trainings"]
    folds = train(*LINEAR, "--folds", "2", "--stats", "stats.json").summary["trainings"]
    content = json.loads((tmp_path / "stats.json").read_text())
    assert content["times_run"] == 4
    assert content["runs"] == runs + folds
    text = (tmp_path / "stats.txt").read_text()
    mean = sum(content["test_accuracies"]) / 4
    assert f"test accuracy: mean {mean:.2%}" in text
    assert "mean seconds of total: " in text


# Checkpoints


@pytest.mark.parametrize(
    ("every", "images"), [(2, []), (1, [*PREPARED, *AUGMENTED])], ids=["as they are", "prepared and augmented"]
)
def test_resumed_training_gives_the_same_bytes(every, images, invoke, process, tiny, tmp_path):
    base = "train", "--data", tiny, *MLP, *images, "--ema", "0.9", "--keep-best", "--schedule", "constant"
    assert invoke(*base, "--output", "whole.h5").exit_code == 0
    assert invoke(*base, "--epochs", "2", "--checkpoint-every", every, "--output", "parts.h5").exit_code == 0
    result = process("train", "--resume", "parts.checkpoint.h5", "--epochs", "4")
    assert result.returncode == 0, result.stderr
    assert [line[:9] for line in result.stdout.splitlines() if line.startswith("epoch")] == ["epoch 3/4", "epoch 4/4"]
    assert (tmp_path / "parts.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_statistics_of_a_resumed_run(train, tmp_path):
    train(*LINEAR, "--checkpoint-every", "1", "--schedule", "constant")
    summary = train("--resume", "weights.checkpoint.h5", "--epochs", "5", "--stats", "stats.json").summary
    assert [epoch["seconds"] is None for epoch in summary["epochs"]] == [True] * 3 + [False] * 2
    assert json.loads((tmp_path / "stats.json").read_text())["times"]["epoch"] > 0
    ended = train("--resume", "weights.checkpoint.h5", "--stats", "ended.json").summary
    assert ended["images_per_second"] is None
    assert json.loads((tmp_path / "ended.json").read_text())["times"]["step"] is None


def test_ctrl_c_saves_a_checkpoint(interrupt_after, invoke, tiny, tmp_path):
    base = "train", "--data", tiny, "--model", "lenet", "--batch-size", "10", "--schedule", "constant"
    endless = "--epochs", "100000", "--log-every", "1", "--output", "a.h5"
    code, output, errors = interrupt_after("epoch 2: 150", *base, *endless)  # in the middle of an epoch
    assert code == 130
    assert errors.strip() == "Interrupted."
    says = ["checkpoint: a.checkpoint.h5", "to resume: fastdigits train --resume a.checkpoint.h5"]
    assert output.splitlines()[-2:] == says
    assert [path.name for path in tmp_path.iterdir()] == ["a.checkpoint.h5"]
    epochs = "--epochs", len(read(tmp_path / "a.checkpoint.h5").history) + 1
    assert invoke("train", "--resume", "a.checkpoint.h5", *epochs).exit_code == 0
    assert invoke(*base, *epochs, "--output", "b.h5").exit_code == 0
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.fixture
def interrupted(interrupt_after, tiny):
    """interrupted(begin, *arguments): exit code and output of a training that gets Ctrl-C after such a line."""

    def interrupted(begin, *arguments):
        quick = "train", "--data", tiny, "--model", "linear", "--json"
        code, output, errors = interrupt_after(begin, *quick, *arguments, stream="stderr")
        return code, output, errors

    return interrupted


@pytest.mark.parametrize("several", ["run", "fold"])
def test_ctrl_c_keeps_the_finished_runs(several, interrupted, tmp_path):
    quick = "--epochs", "2", f"--{several}s", "150", "--stats", "stats.json"
    code, output, errors = interrupted(f"{several} 3 of 150", *quick)
    assert code == 130
    runs = json.loads((tmp_path / "stats.json").read_text())["runs"]
    assert f"{len(runs)} of 150 runs are finished" in errors
    names = [run["seed"] + 1 if several == "run" else run["fold"] for run in runs]
    assert names == [*range(1, len(runs) + 1)]
    best = max(runs, key=lambda run: (run["validation_accuracy"], -run["epochs"][-1]["validation_loss"]))
    assert read(tmp_path / "weights.h5").metrics["test_accuracy"] == best["test"]["accuracy"]
    summary = json.loads(output)
    assert [run["test"] for run in summary["trainings"]] == [run["test"] for run in runs]
    assert summary["averages"]["trained"] == len(runs) < summary["planned_runs"] == 150


def test_ctrl_c_saves_a_checkpoint_of_a_run_but_not_of_a_fold(interrupted, tmp_path):
    endless = "--epochs", "1000000"
    code, output, errors = interrupted("epoch", *endless, "--folds", "2")
    assert (code, output, "to resume" in errors, list(tmp_path.iterdir())) == (130, "", False, [])
    code, output, errors = interrupted("epoch", *endless, "--runs", "2", "--stats", "a.json")
    assert output == ""
    words = "fastdigits train --resume weights.checkpoint.h5 --stats a.json --output weights.rest.h5"
    assert (code, f"to resume this run: {words}\n" in errors) == (130, True)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.checkpoint.h5"]
    assert checkpoint.read(tmp_path / "weights.checkpoint.h5").saved.config["seed"] == 0


# Recipes


def test_show_prints_the_options_of_a_recipe(invoke, tmp_path):
    shown = invoke("train", "--recipe", "fast", "--lr", "0.5", "--show")
    assert shown.exit_code == 0
    table = dict(line.split(maxsplit=1) for line in shown.stdout.splitlines() if line.startswith("--"))
    assert (table["--model"], table["--lr"], table["--optimizer"]) == ("fast", "0.5", "adamw")
    assert table["--momentum"] == "0.9"
    spelled = {option for param in train_command.params if param.expose_value for option in param.opts}
    assert spelled - set(table) == {"--json", "--show", "--progress", "-o"}
    assert list(tmp_path.iterdir()) == []
    defaults = invoke("train", "--show").stdout
    assert "0.006, the default of adamw" in defaults
    own = (f"--{name} {value}" for name, value in MODEL_SETTINGS[MODEL].items())
    assert defaults.splitlines()[-1] == " ".join(["fastdigits train", *own])


@pytest.mark.parametrize("recipe", RECIPES)
def test_command_line_printed_by_show_sets_the_same_options(recipe, invoke):
    options = "--no-fuse", "--batch-size", "all", *PREPARED, *AUGMENTED
    shown = invoke("train", "--recipe", recipe, *options, "--show").stdout
    program, *words = shown.splitlines()[-1].split()
    assert program == "fastdigits"
    assert invoke(*words, "--show").stdout == shown


# Conflicts


@pytest.mark.parametrize(
    ("says", "arguments"),
    [
        ("choose one of them", ["--folds", "2", "--runs", "2"]),
        ("leave --folds or --checkpoint-every out", ["--folds", "2", "--checkpoint-every", "1"]),
        ("leave --runs or --checkpoint-every out", ["--runs", "2", "--checkpoint-every", "1"]),
        ("leave --validation out", ["--folds", "2", "--validation", "10"]),
        ("give --validation 5000", ["--runs", "2", "--validation", "0"]),
        ("give --validation 5000", ["--runs", "2", "--recipe", "fast"]),
        ("--early-stop needs validation images", ["--early-stop", "2", "--validation", "0"]),
        ("--keep-best needs validation images", ["--keep-best", "--validation", "0"]),
        ("--schedule plateau needs validation images", ["--schedule", "plateau", "--validation", "0"]),
        ("--schedule cosine takes no --lr-decay", ["--schedule", "cosine", "--lr-decay", "0.5"]),
        ("at most 1", ["--schedule", "step", "--lr-decay", "2"]),
        ("leave --lr out", ["--resume", "any.h5", "--lr", "0.1"]),
        ("leave --recipe out", ["--resume", "any.h5", "--recipe", "fast"]),
        ("leave --folds out", ["--resume", "any.h5", "--folds", "2"]),
        ("leave --pad out", ["--resume", "any.h5", "--pad", "2"]),
        ("leave --augment out", ["--resume", "any.h5", "--augment", "shift=1"]),
        ("leave --no-normalise out", ["--resume", "any.h5", "--no-normalise"]),
        ("there is no effect 'flip'", ["--folds", "2", "--augment", "flip=1"]),
        ("--folds", ["--folds", "1"]),
        ("--runs", ["--runs", "0"]),
        ("--early-stop", ["--early-stop", "0"]),
        ("--checkpoint-every", ["--checkpoint-every", "0"]),
        ("--ema", ["--ema", "1"]),
        ("--clip-norm", ["--clip-norm", "0"]),
        ("--warmup", ["--warmup", "1.1"]),
        ("--batch-size", ["--batch-size", "some"]),
        ("name the same file", ["--output", "a.txt", "--stats", "a.json"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage_errors(says, arguments, invoke, tmp_path):
    result = invoke("train", *arguments)
    assert result.exit_code == 2, result.exception
    assert says in result.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_errors_that_the_user_can_fix(invoke, fails, trained, tiny, tmp_path):
    fails(1, "No such file", "train", "--resume", "missing.h5")
    fails(1, "it has been trained for 3 epochs already; give more --epochs", "train", "--resume", trained)
    fails(1, "choose 2 to 300", "train", "--data", tiny, "--folds", "301")
    fails(1, "is a folder", "train", "--data", tiny, "--output", ".", "--checkpoint-every", "1")
    fails(1, "name it .json", "train", "--data", tiny, "--stats", "stats.txt")
    invoke("train", "--data", tiny, *LINEAR, "--checkpoint-every", "1", "--no-normalise", "--output", "raw.h5")
    fails(1, "it was trained on other images", "train", "--resume", "raw.checkpoint.h5", "--data", "mnist")
    invoke("train", "--data", tiny, *LINEAR, "--checkpoint-every", "1")
    fails(1, "it was trained on other images", "train", "--resume", "weights.checkpoint.h5", "--data", "mnist")
    fails(1, "for 3 epochs already", "train", "--resume", "weights.checkpoint.h5", "--epochs", "2")


def test_every_option_has_help():
    assert [param.name for param in train_command.params if not param.help] == []
