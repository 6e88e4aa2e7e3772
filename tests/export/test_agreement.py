"""All test images of MNIST: other programs give the same answers as we do, with scores that differ by rounding."""

import shutil

import chromium
import numpy as np
import outside
import pytest

from fastdigits import Sequential, export, ops
from fastdigits.data import load_part
from fastdigits.data.batches import Batches
from fastdigits.data.sources import shipped_folder
from fastdigits.export import quantize, tensors
from fastdigits.export.program import program_of
from fastdigits.inference.evaluate import forward_all
from fastdigits.models import layers_of
from fastdigits.storage.weights import read

TOLERANCE = 2e-4  # of the range of the scores
COUNT, BATCH = 10_000, 500
FEW = 200  # images, by default, for programs that take long
INT8_LOSS = 0.001  # of the accuracy
MAX_PAGE_S = 1800  # for all images
ELEVEN = "eleven classes"
NAMES = ["lenet", "cnn", ELEVEN, *(pytest.param(name, marks=pytest.mark.long) for name in ("best", "resnet"))]


def trained(name, folder, count=600):
    """A network by name, trained on a few images; "eleven classes" is the one that ships."""
    if name == ELEVEN:
        return read(shipped_folder() / "models" / "digits.h5")
    images, labels = load_part("mnist", "train")
    model = Sequential(layers_of(name))
    model.fit(images[:count], labels[:count], epochs=1)
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


@pytest.fixture(scope="module")
def c_scores(tmp_path_factory):
    compiler = shutil.which("cc") or pytest.skip("there is no C compiler")

    def scores(saved, images):
        content = export.encode(saved, "c", export.ExportOptions()).content
        program = outside.compiled(compiler, content, tmp_path_factory.mktemp("c"), "-O3")
        return outside.scores_of_program(program, images)

    return scores


@pytest.fixture(scope="module")
def page_scores(tmp_path_factory):
    pytest.importorskip("selenium")
    if not chromium.BROWSER or not chromium.DRIVER:
        pytest.skip("there is no Chromium with its chromedriver")
    browser = chromium.start()
    browser.set_script_timeout(MAX_PAGE_S)

    def scores(saved, images):
        content = export.encode(saved, "html", export.ExportOptions()).content
        return outside.scores_of_page(browser, content, images, tmp_path_factory.mktemp("page"))

    yield scores
    browser.quit()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scores_of", [onnxruntime_scores, pytorch_scores])
def test_every_test_image_gets_the_same_answer(name, scores_of, tmp_path):
    check_answers(trained(name, tmp_path), scores_of, COUNT)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet", ELEVEN])
@pytest.mark.parametrize("program", ["c_scores", pytest.param("page_scores", marks=pytest.mark.browser)])
def test_programs_give_the_same_answer_to_some_images(name, program, request, tmp_path):
    check_answers(trained(name, tmp_path), request.getfixturevalue(program), FEW)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", ["lenet", "cnn", "best", "resnet", ELEVEN])
@pytest.mark.parametrize("program", ["c_scores", pytest.param("page_scores", marks=pytest.mark.browser)])
def test_programs_give_the_same_answer_to_every_image(name, program, request, tmp_path):
    check_answers(trained(name, tmp_path), request.getfixturevalue(program), COUNT)


def check_answers(saved, scores_of, count):
    images = load_part("mnist", "test")[0][:count]
    expected, found = our_scores(saved, images), scores_of(saved, images)
    assert len(found) == count
    assert np.abs(found - expected).max() <= TOLERANCE * np.ptp(expected)
    np.testing.assert_array_equal(found.argmax(1), expected.argmax(1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["lenet", *(pytest.param(name, marks=pytest.mark.long) for name in ("cnn", "best", "resnet", ELEVEN))]
)
def test_int8_is_as_accurate(name, tmp_path):
    saved = trained(name, tmp_path, 6000)
    _, accuracy = quantize.quantized(saved, program_of(saved, "C"))
    assert accuracy.images == COUNT
    assert accuracy.exact > 0.8
    assert accuracy.quantized >= accuracy.exact - INT8_LOSS
