"""Networks that PyTorch's own MNIST example trains: the weights it saves compute the same here."""

import agreement
import numpy as np
import pytest
from exported import scores_of

from fastdigits import importing
from fastdigits.data import load_part
from fastdigits.importing.saved import saved_network
from fastdigits.models import layers_of
from fastdigits.nn import Network

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402


class Example(nn.Module):
    """The network of the example, with its names."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, 1)
        self.conv2 = nn.Conv2d(32, 64, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = functional.relu(self.conv2(functional.relu(self.conv1(x))))
        x = self.dropout1(functional.max_pool2d(x, 2))
        x = self.dropout2(functional.relu(self.fc1(torch.flatten(x, 1))))
        return functional.log_softmax(self.fc2(x), dim=1)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_the_example_of_pytorch_computes_the_same_here(suffix, tmp_path):
    example = Example().eval()
    arrays = {name: tensor.numpy() for name, tensor in example.state_dict().items()}
    path = tmp_path / f"mnist_cnn{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        pytest.importorskip("safetensors.numpy").save_file(arrays, path)
    found = importing.decode(path, layers_of("torch-example"))
    images = np.random.default_rng(0).standard_normal((3, 1, 28, 28), np.float32)
    with torch.inference_mode():
        expected = example(torch.from_numpy(images)).numpy()
    scores = scores_of(Network.from_config(found.network), found.weights, images)
    scores = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5 * np.ptp(expected))


def normalized(images):
    return ((torch.from_numpy(images)[:, None].float() / 255) - 0.1307) / 0.3081


@pytest.mark.slow
def test_the_example_trained_as_its_script_does_gives_the_same_answers_here(tmp_path):
    torch.manual_seed(1)
    example, (images, labels) = Example(), load_part("mnist", "train")
    optimizer = torch.optim.Adadelta(example.parameters(), lr=1.0)
    for first in range(0, 64 * 15, 64):
        x, targets = normalized(images[first : first + 64]), torch.from_numpy(labels[first : first + 64].astype("i8"))
        optimizer.zero_grad()
        functional.nll_loss(example(x), targets).backward()
        optimizer.step()
    example.eval()
    np.savez(tmp_path / "mnist_cnn.npz", **{name: tensor.numpy() for name, tensor in example.state_dict().items()})
    saved = saved_network(
        importing.decode(tmp_path / "mnist_cnn.npz", layers_of("torch-example")), "theirs", None, None
    )
    images, labels = (part[:300] for part in load_part("mnist", "test"))
    with torch.inference_mode():
        expected = example(normalized(images)).numpy()
    scores = agreement.ours(saved, images)
    scores -= np.log(np.exp(scores.astype(float)).sum(1, keepdims=True))
    assert agreement.difference(scores, expected) <= 1e-5
    assert (scores.argmax(1) == labels).mean() > 0.7


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_onnx_model_that_pytorch_writes(tmp_path):
    pytest.importorskip("onnx")
    example, path = Example().eval(), tmp_path / "example.onnx"
    images = torch.randn(3, 1, 28, 28)
    torch.onnx.export(example, (images,), str(path), dynamo=False, dynamic_axes={"x": {0: "N"}}, input_names=["x"])
    found = importing.decode(path)
    with torch.inference_mode():
        expected = example(images).numpy()
    scores = scores_of(Network.from_config(found.network), found.weights, images.numpy())
    scores = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5 * np.ptp(expected))
