"""What was exported comes back; files of other programs are read, or refused in one sentence."""

import contextlib
import json
import warnings
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import pytest
from exported import NETWORKS, PREPARATIONS, random_weights, saved_of

from fastdigits import export, importing
from fastdigits.data.sources import shipped_folder
from fastdigits.errors import UserError
from fastdigits.export import tensors
from fastdigits.importing.saved import saved_network
from fastdigits.models import MODELS, layers_of
from fastdigits.nn import Conv2D, Dense, Dropout, Flatten, Network, ReLU, sequence
from fastdigits.nn.calibration import Calibration
from fastdigits.storage.weights import read, write

SHIPPED = "shipped"  # eleven classes, calibrated
NAMES = [*NETWORKS, *MODELS, SHIPPED]


def saved_with(name):
    """A network of the zoo or of the models with random weights, or the network that ships."""
    if name == SHIPPED:
        return read(shipped_folder() / "models" / "digits.h5")
    network = Network(NETWORKS[name] if name in NETWORKS else layers_of(name))
    return saved_of(network, random_weights(network), PREPARATIONS[0])


def exported(saved, suffix, tmp_path, **options):
    path = tmp_path / f"network{suffix}"
    path.write_bytes(export.encode(saved, export.format_of(str(path)), export.ExportOptions(**options)).content)
    return path


@pytest.fixture
def bad(tmp_path):
    """bad(suffix, content, says, layers): a file with this content is refused."""

    def bad(suffix, content, says, layers=None):
        path = tmp_path / f"bad{suffix}"
        path.write_bytes(content)
        with pytest.raises(UserError, match=says) as caught:
            importing.decode(path, layers)
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        assert message.endswith(".")
        assert "\n" not in message

    return bad


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_arrays_come_back_to_the_bit(name, suffix, tmp_path):
    pytest.importorskip("numpy" if suffix == ".npz" else "safetensors")
    saved = saved_with(name)
    path = exported(saved, suffix, tmp_path)
    found = saved_network(importing.decode(path), "unused", None, None)
    write(tmp_path / "weights.h5", found)
    again = exported(read(tmp_path / "weights.h5"), suffix, tmp_path)
    assert found.network == json.loads(json.dumps(saved.network))
    assert (found.model, found.dataset, found.metrics) == (saved.model, saved.dataset, saved.metrics)
    assert (found.class_names, found.calibration) == (saved.class_names, saved.calibration)
    assert found.normalisation == saved.normalisation
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", [{}, {"preprocessing": "uint8"}, {"fold": True}], ids=["plain", "uint8", "fold"])
def test_onnx_models_come_back_to_the_bit(name, options, tmp_path):
    onnx = pytest.importorskip("onnx")
    saved = saved_with(name)
    path = exported(saved, ".onnx", tmp_path, **options)
    found = saved_network(importing.decode(path), "unused", None, None)
    write(tmp_path / "weights.h5", found)
    again = exported(read(tmp_path / "weights.h5"), ".onnx", tmp_path, **options)
    before, after = (onnx.load(one).graph for one in (path, again))
    tensors_before, tensors_after = (sorted(t.raw_data for t in graph.initializer) for graph in (before, after))
    assert tensors_after == tensors_before
    assert (found.class_names, found.calibration) == (saved.class_names, saved.calibration)
    assert found.normalisation == saved.normalisation
    kinds = [type(layer).__name__ for layer in sequence.walk(Network.from_config(found.network).layers)]
    expected = [type(layer).__name__ for layer in sequence.walk(Network.from_config(saved.network).layers)]
    if not options.get("fold"):
        assert kinds == [kind for kind in expected if kind != "Dropout"]


@pytest.mark.parametrize("preparation", PREPARATIONS)
def test_a_graph_with_preprocessing_comes_back(preparation, tmp_path):
    pytest.importorskip("onnx")
    network = Network([Flatten(), Dense(11)], (1, 12 + 2 * preparation.pad, 10 + 2 * preparation.pad))
    saved = saved_of(network, random_weights(network), preparation)
    object.__setattr__(saved, "calibration", Calibration(1.5, 0.4, -1.0))
    path = exported(saved, ".onnx", tmp_path, preprocessing="float")
    found = saved_network(importing.decode(path), "unused", None, None)
    assert found.normalisation == saved.normalisation
    assert found.calibration == saved.calibration
    assert found.network["input_shape"] == list(network.input_shape)


def test_arrays_of_a_pytorch_module_are_assigned_in_order(tmp_path):
    """The names are those of PyTorch's MNIST example, and of a module with ten layers."""
    network = Network(layers_of("torch-example"))
    weights = random_weights(network)
    theirs = dict(zip(["conv1", "conv2", "fc1", "fc2"], ["conv2d_1", "conv2d_2", "dense_1", "dense_2"], strict=True))
    arrays = {f"{a}.{last}": weights[f"{b}/{last}"] for a, b in theirs.items() for last in ("weight", "bias")}
    np.savez(tmp_path / "theirs.npz", **arrays)
    found = importing.decode(tmp_path / "theirs.npz", layers_of("torch-example"))
    assert found.metadata == {}
    assert all(np.array_equal(found.weights[name], weights[name]) for name in weights)
    saved = saved_network(found, "theirs", None, 0.5)
    assert (saved.model, saved.normalisation.mean, saved.normalisation.std) == ("theirs", 0.1307, 0.5)


