"""`fastdigits train`: schedules, repeated runs, checkpoints and recipes."""

import json
from types import SimpleNamespace

import pytest

from fastdigits.cli.commands.train import command as train_command
from fastdigits.config.recipes import MODEL_SETTINGS, RECIPES
from fastdigits.config.training import MODEL
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


def test_accuracy_at_chance_is_an_error(invoke, tiny):
    result = invoke("train", "--data", tiny, *LINEAR, "--lr", "1e-12", "--optimizer", "sgd", "--seed", "1")
    assert isinstance(result.exception, UserError)
    assert "chance" in str(result.exception)


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


@pytest.mark.parametrize("images", [[], AUGMENTED, [*PREPARED, *AUGMENTED]], ids=["as they are", "augmented", "both"])
@pytest.mark.parametrize("every", [1, 2])
def test_resumed_training_gives_the_same_bytes(every, images, process, tiny, tmp_path):
    base = "train", "--data", tiny, *MLP, *images, "--ema", "0.9", "--keep-best", "--schedule", "constant"
    assert process(*base, "--output", "whole.h5").returncode == 0
    assert process(*base, "--epochs", "2", "--checkpoint-every", every, "--output", "parts.h5").returncode == 0
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


def test_ctrl_c_saves_a_checkpoint(interrupt_after, process, tiny, tmp_path):
    base = "train", "--data", tiny, "--model", "lenet", "--batch-size", "10", "--schedule", "constant"
    endless = "--epochs", "100000", "--log-every", "1", "--output", "a.h5"
    code, output, errors = interrupt_after("epoch 2: 150", *base, *endless)  # in the middle of an epoch
    assert code == 130
    assert errors.strip() == "Interrupted."
    says = ["checkpoint: a.checkpoint.h5", "to resume: fastdigits train --resume a.checkpoint.h5"]
    assert output.splitlines()[-2:] == says
    assert [path.name for path in tmp_path.iterdir()] == ["a.checkpoint.h5"]
    epochs = "--epochs", len(read(tmp_path / "a.checkpoint.h5").history) + 1
    assert process("train", "--resume", "a.checkpoint.h5", *epochs).returncode == 0
    assert process(*base, *epochs, "--output", "b.h5").returncode == 0
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.fixture
def interrupted(interrupt_after, tiny):
    """interrupted(begin, *arguments): exit code and stderr of a training that gets Ctrl-C after such a line."""

    def interrupted(begin, *arguments):
        quick = "train", "--data", tiny, "--model", "linear", "--json"
        code, output, errors = interrupt_after(begin, *quick, *arguments, stream="stderr")
        assert output == ""
        return code, errors

    return interrupted


@pytest.mark.parametrize("several", ["run", "fold"])
def test_ctrl_c_keeps_the_finished_runs(several, interrupted, tmp_path):
    quick = "--epochs", "2", f"--{several}s", "150", "--stats", "stats.json"
    code, errors = interrupted(f"{several} 3 of 150", *quick)
    assert code == 130
    runs = json.loads((tmp_path / "stats.json").read_text())["runs"]
    assert f"{len(runs)} of 150 runs are finished" in errors
    names = [run["seed"] + 1 if several == "run" else run["fold"] for run in runs]
    assert names == [*range(1, len(runs) + 1)]
    best = max(runs, key=lambda run: (run["validation_accuracy"], -run["epochs"][-1]["validation_loss"]))
    assert read(tmp_path / "weights.h5").metrics["test_accuracy"] == best["test"]["accuracy"]


def test_ctrl_c_saves_a_checkpoint_of_a_run_but_not_of_a_fold(interrupted, tmp_path):
    endless = "--epochs", "1000000"
    code, errors = interrupted("epoch", *endless, "--folds", "2")
    assert (code, "to resume" in errors, list(tmp_path.iterdir())) == (130, False, [])
    code, errors = interrupted("epoch", *endless, "--runs", "2", "--stats", "a.json")
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
    assert spelled - set(table) == {"--json", "--show", "--progress"}
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
    fails(1, "is not a checkpoint", "train", "--resume", trained)
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
