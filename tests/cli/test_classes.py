"""Every command with other classes than digits: 26 letters, 47 classes of EMNIST, 300 classes, two, rare ones."""

import asyncio
import json
import re

import numpy as np
import pytest
from letters import BALANCED, LETTERS, letters, write_npz
from PIL import Image

from fastdigits.storage.weights import read

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def alphabet(tmp_path_factory):
    """A set of 26 letters with 12 training and 4 test images each."""
    path = tmp_path_factory.mktemp("letters") / "letters.npz"
    return write_npz(path, LETTERS, letters(LETTERS, 12, "train"), letters(LETTERS, 4, "test"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """run(*arguments) runs a command in a folder of the module and returns stdout."""
    from click.testing import CliRunner

    from fastdigits.cli import cli

    folder = tmp_path_factory.mktemp("classes")

    def run(*arguments, code=0):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            result = CliRunner().invoke(cli, list(map(str, arguments)))
        assert result.exit_code == code or (code and result.exception), result.exception or result.output
        return result if code else result.stdout

    run.folder = folder
    return run


@pytest.fixture(scope="module")
def weights(run, alphabet):
    """The weights of a linear network that knows letters."""
    output = run("train", "--model", "linear", "--data", alphabet, "--epochs", "8", "--output", "letters.h5")
    assert "digit" not in output.replace("fastdigits", "")
    return run.folder / "letters.h5"


@pytest.fixture(scope="module")
def picture(run, alphabet):
    """A picture of the letter c, dark on light."""
    with np.load(alphabet) as arrays:
        image = arrays["x_test"][arrays["y_test"] == "c"][0]
    path = run.folder / "c.png"
    Image.fromarray(255 - image).resize((112, 112)).save(path)
    return path


def without_name(text):
    return text.replace("fastdigits", "").replace("digits.h5", "")


def test_the_weights_file_has_the_names(weights):
    saved = read(weights)
    assert saved.class_names == tuple(LETTERS)
    assert saved.network["classes"] == list(LETTERS)
    assert saved.weights["dense_1/weight"].shape == (26, 784)


def test_eval_gives_precision_recall_and_f1_of_each_letter(run, alphabet, weights):
    found = json.loads(run("eval", weights, "--data", alphabet, "--json"))
    matrix = np.array(found["confusion"])
    assert found["classes"] == list(LETTERS)
    for k in range(26):
        hits, predicted = matrix[k, k], matrix[:, k].sum()
        assert found["per_class"][k] == hits / 4
        assert found["precision"][k] == (hits / predicted if predicted else None)
        assert found["f1"][k] == pytest.approx(2 * hits / (4 + predicted))
    assert found["macro_f1"] == pytest.approx(np.mean(found["f1"]))
    text = run(
        "eval", weights, "--data", alphabet, "--confusion", "c.svg", "--mistakes", "m.svg", "--examples", "e.svg"
    )
    assert re.search(r"^     c +4 ", text, re.M)
    assert "predicted as" in text
    assert "digit" not in without_name(text)
    for name in ("c", "m", "e"):
        assert "digit" not in without_name((run.folder / f"{name}.svg").read_text())


def test_predict_and_explain_name_letters(run, alphabet, weights, picture):
    assert re.fullmatch(r"c\.png: (unsure \(.*\)|[a-z] \(.*\))\n", run("predict", "c.png", "--weights", weights))
    [row] = json.loads(run("predict", "c.png", "--weights", weights, "--json"))["predictions"]
    assert "digit" not in row
    assert row["label"] in LETTERS
    assert row["second"] in LETTERS
    assert len(row["probabilities"]) == 26
    assert row["label"] == LETTERS[np.argmax(row["probabilities"])]
    run("predict", "c.png", "--weights", weights, "--show", "p.svg")
    text = run("explain", weights, "test:0", "--data", alphabet, "-o", "x.svg")
    assert re.match(r"linear classifies test image 0 as [a-z] \((correct|wrong: it is a)\)", text)
    found = json.loads(run("explain", weights, "test:4", "--data", alphabet, "--json"))
    assert found["true_class"] == "b"
    assert found["class"] in LETTERS
    for name in ("p", "x"):
        assert "digit" not in without_name((run.folder / f"{name}.svg").read_text())


def test_report_shows_letters(run, alphabet, weights):
    run("report", weights, "-o", "report.html", "--data", alphabet)
    page = (run.folder / "report.html").read_text()
    assert re.search(r"<tr><td>q</td><td class=\"number\">4</td>", page)
    assert "true class" in page
    assert not re.search(r"\bdigits?\b", without_name(page))


def test_show_names_letters(run, alphabet):
    run("show", "--data", alphabet, "--count", "26", "-o", "show.svg")
    assert "digit" not in without_name((run.folder / "show.svg").read_text())
    assert run("show", "--data", alphabet, "--digits", "b,q", "--count", "4", "-o", "two.svg").startswith("4 of ")


def test_a_set_of_other_classes_is_refused_with_their_names(run, weights):
    result = run("eval", weights, code=1)
    assert str(result.exception).startswith("The images have the classes 0, 1, 2")


def test_fine_tuning_on_other_letters_replaces_the_last_layer(run, weights):
    names = "abcdefgh"
    data = write_npz(run.folder / "eight.npz", names, letters(names, 10, "train"), letters(names, 2, "test"))
    text = run("train", "--from", weights, "--data", data, "--epochs", "1", "--output", "eight.h5")
    assert "with a new" not in text  # all of them are known
    assert read(run.folder / "eight.h5").class_names == tuple(LETTERS)
    names = "xyzäöü"
    data = write_npz(run.folder / "six.npz", names, letters(names, 10, "train"), letters(names, 2, "test"))
    text = run("train", "--from", weights, "--data", data, "--epochs", "1", "--output", "six.h5")
    assert "with a new dense_1 for 6 instead of 26 classes" in text
    assert read(run.folder / "six.h5").class_names == tuple(sorted(names))


@pytest.mark.parametrize("names", [BALANCED, [f"sign {number}" for number in range(300)]], ids=["47", "300"])
def test_many_classes(run, names):
    train, test = letters(names[:80], 4, "train"), letters(names[:80], 1, "test")
    if len(names) > 80:  # the others share few images
        images, labels = train
        train = np.concatenate([images, images[:220]]), np.concatenate([labels, np.arange(80, 300)])
    data = write_npz(run.folder / "many.npz", names, train, test)
    run("train", "--model", "linear", "--data", data, "--epochs", "1", "--output", "many.h5", "--device", "reference")
    assert {*read(run.folder / "many.h5").class_names} == {*names}
    text = run("eval", "many.h5", "--data", data, "--confusion", "many.png", "--device", "reference")
    assert len(text.splitlines()) < len(names) + 40
    with Image.open(run.folder / "many.png") as image:
        assert max(image.size) < 6000


def test_one_class_only_is_refused(run):
    images, labels = letters("ab", 10, "train")
    one = write_npz(run.folder / "one.npz", "ab", (images, labels * 0), (images, labels))
    result = run("train", "--model", "linear", "--data", one, code=1)
    assert (
        str(result.exception)
        == f"All training images of {one} are of the class a; give images of at least two classes."
    )


def test_ten_images_are_enough(run):
    few = write_npz(run.folder / "few.npz", "ab", letters("ab", 5, "train"), letters("ab", 5, "test"))
    run("train", "--model", "linear", "--data", few, "--epochs", "20", "--device", "reference", "--output", "few.h5")
    assert read(run.folder / "few.h5").metrics["test_images"] == 10


def test_a_class_with_test_images_only_is_warned_of(run):
    images, labels = letters("abc", 10, "test")
    data = write_npz(run.folder / "unseen.npz", "abc", letters("ab", 10, "train"), (images, labels))
    run_ = ("train", "--model", "linear", "--data", data, "--epochs", "1", "--device", "reference")
    from click.testing import CliRunner

    from fastdigits.cli import cli

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(run.folder)
        result = CliRunner().invoke(cli, list(map(str, run_)))
    assert result.exit_code == 0
    assert "test images but no training images of the class c, so the network cannot learn" in result.stderr


@pytest.mark.parametrize("balanced", [False, True])
def test_ninety_nine_to_one(run, balanced):
    images, labels = letters("ab", 297, "train")
    keep = np.r_[0:297, 297:300]
    data = write_npz(run.folder / "rare.npz", "ab", (images[keep], labels[keep]), letters("ab", 50, "test"))
    options = ["--class-weight", "balanced"] if balanced else []
    arguments = ["--epochs", "20", "--validation", "0", "--device", "reference", "--output", "rare.h5"]
    summary = json.loads(run("train", "--model", "linear", "--data", data, *arguments, *options, "--json"))
    assert summary["dead_runs"] == 0
    assert summary["verdict"]["result"] in ("majority", "above chance")
    assert read(run.folder / "rare.h5").config["class_weight"] == ("balanced" if balanced else None)


def test_the_server_answers_with_letters(weights, alphabet):
    httpx = pytest.importorskip("httpx")
    from fastdigits.serve import create_app

    app = create_app([weights], device="reference")

    async def answers():
        with np.load(alphabet) as arrays:
            pixels = {"pixels": arrays["x_test"][0].tolist()}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            sent = [("/predict?explain=true", pixels), ("/predict?several=true", pixels)]
            found = [await client.post(path, json=content) for path, content in sent]
            return *found, await client.get("/models")

    try:
        single, several, models = asyncio.run(answers())
    finally:
        app.state.recognition.close()
    answer = single.json()
    assert answer["classes"] == list(LETTERS)
    assert "digit" not in answer
    assert answer["label"] == LETTERS[np.argmax(answer["probabilities"])]
    assert answer["second"] in LETTERS
    assert several.status_code == 422
    assert several.json()["error"] == "The model letters does not recognize digits; leave several=true out."
    assert models.json()["models"][0]["classes"] == list(LETTERS)
