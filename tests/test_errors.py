"""Messages name settings as their reader writes them: as options of a command, or as arguments in Python."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import fastdigits
from fastdigits import load_digits, ops
from fastdigits.config.training import TrainConfig
from fastdigits.data.augmentation import parse_effects
from fastdigits.data.preprocessing import Normalisation, Preparation, polarity_warning
from fastdigits.errors import NotFiniteError, UserError, setting, worded, words_of_commands
from fastdigits.storage.history import Epoch
from fastdigits.training.failure import check_finite
from fastdigits.training.verdict import Verdict

# Modules that only commands use; in worded() and in docstrings, options may stand everywhere
OF_COMMANDS = {
    *("cli", "bench", "check", "doctor", "export", "importing", "report", "serve", "sweeps"),
    *("training/checkpoint.py", "training/continuation.py", "training/repeats.py"),
    *("storage/corrections.py", "storage/run_statistics.py", "storage/run_table.py"),
}
OPTION = re.compile(r"(?<![\w-])--[a-z]{2}[a-z-]*")
OF_OTHER_PROGRAMS = {"--gpus"}  # of docker


def message_of(call):
    try:
        return str(call())
    except UserError as error:
        return str(error)


@pytest.fixture
def sets(tmp_path):
    """Files of images that need an option."""
    size = {"x_train": np.zeros((20, 28, 28)), "y_train": np.arange(20) % 2}
    np.savez(tmp_path / "sizes.npz", **size, x_test=np.zeros((20, 9, 9)), y_test=size["y_train"])
    np.savez(
        tmp_path / "values.npz", x=np.tile(np.arange(-300.0, 484).reshape(1, 28, 28), (20, 1, 1)), y=size["y_train"]
    )
    return tmp_path


CALLS = {
    "train --help": (lambda _: TrainConfig(epochs=0), "see 'fastdigits train --help'", "TrainConfig"),
    "preparation": (lambda _: Preparation(pad=99), "see 'fastdigits train --help'", "TrainConfig"),
    "schedule": (lambda _: TrainConfig(lr_decay=0.5), "--schedule one-cycle", "schedule='one-cycle'"),
    "lr_decay": (lambda _: TrainConfig(schedule="step", lr_decay=2.0), "needs a --lr-decay of", "needs a lr_decay of"),
    "validation": (lambda _: TrainConfig(early_stop=1, validation=0), "give --validation 5000", "give validation=5000"),
    "augment": (lambda _: parse_effects("spin=1"), "--augment: ", "augment: "),
    "rate": (lambda _: check_finite(1, np.nan), "lower --lr.", "lower lr."),
    "weights": (lambda _: NotFiniteError(), "with a lower --lr if", "with a lower lr if"),
    "rank": (lambda _: Epoch(1, 0.0, 0.0, None, None).rank, "with --validation.", "with validation."),
    "threads": (lambda _: ops.load("cpu", 10**6), "--threads must lie", "threads must lie"),
    "size": (lambda sets: load_digits(sets / "sizes.npz"), "with --size 28.", "with size=28."),
    "range": (
        lambda sets: load_digits(sets / "values.npz"),
        "say with --value-range BLACK,WHITE which",
        "say with value_range=(BLACK, WHITE) which",
    ),
    "polarity": (
        lambda _: polarity_warning(np.pad(np.zeros((9, 5, 5), np.uint8), ((0, 0), (5, 5), (5, 5)), constant_values=255),
                                   Normalisation(0.1, 0.3)),
        "invert the images with --value-range 255,0.",
        "invert the images: give 255 - x",
    ),
    "verdict": (
        lambda _: Verdict(np.ones((10, 10), int)).message,
        "Try another --lr, more --epochs, or other seeds with --restart-dead.",
        "Try another lr, more epochs, or another seed.",
    ),
    "majority": (
        lambda _: Verdict(np.outer([99, *[1] * 9], [1, *[0] * 9])).message,
        "Train with --class-weight balanced, for more --epochs,",
        "Train with class_weight='balanced', for more epochs,",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("call", "command", "python"), CALLS.values(), ids=CALLS)
def test_messages_name_settings_as_their_reader_writes_them(call, command, python, sets):
    assert python in message_of(lambda: call(sets))
    assert not OPTION.search(message_of(lambda: call(sets)))
    with words_of_commands():
        assert command in message_of(lambda: call(sets))


def test_values_are_written_as_in_python_or_in_a_shell():
    assert (setting("schedule", "step"), setting("clip_norm", 1.5)) == ("schedule='step'", "clip_norm=1.5")
    with words_of_commands():
        assert (setting("schedule", "step"), setting("clip_norm", 1.5)) == ("--schedule step", "--clip-norm 1.5")
        with words_of_commands():
            pass
        assert worded("command", "python") == "command"
    assert worded("command", "python") == "python"


def test_messages_outside_of_commands_name_no_options():
    """What a message says to users of Python goes through `setting` or `worded`."""
    root, found = Path(fastdigits.__file__).parent, []
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if not {name.parts[0], name.as_posix()} & OF_COMMANDS:
            found += [f"{name}: {option}" for option in options_in(ast.parse(path.read_text("utf8")))]
    assert found == []


def options_in(tree):
    """List the options of the command line in strings that are neither docstrings nor arguments of `worded`."""
    nodes = [*ast.walk(tree)]
    exempt = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "worded":
            exempt |= {id(part) for part in ast.walk(node)}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in exempt]
    options = [option for text in texts if isinstance(text, str) for option in OPTION.findall(text)]
    return [option for option in options if option not in OF_OTHER_PROGRAMS]
