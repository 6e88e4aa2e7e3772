"""Networks in TOML files."""

from pathlib import Path

import pytest

from fastdigits.errors import UserError
from fastdigits.models import MODELS, ModelOptions, description, layers_of, name_of, network_of

ROOT = Path(__file__).parents[2]
FILES = [*ROOT.glob("data/models/*.toml"), *ROOT.glob("scripts/published/*.toml")]
NESTED = """
[[layer]]
type = "Conv2D"
filters = 2
kernel = [5, 3]
[[layer]]
type = "Residual"
    [[layer.layers]]
    type = "Residual"
    layers = [{type = "Tanh"}, {type = "BatchNorm", momentum = 0.5}]
[[layer]]
type = "GlobalAvgPool2D"
[[layer]]
type = "Dense"
units = 3
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes text to net.toml and returns the path of the file."""

    def write(text):
        (tmp_path / "net.toml").write_text(text, "utf8")
        return str(tmp_path / "net.toml")

    return write


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_shipped_files_describe_networks(path):
    assert network_of(str(path)).classes == 10


def test_layers_of_a_file(write):
    network = network_of(write(NESTED))
    assert network.names == ["conv2d_1", "residual_1", "globalavgpool2d_1", "dense_1"]
    assert network.classes == 3
    assert network.layers[0].weight.shape == (2, 1, 5, 3)
    assert list(network.running()) == [
        "residual_1/residual_1.batchnorm_1.running_mean",
        "residual_1/residual_1.batchnorm_1.running_var",
    ]


@pytest.mark.parametrize("model", [*MODELS, "NESTED", "EMPTY"])
def test_written_text_describes_the_same_network(model, write):
    texts = {"NESTED": NESTED, "EMPTY": NESTED.replace('[{type = "Tanh"}, {type = "BatchNorm", momentum = 0.5}]', "[]")}
    network = network_of(write(texts[model]) if model in texts else model)
    config = network.config()
    assert network_of(write(description.write(config["layers"]))).config() == config


def test_a_network_is_named_after_its_file():
    assert name_of("some/where/my.net.toml") == "my.net"
    assert name_of("lenet") == "lenet"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layer = [\n1 2]", "is not TOML .*line 2"),
        ("\0", "is not TOML"),
        ("", "must contain a list of"),
        ("layer = 5", "must contain a list of"),
        ("[layer]\ntype = 'ReLU'", "must contain a list of"),
        ("[[layer]]\ntype = 'ReLU'\n[[layers]]\ntype = 'ReLU'", "must contain a list of"),
        ("layer = [5]", "layer 1 has no type"),
        ("[[layer]]\ntype = 'ReLU'\n[[layer]]\nunits = 5", "layer 2 has no type"),
        ("[[layer]]\ntype = 3", "layer 1 has no type"),
        ("[[layer]]\ntype = 'Conv3D'", "layer 1 has the unknown type 'Conv3D'; choose one of Conv2D, Dense"),
        ("[[layer]]\ntype = 'Dense'", r"layer 1 \(Dense\) lacks the field 'units'"),
        (
            "[[layer]]\ntype = 'Dense'\nunits = 3\nunit = 3",
            r"layer 1 \(Dense\) has the unknown field 'unit'; remove it. Dense has the fields units, init",
        ),
        (
            "[[layer]]\ntype = 'ReLU'\nslope = 3",
            r"layer 1 \(ReLU\) has the unknown field 'slope'; remove it. ReLU has no fields",
        ),
        ("[[layer]]\ntype = 'Dense'\nunits = 3", "Layer dense_1: Dense: needs a flat input"),
        ("[[layer]]\ntype = 'Flatten'\n[[layer]]\ntype = 'Dense'\nunits = 0.5", "Layer dense_1: Dense: units"),
        ("[[layer]]\ntype = 'Residual'\nlayers = 5", r"layer 1 \(Residual\) has layers that are not a list"),
        ("[[layer]]\ntype = 'Residual'\nlayers = [{}]", r"layer 1 \(Residual\), nested layer 1 has no type"),
        ("[[layer]]\ntype = 'Residual'\nlayers = [{type='Flatten'}]", "cannot be added; set projection"),
        ("[[layer]]\ntype = 'ReLU'", "must give one score for each class"),
    ],
)
def test_errors_name_the_file_and_the_layer(text, message, write):
    path = write(text)
    with pytest.raises(UserError, match=message) as raised:
        network_of(path)
    assert str(raised.value).startswith(path)
    assert str(raised.value).endswith(".")


def test_a_missing_file_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        layers_of(str(tmp_path / "missing.toml"))


def test_a_file_takes_no_options(write):
    with pytest.raises(UserError, match="has no option --activation"):
        layers_of(write(NESTED), ModelOptions(activation="tanh"))
