"""`fastdigits show`: the choice of images, and their preprocessing and augmentation."""

import numpy as np
import pytest

from fastdigits.data import load_digits, preview
from fastdigits.data.augmentation import parse_effects
from fastdigits.data.preprocessing import Preparation
from fastdigits.ops import load as load_ops
from fastdigits.plots import sheet


@pytest.fixture
def show(invoke, tiny, tmp_path, monkeypatch):
    """show(*arguments) returns the rows, headings and title that are drawn of the tiny set."""
    calls, draw = [], sheet.draw
    monkeypatch.setattr(sheet, "draw", lambda *arguments: calls.append(arguments) or draw(*arguments))

    def show(*arguments):
        result = invoke("show", "--data", tiny, *arguments, "-o", "sheet.png")
        assert result.exit_code == 0, result.exception or result.stderr
        assert result.stdout.splitlines()[-1] == "picture: sheet.png"
        assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
        return calls[-1]

    return show


@pytest.fixture
def digits(tiny):
    return load_digits(tiny)


def indices(row):
    """The indices of the images of a row, from their captions."""
    return [int(caption.partition("#")[2]) for caption in row.captions]


def test_a_row_for_each_digit(show, digits, tiny):
    rows, heads, title = show()
    assert (title, heads) == (f"{tiny}, training images", [])
    assert [row.label for row in rows] == [str(digit) for digit in range(10)]
    for row in rows:
        assert len(row.images) == 10
        assert set(digits.train_labels[indices(row)]) == {int(row.label)}
        np.testing.assert_array_equal(row.images, digits.train_images[indices(row)])
    assert indices(show("--seed", "1")[0][0]) != indices(rows[0]) == indices(show("--seed", "0")[0][0])


def test_some_digits_of_the_test_images_at_random(show, digits, tiny):
    rows, _, title = show("--part", "test", "--digits", "4,7-9", "--random", "--count", "13")
    assert title == f"{tiny}, test images"
    assert [len(row.images) for row in rows] == [10, 3]
    found = [*indices(rows[0]), *indices(rows[1])]
    assert {*digits.test_labels[found]} <= {4, 7, 8, 9}
    np.testing.assert_array_equal(rows[1].images, digits.test_images[found[10:]])
    assert rows[0].captions[0] == f"{digits.test_labels[found[0]]} #{found[0]}"


def test_images_by_their_indices(show, digits):
    [row], _, _ = show("--index", "3,250-252,0")
    assert indices(row) == [3, 250, 251, 252, 0]
    np.testing.assert_array_equal(row.images, digits.train_images[[3, 250, 251, 252, 0]])


def test_before_and_after_preparation(show, digits):
    rows, heads, _ = show("--pad", "2", "--binarize", "0.5")
    assert [row.label for row in rows] == ["as it is", "pad 2", "binarize 0.5", "all together"]
    chosen = [int(head.partition("#")[2]) for head in heads]
    assert digits.train_labels[chosen].tolist() == [*range(10)]
    before, padded, black_or_white, both = (np.stack(row.images) for row in rows)
    np.testing.assert_array_equal(before, digits.train_images[chosen])
    assert padded.shape == both.shape == (10, 32, 32)
    np.testing.assert_array_equal(padded[:, 2:-2, 2:-2], before)
    np.testing.assert_array_equal(black_or_white, np.where(before > 127, 255, 0))
    np.testing.assert_array_equal(both[:, 2:-2, 2:-2], black_or_white)


@pytest.mark.parametrize(("option", "brighter"), [(("--gamma", "0.5"), True), (("--gamma", "2"), False)])
def test_gamma_makes_brighter_or_darker(option, brighter, show):
    before, after = (np.stack(row.images).astype(int) for row in show(*option)[0])
    grey = (before > 0) & (before < 255)
    assert ((after > before) == brighter)[grey].mean() > 0.9
    np.testing.assert_array_equal(after[~grey], before[~grey])


def test_augmented_image_in_several_epochs(show, digits):
    rows, heads, title = show("--augment", "shift=3,rotate=20,noise=0.1", "--epochs", "4")
    assert title.endswith(f"training images: {digits.train_labels[0]} #0")
    assert heads == ["as it is", "epoch 1", "epoch 2", "epoch 3", "epoch 4"]
    assert [row.label for row in rows] == ["shift 3", "rotate 20", "noise 0.1", "all together"]
    for row in rows:
        first, *changed = row.images
        np.testing.assert_array_equal(first, digits.train_images[0])
        assert len({image.tobytes() for image in row.images}) == 5
        assert all((image != first).mean() > 0.05 for image in changed)
    again = show("--augment", "shift=3,rotate=20,noise=0.1", "--epochs", "4", "--seed", "1")[0]
    assert (again[0].images[1] != rows[0].images[1]).any()


def test_several_augmented_images_after_preparation(show, digits):
    rows, heads, _ = show("--augment", "rotate=20", "--pad", "3", "--index", "4,9", "--epochs", "2")
    assert heads == ["as it is", "prepared", "epoch 1", "epoch 2"]
    assert [row.label for row in rows] == [f"{digits.train_labels[n]} #{n}" for n in (4, 9)]
    assert [image.shape for image in rows[0].images] == [(28, 28), (34, 34), (34, 34), (34, 34)]
    preparation, effects = Preparation(pad=3), parse_effects("rotate=20")
    for epoch in (1, 2):
        one = preview.augment(
            load_ops("reference"), digits.train_images, np.array([4, 9]), preparation, effects, 0, epoch
        )
        np.testing.assert_array_equal([row.images[1 + epoch] for row in rows], one)


@pytest.mark.parametrize(
    ("says", "arguments"),
    [
        ("does not end with .png, .svg or .pdf", ["-o", "a.gif"]),
        ("'a' is not a list of numbers", ["--index", "a"]),
        ("'3-' is not a list of numbers", ["--index", "3-"]),
        ("'3,' is not a list of classes", ["--digits", "3,"]),
        ("has more than 1000 numbers", ["--index", "0-5000"]),
        ("There is no image 300; choose 0 to 299", ["--index", "300"]),
        ("There are no images of 11; choose among 0, 1", ["--digits", "3,11"]),
        ("leave --digits, --random and --count out", ["--index", "3", "--random"]),
        ("At most 20 images", ["--pad", "2", "--count", "30"]),
        ("At most 20 images", ["--augment", "shift=1", "--count", "30"]),
        ("there is no effect 'flip'", ["--augment", "flip=1"]),
        ("--gamma", ["--gamma", "-1"]),
        ("--count", ["--count", "0"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage_errors(says, arguments, invoke, tiny, tmp_path):
    result = invoke("show", "--data", tiny, "-o", "a.png", *arguments)
    assert result.exit_code == 2, result.exception
    assert says in result.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_errors_that_the_user_can_fix(fails):
    fails(2, "'-o'", "show")
    fails(1, "There is no data folder", "show", "--data", "missing", "-o", "a.png")
    fails(1, "does not exist", "show", "-o", "missing/a.png")
