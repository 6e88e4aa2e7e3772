"""`fastdigits explain`: the prediction, saliency and layers of one image."""

import json

import numpy as np
import pytest
from PIL import Image

from fastdigits.data import load_part
from fastdigits.errors import UserError
from fastdigits.inference.recognizer import Recognizer
from fastdigits.storage.weights import read


def test_a_test_image_as_json(process, trained, tiny, tmp_path):
    result = process("explain", trained, "test:7", "--data", tiny, "-o", "seven.svg", "--json")
    assert (result.returncode, result.stderr) == (0, "written: seven.svg\n")
    assert result.stdout.count("\n") == 1
    found = json.loads(result.stdout)
    names = ["model", "image", "true_digit", "digit", "classes", "probabilities", "layers", "against", "margin"]
    assert list(found) == [*names, "saliency", "smooth_saliency"]
    assert found["against"] is None
    assert (found["model"], found["image"], found["true_digit"]) == ("linear", "test image 7", 9)
    assert sum(found["probabilities"]) == pytest.approx(1)
    assert found["digit"] == np.argmax(found["probabilities"])
    assert found["layers"] == {"dense_1": [10]}
    saved = read(trained)
    expected = saved.weights["dense_1/weight"][found["digit"]].reshape(28, 28) / saved.normalisation.std
    np.testing.assert_allclose(found["saliency"], expected, rtol=1e-4, atol=1e-6)
    assert f"<!-- linear classifies test image 7 as {found['digit']}" in (tmp_path / "seven.svg").read_text("utf8")


def test_text(run_main, trained, tiny):
    labels = load_part(tiny, "test")[1]
    result = run_main("explain", trained, "test:3", "--data", tiny)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    digit = int(lines[3].split()[0])
    verdict = " (correct)" if digit == labels[3] else f" (wrong: it is a {labels[3]})"
    assert lines[0] == f"linear classifies test image 3 as {digit}{verdict}"
    shares = [float(line.split()[1].removesuffix("%")) for line in lines[3:13]]
    assert shares == sorted(shares, reverse=True)
    assert lines[15].split()[:2] == ["dense_1", "10"]


def test_why_not_another_digit(invoke, trained, tiny):
    """With a linear network, the difference of two scores depends on a pixel as the difference of the weights says."""
    found = json.loads(invoke("explain", trained, "test:3", "--data", tiny, "--json").stdout)
    answer, other = found["digit"], (found["digit"] + 3) % 10
    found = json.loads(invoke("explain", trained, "test:3", "--data", tiny, "--against", other, "--json").stdout)
    assert (found["digit"], found["against"]) == (answer, other)
    saved = read(trained)
    weight = saved.weights["dense_1/weight"]
    expected = (weight[answer] - weight[other]).reshape(28, 28) / saved.normalisation.std
    np.testing.assert_allclose(found["saliency"], expected, rtol=1e-4, atol=1e-6)
    ratio = found["probabilities"][answer] / found["probabilities"][other]
    assert found["margin"] == pytest.approx(np.log(ratio), rel=1e-4)
    second_line = invoke("explain", trained, "test:3", "--data", tiny, "--against", other).stdout.splitlines()[1]
    assert second_line == f"the score of {answer} is {found['margin']:.4g} above that of {other}"
    error = invoke("explain", trained, "test:3", "--data", tiny, "--against", answer).exception
    assert str(error) == f"The network predicts {answer}; choose a class that it does not predict."


def test_picture_is_explained_as_predict_recognizes_it(invoke, trained, tiny, tmp_path):
    """A dark digit on pink paper, in a corner, larger than the input of the network."""
    image = np.kron(load_part(tiny, "test")[0][3], np.ones((4, 4), np.uint8))
    page = np.full((300, 200, 3), (250, 200, 210), np.uint8)
    page[:112, 88:] -= (image[..., None] * (0.9, 0.7, 0.5)).astype(np.uint8)
    Image.fromarray(page).save(tmp_path / "corner.png")
    _, prediction = Recognizer(trained, "reference").recognize(page)
    result = invoke("explain", trained, "corner.png", "-o", "explained.png", "--json")
    found = json.loads(result.stdout)
    assert (found["image"], found["true_digit"], found["digit"]) == ("corner.png", None, prediction.digit)
    np.testing.assert_allclose(found["probabilities"], prediction.probabilities, rtol=1e-4, atol=1e-6)
    assert (tmp_path / "explained.png").read_bytes().startswith(b"\x89PNG")
    first_line = invoke("explain", trained, "corner.png").stdout.splitlines()[0]
    assert first_line == f"linear classifies corner.png as {prediction.digit}"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "text.png").write_text("no picture")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("image", "options", "says"),
    [
        ("test:100", [], "choose test:0 to test:99"),
        ("test:-1", [], "choose test:0 to test:99"),
        ("test:", [], "choose test:0 to test:99"),
        ("text.png", [], "text.png: it is not a picture"),
        ("missing.png", [], "missing.png: it cannot be read"),
        ("test:1", ["-o", "missing/a.png"], "does not exist"),
        ("97", [], "did you mean test:97"),
        ("test:1", ["--against", "x"], "There is no class 'x'; choose among 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
    ],
)
def test_errors_that_the_user_can_fix(image, options, says, invoke, trained, tiny):
    error = invoke("explain", trained, image, "--data", tiny, *options).exception
    assert isinstance(error, UserError), error
    assert says in str(error)
    assert str(error).endswith((".", "?"))


def test_usage_errors(fails, trained):
    fails(2, "IMAGE", "explain", trained)
    fails(2, "does not end with .png, .svg or .pdf", "explain", trained, "test:1", "-o", "a.gif")
    fails(1, "No such file", "explain", "missing.h5", "test:1")
