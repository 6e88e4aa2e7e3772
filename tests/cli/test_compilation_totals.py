"""While kernels are compiled, the user sees how many there are: as many as are compiled in the end."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image

from fastdigits import ops
from fastdigits.config.training import TrainConfig
from fastdigits.data.preprocessing import Normalisation
from fastdigits.imaging.line_format import LINE_HEIGHT
from fastdigits.nn import BatchNorm, Conv2D, Dense, Flatten, MaxPool2D, Network, ReLU
from fastdigits.nn.sequence_network import SequenceNetwork
from fastdigits.storage import weights
from fastdigits.storage.weights import SavedNetwork

pytestmark = pytest.mark.slow

# Runs the code of the first argument with the two networks of the next arguments in the place of the shipped ones. It
# prints the total at each kernel that is compiled, and in the end the numbers of compiled kernels and of all.
PROGRAM = """
import json, sys
from fastdigits.inference import numbers, recognizer
from fastdigits.ops.runtime import compilation

start, totals = compilation.start, []

def noted(file):
    start(file)
    totals.append(compilation.counts()[1])

compilation.start = noted
code, recognizer.SHIPPED, numbers.SHIPPED, *arguments = sys.argv[1:]
exec(code)
print("totals:", json.dumps([totals, *compilation.counts()]))
"""
COMMAND = "from fastdigits.cli import cli; cli.main(arguments, standalone_mode=False)"
DIGITS = [Conv2D(2, 3), BatchNorm(), ReLU(), MaxPool2D(2), Flatten(), Dense(10)]
LINES = [Conv2D(4, LINE_HEIGHT, stride=4), ReLU(), Conv2D(3, 1)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny):
    """A folder with the tiny set, small networks that read digits and lines, and pictures of a digit and of a line."""
    folder = tmp_path_factory.mktemp("totals")
    (folder / "tiny").symlink_to(tiny)
    networks = {
        "digits.h5": Network(DIGITS),
        "squared.h5": Network([Flatten(), Dense(10)]),
        "lines.h5": SequenceNetwork(LINES, (1, LINE_HEIGHT, 64), "01"),
    }
    for name, network in networks.items():
        network.build(ops.load("reference"), 1)
        network.initialise(0)
        config = TrainConfig(loss="mse" if name == "squared.h5" else "cross-entropy")
        normalisation = Normalisation(0.2, 0.4)
        saved = SavedNetwork(
            network.config(), network.weights(), normalisation, "small", "tiny", asdict(config), [], {}
        )
        weights.write(folder / name, saved)
    digit, line = np.full((60, 60), 220, np.uint8), np.full((60, 400), 220, np.uint8)
    digit[10:50, 27:33] = 40
    for column in (30, 60, 200, 300, 340):
        line[10:50, column : column + 6] = 40
    Image.fromarray(digit).save(folder / "digit.png")
    Image.fromarray(line).save(folder / "line.png")
    return folder


@pytest.fixture
def totals(folder, environment, run_python, tmp_path):
    """totals(code, arguments) runs code without any kernel in the cache.

    It returns the total at each compiled kernel, and the number of compiled kernels in the end.
    """

    def totals(code, arguments=""):
        empty = environment | {"XDG_CACHE_HOME": str(tmp_path / "empty")}
        files = folder / "digits.h5", folder / "lines.h5"
        result = run_python("-c", PROGRAM, code, *files, *arguments.split(), cwd=folder, env=empty)
        assert result.returncode == 0, result.stderr
        [line] = [line for line in result.stdout.splitlines() if line.startswith("totals: ")]
        seen, compiled, all_kernels = json.loads(line.removeprefix("totals: "))
        assert compiled == all_kernels == len(seen)
        return seen, compiled

    return totals


@pytest.mark.parametrize(
    "command",
    [
        "predict digit.png --device cpu",
        "eval digits.h5 --data tiny --device cpu",
        "eval squared.h5 digits.h5 --tta --data tiny --device cpu",
        pytest.param("report digits.h5 --data tiny --device cpu", marks=pytest.mark.long),
        pytest.param("compare digits.h5 --data tiny --device cpu", marks=pytest.mark.long),
    ],
)
def test_the_total_of_a_command_is_known_from_the_first_kernel(command, totals):
    seen, compiled = totals(COMMAND, command)
    assert set(seen) == {compiled}
    assert compiled > 1


def test_the_total_of_a_server_has_the_kernels_of_all_networks(totals):
    seen, compiled = totals(
        "from fastdigits.serve import create_app; create_app(['digits.h5', 'squared.h5'], device='cpu')"
    )
    assert set(seen) == {compiled}
    assert compiled > 1


def test_the_total_of_whole_numbers_grows_if_more_turns_out_to_be_needed(totals):
    seen, compiled = totals(COMMAND, "predict line.png --several --device cpu")
    assert seen == sorted(seen)
    assert all(number <= total for number, total in enumerate(seen, start=1))
    assert seen[0] > 1
    assert seen[-1] == compiled


@pytest.mark.parametrize("count", [1, 70])
def test_the_total_of_a_loaded_network_is_known_in_each_call(count, totals):
    code = f"""
import numpy as np
from fastdigits import load
model = load("squared.h5", "cpu")
x, y = np.zeros(({count}, 28, 28), np.uint8), np.zeros({count}, np.uint8)
model.predict(x)
predicted = compilation.counts()
model.evaluate(x, y)
assert predicted[0] == predicted[1] < compilation.counts()[0]
"""
    seen, compiled = totals(code)
    assert None not in seen
    assert seen[-1] == compiled


@pytest.mark.long
def test_the_total_of_a_benchmark_is_known_in_each_part(totals):
    command = "bench linear --batch-size 8 --runs 1 --ops"
    seen, compiled = totals(COMMAND, command)
    assert seen[-1] == compiled
