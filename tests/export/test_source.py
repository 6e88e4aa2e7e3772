"""Source code for PyTorch and Keras: what it computes with the exported weights, and how it reads."""

import os
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from exported import NETWORKS, PREPARATIONS, random_weights, saved_of, scores_of

from fastdigits import export
from fastdigits.export import keras as keras_export
from fastdigits.export import tensors
from fastdigits.export import torch as torch_export
from fastdigits.nn import Dense, Flatten, Network, registry


def module_of(saved, name):
    """The names that the generated code defines."""
    defined = {}
    exec(compile(export.encode(saved, name, export.ExportOptions()).content, f"{name}.py", "exec"), defined)
    return defined


@pytest.fixture
def keras(monkeypatch):
    """Keras, on PyTorch unless TensorFlow is there."""
    if "tensorflow" not in sys.modules:
        monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "torch"))
    return pytest.importorskip("keras", exc_type=ImportError)


@pytest.mark.parametrize("module", [torch_export, keras_export])
def test_every_layer_has_source_code(module):
    assert set(module.LAYERS) | {"Residual"} == set(registry.LAYERS)


def test_pytorch_computes_our_scores(saved, images, scores):
    torch = pytest.importorskip("torch")
    network = module_of(saved, "torch")["Network"]()
    state = {name: torch.from_numpy(array) for name, array in tensors.state_dict(saved).items()}
    assert list(state) == list(network.state_dict())
    network.load_state_dict(state)
    network.eval()
    with torch.inference_mode():
        found = network(torch.from_numpy(images)).numpy()
    assert np.abs(found - scores).max() <= 1e-5 * np.ptp(scores)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras with PyTorch
def test_keras_computes_our_scores(keras, saved, images, scores):
    module = module_of(saved, "keras")
    model = module["build"]()
    module["load"](model, tensors.state_dict(saved))
    found = np.asarray(model.predict(images.transpose(0, 2, 3, 1), verbose=0))
    assert np.abs(found - scores).max() <= 1e-5 * np.ptp(scores)


@pytest.mark.parametrize("preparation", PREPARATIONS)
@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_images_are_prepared_as_ours(framework, preparation, request):
    pixels = np.random.default_rng(5).integers(0, 256, (3, 12, 10), np.uint8)
    network = Network([Flatten(), Dense(3)], preparation.input_shape(pixels))
    saved = saved_of(network, random_weights(network), preparation)
    if framework == "torch":
        torch = pytest.importorskip("torch")
        found = module_of(saved, "torch")["prepare"](torch.from_numpy(pixels)).numpy()[:, 0]
    else:
        request.getfixturevalue("keras")
        found = module_of(saved, "keras")["prepare"](pixels)[..., 0]
    expected = (preparation.apply(pixels) / 255 - saved.normalisation.mean) / saved.normalisation.std
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_the_code_keeps_to_the_style_of_python(framework, tmp_path):
    for number, name in enumerate(NETWORKS):
        network, preparation = Network(NETWORKS[name]), PREPARATIONS[number % len(PREPARATIONS)]
        content = export.encode(
            saved_of(network, random_weights(network), preparation), framework, export.ExportOptions()
        ).content
        (tmp_path / f"network_{number}.py").write_bytes(content)
    settings = ["--no-cache", "--config", "line-length = 120", str(tmp_path)]
    for command in (["format", "--diff"], ["check", "--select", "E,F,I,N,W,UP,D100,D101,D103"]):
        ran = [sys.executable, "-m", "ruff", command[0], "--isolated", *command[1:], *settings]
        done = subprocess.run(ran, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_name_cannot_leave_the_docstring():
    network = Network([Flatten(), Dense(2)])
    saved = saved_of(network, random_weights(network))
    object.__setattr__(saved, "model", 'evil"""\nraise SystemExit("""\\')
    source = export.encode(saved, "keras", export.ExportOptions()).content.decode()
    compile(source, "keras.py", "exec")
    assert "The network evil-raise-SystemExit- in Keras" in source


def test_arrays_load_from_npz_without_pickle(saved):
    content = export.encode(saved, "npz", export.ExportOptions()).content
    expected = tensors.state_dict(saved)
    with np.load(BytesIO(content), allow_pickle=False) as found:
        assert list(found) == list(expected)
        assert all(np.array_equal(found[name], array) for name, array in expected.items())


def test_arrays_load_from_safetensors(saved):
    safetensors = pytest.importorskip("safetensors.numpy")
    found = safetensors.load(export.encode(saved, "safetensors", export.ExportOptions()).content)
    expected = tensors.state_dict(saved)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], array) for name, array in expected.items())


@pytest.mark.parametrize("name", ["npz", "safetensors", "onnx"])
def test_the_same_network_gives_the_same_bytes(saved, name):
    pytest.importorskip("numpy" if name == "npz" else name)
    once, again = (export.encode(saved, name, export.ExportOptions()).content for _ in range(2))
    assert once == again


def test_folding_changes_no_score(saved, images, scores):
    from fastdigits.export.fold import folded

    simple = folded(saved)
    network = Network.from_config(simple.network)
    assert "Dropout" not in str(simple.network)
    found = scores_of(network, simple.weights, images)
    assert np.abs(found - scores).max() <= 1e-5 * np.ptp(scores)


def test_folding_keeps_the_names_of_classes():
    from fastdigits.export.fold import folded

    network = Network([Flatten(), Dense(2)], class_names=["cat", "dog"])
    assert folded(saved_of(network, random_weights(network))).class_names == ("cat", "dog")
