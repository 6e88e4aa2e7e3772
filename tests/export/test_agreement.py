"""All test images of MNIST: other programs give the same answers as we do, with scores that differ by rounding."""

import numpy as np
import pytest

from fastdigits import Sequential, export, ops
from fastdigits.data import load_part
from fastdigits.data.batches import Batches
from fastdigits.data.sources import shipped_folder
from fastdigits.export import tensors
from fastdigits.inference.evaluate import forward_all
from fastdigits.models import layers_of
from fastdigits.storage.weights import read

TOLERANCE = 2e-4  # of the range of the scores
COUNT, BATCH = 10_000, 500


def trained(name, folder):
    """A network by name, trained on a few images; "eleven classes" is the one that ships."""
    if name == "eleven classes":
        return read(shipped_folder() / "models" / "digits.h5")
    images, labels = load_part("mnist", "train")
    model = Sequential(layers_of(name))
    model.fit(images[:600], labels[:600], epochs=1)
    model.save(folder / "weights.h5")
    return read(folder / "weights.h5")


def our_scores(saved, images):
    device = ops.load("cpu")
    network, batches = saved.built(device, 256), Batches(device, images, None, 256, saved.normalisation)
    found = forward_all(network, batches, np.arange(len(images)))
    return np.moveaxis(found.host_scores, 1, -1)[found.host_targets >= 0]


def in_batches(compute, images):
    return np.concatenate([compute(images[first : first + BATCH]) for first in range(0, len(images), BATCH)])


def onnxruntime_scores(saved, images):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    content = export.encode(saved, "onnx", export.ExportOptions(preprocessing="uint8")).content
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return in_batches(lambda some: session.run(None, {"pixels": some[:, None]})[0], images)


def pytorch_scores(saved, images):
    torch = pytest.importorskip("torch")
    defined = {}
    exec(export.encode(saved, "torch", export.ExportOptions()).content, defined)
    network = defined["Network"]()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.state_dict(saved).items()})
    network.eval()
    with torch.inference_mode():
        return in_batches(lambda some: network(defined["prepare"](torch.from_numpy(some))).numpy(), images)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "lenet",
        "cnn",
        "eleven classes",
        pytest.param("best", marks=pytest.mark.long),
        pytest.param("resnet", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("scores_of", [onnxruntime_scores, pytorch_scores])
def test_every_test_image_gets_the_same_answer(name, scores_of, tmp_path):
    saved, (images, _) = trained(name, tmp_path), load_part("mnist", "test")
    expected, found = our_scores(saved, images[:COUNT]), scores_of(saved, images[:COUNT])
    assert len(found) == COUNT
    assert np.abs(found - expected).max() <= TOLERANCE * np.ptp(expected)
    np.testing.assert_array_equal(found.argmax(1), expected.argmax(1))
