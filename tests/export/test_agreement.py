"""All test images of MNIST: other programs give the same answers as we do, with scores that differ by rounding.

`measure_agreement.py` prints how large the differences are.
"""

import agreement
import chromium
import numpy as np
import pytest

from fastdigits import Sequential
from fastdigits.data import load_part
from fastdigits.data.sources import shipped_folder
from fastdigits.export import quantize
from fastdigits.export.program import program_of
from fastdigits.models import layers_of
from fastdigits.storage.weights import read

COUNT = 10_000
FEW = 200  # images, by default, for programs that take long
ELEVEN = "eleven classes"
NAMES = ["lenet", "cnn", "best", "resnet", ELEVEN]
LIBRARIES = {"onnxruntime": agreement.onnxruntime, "torch": agreement.pytorch}
PROGRAMS = [
    pytest.param(
        agreement.compiled_c, marks=pytest.mark.skipif(not agreement.COMPILER, reason="there is no C compiler")
    ),
    pytest.param(agreement.page, marks=[chromium.NEEDED, pytest.mark.browser]),
]


def long_but(*names):
    """All networks; those that are not named only take part if long tests are asked for."""
    return [name if name in names else pytest.param(name, marks=pytest.mark.long) for name in NAMES]


def trained(name, folder, count=600):
    """A network by name, trained on a few images; "eleven classes" is the one that ships."""
    if name == ELEVEN:
        return read(shipped_folder() / "models" / "digits.h5")
    images, labels = load_part("mnist", "train")
    model = Sequential(layers_of(name))
    model.fit(images[:count], labels[:count], epochs=1)
    model.save(folder / "weights.h5")
    return read(folder / "weights.h5")


@pytest.mark.slow
@pytest.mark.parametrize("name", long_but("lenet", "cnn", ELEVEN))
@pytest.mark.parametrize("library", LIBRARIES)
def test_every_test_image_gets_the_same_answer(name, library, tmp_path):
    pytest.importorskip(library)
    if library == "onnxruntime":
        pytest.importorskip("onnx")
    check_answers(trained(name, tmp_path), LIBRARIES[library], COUNT)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet", ELEVEN])
@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_give_the_same_answer_to_some_images(name, program, tmp_path):
    check_answers(trained(name, tmp_path), program, FEW, tmp_path)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_give_the_same_answer_to_every_image(name, program, tmp_path):
    check_answers(trained(name, tmp_path), program, COUNT, tmp_path)


def check_answers(saved, scores_of, count, *folder):
    images = load_part("mnist", "test")[0][:count]
    expected, found = agreement.ours(saved, images), scores_of(saved, images, *folder)
    assert len(found) == count
    assert agreement.difference(found, expected) <= agreement.TOLERANCE
    np.testing.assert_array_equal(found.argmax(1), expected.argmax(1))


@pytest.mark.slow
@pytest.mark.parametrize("name", long_but("lenet"))
def test_int8_is_as_accurate(name, tmp_path):
    saved = trained(name, tmp_path, 6000)
    _, accuracy = quantize.quantized(saved, program_of(saved, "C"))
    assert accuracy.images == COUNT
    assert accuracy.exact > 0.8
    assert accuracy.quantized >= accuracy.exact - agreement.INT8_LOSS