def test_safetensors_are_in_alphabetical_order(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    layers = [Flatten(), *[Dense(3) for _ in range(11)]]
    network = Network(layers)
    weights = random_weights(network)
    arrays = {f"{number}.weight": weights[f"dense_{number}/weight"] for number in range(1, 12)}  # and no bias
    safetensors.save_file(arrays, tmp_path / "theirs.safetensors")
    found = importing.decode(tmp_path / "theirs.safetensors", layers)
    assert np.array_equal(found.weights["dense_11/weight"], weights["dense_11/weight"])
    assert not found.weights["dense_11/bias"].any()


def test_half_and_double_precision_become_float32(tmp_path):
    weights = random_weights(Network([Flatten(), Dense(4)]))
    np.savez(tmp_path / "x.npz", **{"weight": weights["dense_1/weight"].astype("f2"), "bias": np.zeros(4, np.float64)})
    found = importing.decode(tmp_path / "x.npz", [Flatten(), Dense(4)])
    assert {array.dtype for array in found.weights.values()} == {np.dtype("f4")}


def npz(**arrays):
    file = BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def test_arrays_that_do_not_fit_are_refused(bad):
    layers, weight, bias = [Flatten(), Dense(2)], np.zeros((2, 784), "f4"), np.zeros(2, "f4")
    bad(".npz", npz(weight=weight, bias=bias), "does not describe layers; give them with --model")
    bad(".npz", npz(weight=weight.T, bias=bias), "dense_1.weight is 784 x 2, but the network needs 2 x 784", layers)
    bad(".npz", npz(weight=weight, bias=np.float32(1)), "dense_1.bias is 1, but the network needs 2", layers)
    bad(".npz", npz(bias=bias), "its arrays 'bias' belong to no layer", layers)
    bad(".npz", npz(**{"a.scale": bias, "a.shift": bias}), "its arrays 'a.scale', 'a.shift' belong", layers)
    bad(
        ".npz",
        npz(**{"a.weight": weight, "b.weight": weight}),
        "dense layers is 2, that of the network 1",
        layers,
    )
    bad(".npz", npz(weight=weight, bias=bias, gain=bias), "'.gain' has no place", layers)
    bad(".npz", npz(weight=weight, bias=np.arange(2)), "'bias' is of type int64", layers)


def test_damaged_archives_are_refused(bad):
    layers, content = [Flatten(), Dense(2)], npz(weight=np.zeros((2, 784), "f4"), bias=np.zeros(2, "f4"))
    bad(".npz", b"", "is not a NumPy archive", layers)
    bad(".npz", content[: len(content) // 2], "is not a NumPy archive", layers)
    bad(".npz", content.replace(b"NUMPY", b"NUMPI"), None, layers)
    bad(".npz", npz(weight=np.array([print], object)), "is not a NumPy archive of numbers", layers)
    file = BytesIO(content)
    with ZipFile(file, "a") as archive:
        archive.comment = b"[1"
    bad(".npz", file.getvalue(), "its metadata is damaged")


def test_damaged_safetensors_are_refused(bad):
    safetensors = pytest.importorskip("safetensors.numpy")
    content = safetensors.save({"weight": np.zeros((2, 784), "f4")})
    bad(".safetensors", b"", "is not a safetensors file")
    bad(".safetensors", content[:-1], "is not a safetensors file")
    bad(".safetensors", b"\xff" * 100, "is not a safetensors file")
    bad(".safetensors", content.replace(b'"F32"', b'"BF16"').replace(b"6272", b"3136")[:-3136], None)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"does not end with .onnx, .safetensors or .npz"):
        importing.decode(tmp_path / "x.pt")
    with pytest.raises(UserError, match="cannot be read"):
        importing.decode(tmp_path / "missing.npz")


@pytest.mark.parametrize(
    ("part", "value"),
    [("preprocessing", {"mean": "x"}), ("calibration", {"heat": 1}), ("config", {"epochs": "many"})],
)
def test_metadata_that_mean_nothing_are_refused(part, value, tmp_path):
    saved = saved_with("projected")
    path = exported(saved, ".npz", tmp_path)
    with ZipFile(path, "a") as archive:
        archive.comment = json.dumps(json.loads(archive.comment) | {part: value}).encode()
    with pytest.raises(UserError):
        saved_network(importing.decode(path), "x", None, None)


def test_names_are_those_of_the_module():
    arrays = tensors.state_dict(saved_with("resnet"))
    assert "conv2d_1.weight" in arrays
    assert "residual_2.projection.bias" in arrays
    assert "residual_1.batchnorm_2.running_var" in arrays


@pytest.mark.parametrize("suffix", [".onnx", ".npz", ".safetensors"])
def test_damaged_files_are_read_or_refused_in_one_sentence(suffix, tmp_path):
    pytest.importorskip("numpy" if suffix == ".npz" else suffix[1:])
    network = Network([Conv2D(1, 3, 12, padding=-2), ReLU(), Dropout(), Flatten(), Dense(3)])
    content = exported(saved_of(network, random_weights(network)), suffix, tmp_path).read_bytes()
    random = np.random.default_rng(0)
    for number in range(200):
        damaged = bytearray(content)
        for position in random.integers(len(content), size=1 + number % 3):
            damaged[position] = random.integers(256)
        path = tmp_path / f"damaged{suffix}"
        path.write_bytes(damaged[: len(damaged) - number % 2 * random.integers(40)])
        with warnings.catch_warnings(), contextlib.suppress(UserError):
            warnings.simplefilter("ignore")  # of the readers
            saved_network(importing.decode(path), "x", None, None)
