"""`fastdigits predict`: pictures, folders and patterns, with one or several digits."""

import json
import os
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from fastdigits.cli import cli
from fastdigits.data import load_part
from fastdigits.errors import UserError

pytestmark = pytest.mark.slow

KEYS = ["image", "digit", "label", "confidence", "probabilities", "second", "unsure", "digits_seen"]
ODD_NAMES = ("[1].png", "a b.png", "-dash.png", "new\nline.png", "caf\udce9.png", r"$\frac$.png", "red\x1b[31m.png")
PRINTED_NAMES = [name.replace("\n", r"\n").replace("\udce9", r"\xe9").replace("\x1b", r"\x1b") for name in ODD_NAMES]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A folder with a three, a seven on blue, and a blank page; and a text file."""
    folder = tmp_path_factory.mktemp("pictures")
    images, labels = load_part("mnist", "test")
    three, seven = (images[np.flatnonzero(labels == digit)[1]] for digit in (3, 7))
    Image.fromarray(255 - three).resize((90, 90)).save(folder / "a-three.png")
    blue = np.zeros((28, 28, 3), np.uint8) + np.uint8([20, 40, 200])
    Image.fromarray(np.maximum(blue, seven[..., None])).save(folder / "b-seven.bmp")
    Image.new("RGB", (60, 40), "ivory").save(folder / "c-blank.JPG")
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def predict(invoke):
    """predict(*arguments) returns the object that `predict --json` prints, whether it succeeds or not."""
    return lambda *arguments: json.loads(invoke("predict", *arguments, "--json").stdout)


def test_included_network_recognizes_a_folder(predict, pictures):
    printed = predict(pictures)
    assert list(printed) == ["predictions", "failed", "model", "weights", "classes"]
    assert printed["failed"] == []
    three, seven, blank = printed["predictions"]
    assert all(list(prediction) == KEYS for prediction in printed["predictions"])
    assert [prediction["image"] for prediction in printed["predictions"]] == [
        str(pictures / name) for name in ("a-three.png", "b-seven.bmp", "c-blank.JPG")
    ]
    assert (three["digit"], three["unsure"]) == (3, False)
    assert (seven["digit"], seven["unsure"]) == (7, False)
    assert blank["unsure"] is True
    assert blank["confidence"] < 0.5


def test_probabilities_belong_to_the_digit(predict, pictures):
    for prediction in predict(pictures)["predictions"]:
        p = np.array(prediction["probabilities"])
        assert p.shape == (10,)
        assert p.sum() == pytest.approx(1)
        assert (prediction["digit"], prediction["second"]) == tuple(np.argsort(-p, kind="stable")[:2])
        assert prediction["confidence"] == p.max()


def test_unreadable_pictures_do_not_stop_the_others(invoke, pictures):
    result = invoke("predict", "none.png", pictures / "notes.txt", "*.gif", pictures / "a-three.png", "--json")
    printed = json.loads(result.stdout)
    assert [prediction["digit"] for prediction in printed["predictions"]] == [3]
    reasons = {failure["image"]: failure["reason"] for failure in printed["failed"]}
    assert list(reasons) == ["none.png", str(pictures / "notes.txt"), "*.gif"]
    assert [
        words in reason
        for words, reason in zip(("check the path", "not a picture", "no file"), reasons.values(), strict=True)
    ]
    assert isinstance(result.exception, UserError)
    assert "3 of 4" in str(result.exception)


def test_patterns_name_pictures(predict, pictures):
    names = [prediction["image"] for prediction in predict(str(pictures / "*-s*.bmp"))["predictions"]]
    assert names == [str(pictures / "b-seven.bmp")]


def test_file_name_with_brackets_is_not_a_pattern(predict, pictures, tmp_path):
    file = tmp_path / "scan [1].png"
    file.write_bytes((pictures / "a-three.png").read_bytes())
    assert predict(file)["predictions"][0]["digit"] == 3


def test_brackets_of_a_folder_are_no_pattern(predict, pictures, tmp_path):
    folder = tmp_path / "scans [a]"
    (folder / "sub[1]").mkdir(parents=True)
    for file in (folder / "x.png", folder / "sub[1]" / "y.png"):
        file.write_bytes((pictures / "a-three.png").read_bytes())
    assert [row["image"] for row in predict(folder / "*.png")["predictions"]] == [str(folder / "x.png")]
    assert [row["image"] for row in predict("scans [a]/sub[1]/[xy].png")["predictions"]] == ["scans [a]/sub[1]/y.png"]


def test_hidden_files_and_folders_in_a_folder_are_skipped(predict, pictures, tmp_path):
    (tmp_path / "folder.png").mkdir()
    three = (pictures / "a-three.png").read_bytes()
    for name in (".hidden.png", "x.png"):
        (tmp_path / name).write_bytes(three)
    (tmp_path / "._x.png").write_bytes(b"data of macOS")
    printed = predict(tmp_path)
    assert printed["failed"] == []
    assert [row["image"] for row in printed["predictions"]] == [str(tmp_path / "x.png")]
    assert [row["digit"] for row in predict(tmp_path / ".hidden.png")["predictions"]] == [3]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_odd_names_and_odd_metadata(process, invoke, pictures, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in ODD_NAMES:
        (folder / name).write_bytes((pictures / "a-three.png").read_bytes())
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x05\x00\x12\x01\x03\x00\x01\x00"  # cut short, of which Pillow warns
    Image.open(folder / "a b.png").convert("L").save(folder / "exif.jpg", exif=exif)
    result = process("predict", "odd", "--show", "odd.png")
    assert (result.returncode, result.stderr.splitlines()[-1]) == (0, "written: odd.png")
    assert not {"Warning", "EXIF"} & set(result.stderr.replace(":", " ").split())
    printed = [line.rpartition(": 3 (")[0] for line in result.stdout.splitlines()]
    assert sorted(printed) == sorted(f"odd/{name}" for name in (*PRINTED_NAMES, "exif.jpg"))
    (tmp_path / "-dash.png").write_bytes((pictures / "a-three.png").read_bytes())
    predictions = json.loads(invoke("predict", "--json", "odd", "--", "-dash.png").stdout)["predictions"]
    assert {row["image"] for row in predictions} == {"-dash.png", *(f"odd/{name}" for name in (*ODD_NAMES, "exif.jpg"))}


def test_standard_input_is_a_picture(process, pictures):
    with open(pictures / "a-three.png", "rb") as file:
        result = process("predict", "-", "--json", stdin=file)
    assert result.returncode == 0
    [prediction] = json.loads(result.stdout)["predictions"]
    assert (prediction["image"], prediction["digit"]) == ("-", 3)


@pytest.mark.parametrize(("content", "reason"), [(b"", "it is empty"), (b"text", "not a picture")])
def test_standard_input_without_a_picture(content, reason):
    result = CliRunner().invoke(cli, ["predict", "-", "--json"], input=content)
    [failure] = json.loads(result.stdout)["failed"]
    assert failure["image"] == "-"
    assert reason in failure["reason"]
    assert isinstance(result.exception, UserError)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudoterminals")
def test_a_terminal_is_no_picture(process):
    controller, terminal = os.openpty()
    result = process("predict", "-", stdin=terminal)
    os.close(controller)
    os.close(terminal)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith("Error: - reads a picture from standard input;")


@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize("pitch", [30, 60])
def test_the_number_of_digits_is_given_when_one_is_read(predict, invoke, tmp_path, count, pitch):
    images, labels = load_part("mnist", "test")
    page = np.full((70, 40 + pitch * 5), 230, np.uint8)
    for place in range(count):
        page[20:48, 20 + pitch * place : 48 + pitch * place] -= images[np.flatnonzero(labels == place + 3)[2]] // 2
    Image.fromarray(page).save("page.png")
    assert [row["digits_seen"] for row in predict("page.png")["predictions"]] == [count]
    said = f" - {count} digits seen; --several reads them all\n"
    assert invoke("predict", "page.png").stdout.endswith(said) == (count > 1)


def test_folder_without_pictures_is_an_error(predict, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no file in this folder ends with" in predict(tmp_path / "empty")["failed"][0]["reason"]


def test_text_output(run_main, pictures):
    result = run_main("predict", pictures)
    assert result.returncode == 0, result.stderr
    three, seven, blank = result.stdout.splitlines()
    assert three.startswith(f"{pictures / 'a-three.png'}: 3 (")
    assert seven.startswith(f"{pictures / 'b-seven.bmp'}: 7 (")
    assert blank == f"{pictures / 'c-blank.JPG'}: unsure (no digit stands out)"


def test_exit_code_is_1_if_a_picture_cannot_be_read(run_main, pictures):
    result = run_main("predict", "none.png", pictures / "a-three.png")
    assert result.returncode == 1
    assert ": 3 (" in result.stdout
    *_, reason, error = result.stderr.splitlines()
    assert reason.startswith("none.png: ")
    assert error.startswith("Error: 1 of 2 cannot be read")


def test_trained_network_has_no_calibration(invoke, trained, pictures):
    result = invoke("predict", pictures, "--weights", trained, "--json")
    assert f"linear ({trained}) has no calibration" in result.stderr
    answer = json.loads(result.stdout)
    assert len(answer["predictions"]) == 3
    assert (answer["model"], answer["weights"]) == ("linear", str(trained))


def test_networks_for_other_images_are_refused(invoke, trained, pictures, tiny, write_digits):
    images, labels = load_part(tiny, "train")
    small = write_digits(tiny.parent / "small", images[:, 4:24, 4:24], labels, images[:9, 4:24, 4:24], labels[:9])
    invoke("train", "--model", "linear", "--epochs", "1", "--data", small, "--output", "small.h5")
    error = invoke("predict", pictures, "--weights", "small.h5").exception
    assert "does not take images of 28 x 28 pixels" in str(error)


@pytest.mark.parametrize("file", ["steps.png", "steps.pdf"])
@pytest.mark.parametrize("several", [False, True])
def test_steps_are_drawn(invoke, pictures, file, several):
    result = invoke("predict", pictures, "--show", file, *["--several"] * several)
    assert result.exit_code == 0
    assert f"written: {file}" in result.stderr.splitlines()
    with open(file, "rb") as written:
        assert written.read(4) in (b"\x89PNG", b"%PDF")


def test_several_digits_with_their_boxes(predict, tmp_path):
    images, labels = load_part("mnist", "test")
    page = np.full((120, 330), 255, np.uint8)
    rows = {digit: np.flatnonzero(labels == digit)[3] for digit in range(10)}
    for line, digits in enumerate(("20417", "356")):
        for place, digit in enumerate(map(int, digits)):
            page[10 + 60 * line : 38 + 60 * line, 20 + 60 * place : 48 + 60 * place] = 255 - images[rows[digit]]
    Image.fromarray(page).save(tmp_path / "page.png")
    (prediction,) = predict(tmp_path / "page.png", "--several")["predictions"]
    assert list(prediction) == ["image", "text", "confidence", "unsure", "lines"]
    assert prediction["text"] == "20417\n356"
    lines = prediction["lines"]
    assert [list(line) for line in lines] == [["text", "confidence", "unsure", "corners", "digits"]] * 2
    assert prediction["confidence"] == pytest.approx(lines[0]["confidence"] * lines[1]["confidence"])
    assert prediction["unsure"] == any(line["unsure"] for line in lines)
    for row, line in enumerate(lines):
        (left, top), _, (right, bottom), _ = line["corners"]
        assert left < 25 < 45 + 60 * (len(line["text"]) - 1) < right
        assert 60 * row <= top < 15 + 60 * row < 32 + 60 * row < bottom <= 50 + 60 * row
    digits = [digit for line in lines for digit in line["digits"]]
    assert [digit["digit"] for digit in digits] == [2, 0, 4, 1, 7, 3, 5, 6]
    for number, digit in enumerate(digits):
        left, top, width, height = digit["box"]
        line, place = divmod(number, 5)
        assert 20 + 60 * place <= left < left + width <= 49 + 60 * place
        assert 10 + 60 * line <= top < top + height <= 39 + 60 * line
        assert 0.5 < digit["confidence"] <= 1


def test_boxes_are_in_pixels_of_the_file_also_if_it_is_large(predict, tmp_path):
    images, labels = load_part("mnist", "test")
    page = np.full((1200, 4000), 255, np.uint8)
    page[400:848, 2400:2848] = 255 - np.kron(images[np.flatnonzero(labels == 3)[3]], np.ones((16, 16), np.uint8))
    Image.fromarray(page).save(tmp_path / "page.png")
    (prediction,) = predict(tmp_path / "page.png", "--several")["predictions"]
    assert prediction["text"] == "3"
    (line,) = prediction["lines"]
    left, top, width, height = line["digits"][0]["box"]
    assert 2400 <= left < left + width <= 2848
    assert 400 <= top < top + height <= 848
    assert height > 250


def test_progress_on_a_pipe_is_plain_lines(invoke, tmp_path, monkeypatch):
    images, _ = load_part("mnist", "test")
    page = 255 - np.pad(np.hstack(images[:3]), 20)
    Image.fromarray(page).save(tmp_path / "page.png")
    monkeypatch.setattr("fastdigits.cli.terminal.progress.QUIET_S", 0)
    monkeypatch.setattr("fastdigits.cli.terminal.progress.LINE_S", 0)
    result = invoke("predict", tmp_path / "page.png", "--several")
    assert [line for line in result.stderr.splitlines() if "lines" in line] == ["1 of 1 lines"]
    assert ": 721" in result.stdout


def test_a_picture_with_too_many_lines_fails_alone(invoke, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("fastdigits.imaging.lines.MAX_LINES", 1)
    images, _ = load_part("mnist", "test")
    Image.fromarray(255 - np.pad(np.vstack([np.pad(image, 20) for image in images[:3]]), 20)).save("page.png")
    result = invoke("predict", tmp_path / "page.png", pictures / "a-three.png", "--several")
    assert result.exit_code == 1
    assert "page.png: the picture shows 3 lines, more than the limit of 1; cut it" in result.stderr
    assert "a-three.png: 3" in result.stdout


def test_a_length_or_a_pattern_restricts_the_numbers(predict, invoke):
    images, _ = load_part("mnist", "test")
    Image.fromarray(255 - np.pad(np.hstack(images[:3]), 20)).save("page.png")
    for length in (2, 3, 4):
        (row,) = predict("page.png", "--several", "--length", length)["predictions"]
        assert len(row["lines"][0]["digits"]) == length
    (row,) = predict("page.png", "--several", "--pattern", "d.dd")["predictions"]
    assert row["text"][1] == "."
    assert [len(line["digits"]) for line in row["lines"]] == [3]
    assert invoke("predict", "page.png", "--several", "--length", "90").stdout.endswith(": no digits\n")


def test_usage(fails, pictures):
    fails(2, "does not end with", "predict", pictures / "a-three.png", "--show", "steps.docx")
    fails(2, "Missing argument", "predict")
    fails(1, "it cannot be read", "predict", pictures / "a-three.png", "--weights", "none.h5")
    fails(2, "--length and --pattern restrict what --several finds", "predict", "page.png", "--length", "3")
    fails(2, "--length and --pattern restrict what --several finds", "predict", "page.png", "--pattern", "dd")
    fails(2, "A number cannot have 0 digits", "predict", "page.png", "--several", "--length", "0")
    fails(2, "must consist of d for each digit", "predict", "page.png", "--several", "--pattern", "d:d")
    fails(2, "has 2 digits, not 3", "predict", "page.png", "--several", "--pattern", "d,d", "--length", "3")
