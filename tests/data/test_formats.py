"""Data sets in many formats, written by the tools that people use for them, are read to the same images."""

import bz2
import gzip
import lzma

import formats
import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image

from fastdigits import load_digits
from fastdigits.data import load_images, load_part, read_part
from fastdigits.data.formats import hdf5
from fastdigits.errors import UserError

FEW = formats.few_digits()
DIGITS = tuple("0123456789")


def check(digits, few=FEW, classes=DIGITS):
    """Check that a set has these images and labels, up to the order of the images within a part."""
    assert digits.classes == classes
    parts = (
        (digits.train_images, digits.train_labels, *few[:2]),
        (digits.test_images, digits.test_labels, *few[2:]),
    )
    for images, labels, expected, numbers in parts:
        assert images.dtype == np.uint8
        assert images.shape == expected.shape
        order, wanted = (np.lexsort(values.reshape(len(values), -1).T) for values in (images, expected))
        assert (images[order] == expected[wanted]).all()
        assert (labels[order] == numbers[wanted]).all()


def ordered(digits):
    """Check that a set has the images in their order."""
    assert (digits.train_images == FEW.x_train).all()
    assert (digits.train_labels == FEW.y_train).all()
    check(digits)


# IDX


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("names", [("train", "t10k"), ("train", "test"), ("emnist-digits-train", "emnist-digits-test")])
def test_names_of_idx_files(names, dotted, packed, tmp_path):
    pytest.importorskip("idx2numpy")
    digits = load_digits(formats.idx(FEW, tmp_path, names, dotted, packed))
    ordered(digits)
    assert digits.notes == ()


@pytest.mark.parametrize(
    ("dtype", "scale", "note"),
    [
        (np.int16, 1, ""),
        (np.int32, 1, ""),
        (np.float32, 1, ""),
        (np.float32, 1 / 255, "values 0 to 1"),
        (np.float64, 1 / 255, "values 0 to 1"),
        (np.uint8, 1, ""),
    ],
)
def test_types_of_idx_files(dtype, scale, note, tmp_path):
    pytest.importorskip("idx2numpy")
    digits = load_digits(formats.idx(FEW, tmp_path, dtype=dtype, scale=scale))
    ordered(digits)
    assert note in " ".join(digits.notes)


def test_signed_bytes(tmp_path):
    idx2numpy = pytest.importorskip("idx2numpy")
    formats.idx(FEW, tmp_path)
    for prefix, images in (("train", FEW.x_train), ("t10k", FEW.x_test)):
        signed = (images.astype(np.int16) - 128).astype(np.int8)
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(idx2numpy.convert_to_string(signed))
    digits = load_digits(tmp_path)
    ordered(digits)
    assert digits.notes == ("values -128 to 127 are scaled to 0 to 255",)


def test_labels_of_qmnist_are_the_first_of_eight_numbers(tmp_path):
    idx2numpy = pytest.importorskip("idx2numpy")
    formats.idx(FEW, tmp_path, ("qmnist-train", "qmnist-test"))
    for prefix, labels in (("qmnist-train", FEW.y_train), ("qmnist-test", FEW.y_test)):
        (tmp_path / f"{prefix}-labels-idx1-ubyte").unlink()
        numbers = np.column_stack([labels, *[np.arange(len(labels))] * 7]).astype(np.int32)
        content = gzip.compress(idx2numpy.convert_to_string(numbers))
        (tmp_path / f"{prefix}-labels-idx2-int.gz").write_bytes(content)
    ordered(load_digits(tmp_path))


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compression_is_recognized_by_content(compress, tmp_path):
    pytest.importorskip("idx2numpy")
    for path in formats.idx(FEW, tmp_path).iterdir():
        path.write_bytes(compress(path.read_bytes()))
    ordered(load_digits(tmp_path))


def test_letters_of_emnist_have_the_names_of_its_mapping_and_stand_upright(tmp_path):
    pytest.importorskip("idx2numpy")
    turned = FEW._replace(x_train=FEW.x_train.swapaxes(1, 2), x_test=FEW.x_test.swapaxes(1, 2))
    turned = turned._replace(y_train=turned.y_train + 1, y_test=turned.y_test + 1)
    folder = formats.idx(turned, tmp_path, ("emnist-letters-train", "emnist-letters-test"))
    mapping = "".join(f"{label} {64 + label} {96 + label}\n" for label in range(1, 11))
    (folder / "emnist-letters-mapping.txt").write_text(mapping)
    digits = load_digits(folder)
    check(digits, classes=tuple("ABCDEFGHIJ"))
    assert digits.notes == ("rows and columns are swapped in the files, so the images are transposed",)
    assert (load_digits(folder, transpose=False).train_images == turned.x_train).all()


def test_several_sets_in_a_folder_are_refused(tmp_path):
    pytest.importorskip("idx2numpy")
    formats.idx(FEW, tmp_path, ("emnist-digits-train", "emnist-digits-test"))
    formats.idx(FEW, tmp_path, ("emnist-letters-train", "emnist-letters-test"))
    with pytest.raises(UserError, match=r"files of several sets .'emnist-digits', 'emnist-letters'.; put the four"):
        load_digits(tmp_path)


# Folders of pictures


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".gif", ".webp", ".pgm", ".tga", ".pcx"])
def test_pictures_of_each_class(suffix, tmp_path):
    options = {"lossless": True} if suffix == ".webp" else {}
    check(load_digits(formats.pictures(FEW, tmp_path, suffix=suffix, **options)))


def test_lossy_pictures_have_nearly_the_same_pixels(tmp_path):
    digits = load_digits(formats.pictures(FEW, tmp_path, suffix=".jpg", quality=95))
    order = np.argsort(FEW.y_train, kind="stable")
    assert abs(digits.train_images.astype(int) - FEW.x_train[order]).mean() < 3


def test_pictures_may_be_in_folders_training_and_testing_with_named_classes(tmp_path):
    names = ("ten", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    digits = load_digits(formats.pictures(FEW, tmp_path, ("training", "testing"), names))
    assert digits.classes == tuple(sorted(names))
    expected = [names[label] for label in np.sort(FEW.y_test)]
    assert sorted(digits.classes[label] for label in digits.test_labels) == sorted(expected)


def test_numbers_of_classes_are_sorted_as_numbers(tmp_path):
    names = ["1", "2", "10", "20", "3", "4", "5", "6", "7", "8"]
    assert load_digits(formats.pictures(FEW, tmp_path, names=names)).classes == tuple(sorted(names, key=int))


def test_a_set_without_a_test_part_is_split_the_same_way_every_time(tmp_path):
    formats.pictures(FEW, tmp_path / "both")
    first, again = (load_digits(tmp_path / "both" / "train") for _ in range(2))
    assert first.notes == ("there is no test part, so 12 of 60 images are held out for it, always the same",)
    assert (len(first.train_images), len(first.test_images)) == (48, 12)
    assert (first.test_images == again.test_images).all()
    assert {image.tobytes() for image in first.train_images}.isdisjoint(map(np.ndarray.tobytes, first.test_images))
    images, labels = load_part(tmp_path / "both" / "train", "test")
    assert (images == first.test_images).all()
    assert (labels == first.test_labels).all()


def test_pictures_in_color_with_transparency_and_16_bits(tmp_path):
    color = np.stack([FEW.x_train[0]] * 3, axis=-1)
    for name, image in (
        ("gray", Image.fromarray(FEW.x_train[0])),
        ("rgb", Image.fromarray(color)),
        ("palette", Image.fromarray(FEW.x_train[0]).convert("P")),
        ("opaque", Image.fromarray(color).convert("RGBA")),
        ("deep", Image.fromarray(FEW.x_train[0].astype(np.uint16) * 257)),
    ):
        (tmp_path / name).mkdir()
        for number in range(2):
            image.save(tmp_path / name / f"{number}.png")
    for image in load_images(tmp_path):
        assert abs(image.astype(int) - FEW.x_train[0]).max() <= 1


def test_pictures_of_different_sizes_are_refused_or_resized(tmp_path):
    formats.pictures(FEW, tmp_path)
    wide = Image.new("L", (56, 28), 255)
    wide.paste(Image.new("L", (28, 14), 0), (14, 7))
    wide.save(tmp_path / "train" / "3" / "zzz.png")
    with pytest.raises(UserError, match=r"zzz.png has 28 x 56 pixels, but .*png has 28 x 28; resize .* with size=28"):
        load_digits(tmp_path)
    digits = load_digits(tmp_path, size=28)
    assert digits.train_images.shape == (61, 28, 28)
    resized = digits.train_images[digits.train_labels == 3][-1]
    assert (resized[:7] == 255).all()  # the background of the picture, so that its shape is kept
    assert resized[14, 14] == 0


def test_other_files_are_left_out_and_counted(tmp_path):
    formats.pictures(FEW, tmp_path)
    (tmp_path / "train" / "1" / "notes.txt").write_text("x")
    (tmp_path / "train" / "1" / ".DS_Store").write_text("x")
    (tmp_path / "train" / "1" / "Thumbs.db").write_text("x")
    digits = load_digits(tmp_path)
    check(digits)
    assert digits.notes == ("1 other file is left out",)


def test_pictures_without_folders_of_classes_are_refused(tmp_path):
    formats.pictures(FEW, tmp_path)
    with pytest.raises(UserError, match="holds pictures, but no folder for each class; put each picture into a"):
        load_digits(tmp_path / "train" / "3")


def test_a_damaged_picture_is_named(tmp_path):
    formats.pictures(FEW, tmp_path)
    path = tmp_path / "train" / "1" / "zzz.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(UserError, match=r"zzz.png: the picture is damaged|zzz.png: it is not a picture"):
        load_digits(tmp_path)


def test_a_test_part_is_read_without_the_training_images(tmp_path):
    formats.pictures(FEW, tmp_path)
    (tmp_path / "train" / "1" / "zzz.png").write_bytes(b"damaged")
    assert len(load_part(tmp_path, "test")[0]) == 25


# CSV


def test_kaggle_has_a_header_and_its_test_images_no_labels(tmp_path):
    pytest.importorskip("pandas")
    formats.kaggle(FEW, tmp_path)
    digits = load_digits(tmp_path / "train.csv")
    assert len(digits.train_images) == 48
    order = np.concatenate([digits.train_images, digits.test_images]).reshape(60, -1)
    assert (np.sort(order, 0) == np.sort(FEW.x_train.reshape(60, -1), 0)).all()
    assert (load_images(tmp_path / "test.csv") == FEW.x_test).all()
    both = load_digits(tmp_path)
    assert (both.train_images == digits.train_images).all()
    assert "the test part has no labels and is left out" in both.notes
    with pytest.raises(UserError, match=r"test.csv has no labels; give a set with a label for each image"):
        load_digits(tmp_path / "test.csv")


@pytest.mark.parametrize("content", [b"P5 28 28 255 cut", b"P5 99999 99999 255 ", b""])
def test_damaged_pictures_of_rare_formats_are_named(content, tmp_path):
    formats.pictures(FEW, tmp_path, suffix=".pgm")
    (tmp_path / "train" / "1" / "zzz.pgm").write_bytes(content)
    with pytest.raises(UserError, match=r"zzz.pgm(: the picture is damaged| has more than 1,048,576 pixels)"):
        load_digits(tmp_path)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.bz2"])
def test_label_first_csv(suffix, tmp_path):
    ordered(load_digits(formats.label_first(FEW, tmp_path, suffix)))


@pytest.mark.parametrize(
    "options",
    [
        {"fmt": "%.18e"},
        {"fmt": "%.1f", "delimiter": ";"},
        {"delimiter": "\t"},
        {"delimiter": " "},
        {"header": ",".join(["label", *(f"{i}x{j}" for i in range(1, 29) for j in range(1, 29))]), "comments": ""},
        {"newline": "\r\n"},
    ],
    ids=["numpy's default", "semicolons", "tabs", "spaces", "header of sizes", "windows"],
)
def test_dialects_of_csv(options, tmp_path):
    ordered(load_digits(formats.label_first(FEW, tmp_path, **options)))


def test_csv_of_pandas_with_an_index_and_a_label_in_the_last_column(tmp_path):
    pandas = pytest.importorskip("pandas")
    for name, images, labels in (("train", *FEW[:2]), ("test", *FEW[2:])):
        table = pandas.DataFrame(images.reshape(len(images), -1) / 255)
        table["class"] = [f"digit {label}" for label in labels]
        table.to_csv(tmp_path / f"{name}.csv")
    digits = load_digits(tmp_path)
    check(digits, classes=tuple(f"digit {label}" for label in range(10)))
    assert digits.notes == ("values 0 to 1 are scaled to 0 to 255",)


def test_the_label_is_last_if_the_first_column_never_changes(tmp_path):
    sklearn = pytest.importorskip("sklearn.datasets")
    images, labels = sklearn.load_digits(return_X_y=True)
    np.savetxt(tmp_path / "optdigits.tra", np.column_stack([images, labels]), "%d", ",")
    digits = load_digits(tmp_path / "optdigits.tra")
    assert digits.classes == DIGITS
    assert digits.train_images.shape == (1438, 8, 8)
    assert digits.notes[:2] == (
        "the label is in the last column, as the first one never changes",
        "values 0 to 16 are scaled to 0 to 255",
    )
    counts = np.bincount(digits.train_labels) + np.bincount(digits.test_labels)
    assert (counts == np.bincount(labels)).all()


def test_a_file_that_is_sorted_by_its_first_column_has_its_labels_there(tmp_path):
    labels = np.repeat(np.arange(3), 150)
    pixels = np.arange(450)[:, None] * np.arange(1, 10) % 256  # of which the last one varies as well
    np.savetxt(tmp_path / "sorted.csv", np.column_stack([labels, pixels]), "%d", ",")
    digits = load_digits(tmp_path / "sorted.csv")
    assert digits.classes == ("0", "1", "2")
    assert (load_images(tmp_path / "sorted.csv").reshape(450, 9) == pixels).all()


@pytest.mark.parametrize("index", [False, True])
def test_numbers_of_columns_are_a_header(index, tmp_path):
    pandas = pytest.importorskip("pandas")
    for name, images, labels in (("train", *FEW[:2]), ("test", *FEW[2:])):
        pandas.DataFrame(formats.rows(images, labels)).to_csv(tmp_path / f"{name}.csv", index=index)
    ordered(load_digits(tmp_path))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["pixel{0}", "{1}x{2}"])
def test_columns_of_pixels_may_be_sorted_as_texts(name, suffix, tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pixels = [name.format(number, number // 28 + 1, number % 28 + 1) for number in range(784)]
    for part, images, labels in (("train", *FEW[:2]), ("test", *FEW[2:])):
        table = pandas.DataFrame(formats.rows(images, labels), columns=["label", *pixels])
        table = table[sorted(table.columns)]
        path = tmp_path / f"{part}.{suffix}"
        table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path)
    digits = load_digits(tmp_path)
    ordered(digits)
    assert digits.notes == ("the columns of pixels are put in the order of their names",)


def test_letters_as_labels_of_a_csv_file(tmp_path):
    lines = [f'"{"ABC"[number % 3]}",{",".join(["0", "255", "7", "9"])}' for number in range(30)]
    (tmp_path / "letters.csv").write_text("\ufeff" + "\n\n".join(lines), "utf8")
    digits = load_digits(tmp_path / "letters.csv")
    assert digits.classes == ("A", "B", "C")
    assert digits.train_images[0].tolist() == [[0, 255], [7, 9]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("label,a,b\n1,2,3\n", "has 2 columns of pixels, which make no square image"),
        ("1,2,3,4,5\n1,2,3,4\n", "Row 2 of .* has 4 columns instead of 5; correct it"),
        ("1,2,3,4,5\n1,2,,4,5\n", "Row 2 of .* has nothing in column 3 instead of a number"),
        ("1,2,3,4,5\n1,2,x,4,5\n", "Row 2 of .* has 'x' in column 3 instead of a number"),
        ("1,2,3,4,5\n1,2,nan,4,5\n", "Image 1 of .* holds NaN or infinity; replace or remove it"),
        ("1,2,3,4,500\n", "only 1 images?, too few to hold any out"),
        ("1,2,-3,4,5\n1,1,1,1,1\n", "has values from -3 to 4, which is no known range; say with value_range"),
        ("label,a,b,c,d\n,2,3,4,5\n", "Row 1 of .* has no label; complete it"),
        ("label,a,b,c,d\n", "holds no images"),
    ],
)
def test_bad_tables_are_refused_in_a_sentence(content, message, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=message) as refused:
        load_digits(path)
    assert str(path) in str(refused.value)


# NPZ


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_keras_npz(save, tmp_path):
    ordered(load_digits(formats.npz(FEW, tmp_path / "mnist.npz", save)))


@pytest.mark.parametrize(
    "changed",
    [
        {"x_train": FEW.x_train / 255, "x_test": FEW.x_test / 255},
        {"x_train": (FEW.x_train / 127.5 - 1).astype(np.float32), "x_test": (FEW.x_test / 127.5 - 1).astype("f4")},
        {"x_train": FEW.x_train.reshape(60, -1), "x_test": FEW.x_test.reshape(25, -1)},
        {"x_train": FEW.x_train[..., None], "x_test": FEW.x_test[:, None]},
        {"x_train": np.stack([FEW.x_train] * 3, -1), "x_test": np.stack([FEW.x_test] * 3, 1)},
        {"y_train": np.eye(10)[FEW.y_train], "y_test": np.eye(10)[FEW.y_test]},
        {"y_train": FEW.y_train[:, None].astype(float), "y_test": FEW.y_test.astype(np.int64)},
        {"x_train": FEW.x_train.astype(np.uint16) * 257, "x_test": FEW.x_test.astype(np.int64) * 257},
        {"y_train": FEW.y_train.astype("S1"), "y_test": FEW.y_test.astype(str)},
        {"x_train": np.asfortranarray(FEW.x_train), "x_test": FEW.x_test.astype(">i4")},
    ],
    ids=["0 to 1", "-1 to 1", "flat", "channels", "colors", "one-hot", "columns", "16 bits", "texts", "orders"],
)
def test_shapes_and_ranges_of_npz(changed, tmp_path):
    ordered(load_digits(formats.npz(FEW, tmp_path / "digits.npz", **changed)))


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("X", "Y"), ("data", "target"), (None, None)])
def test_pairs_of_npz(names, tmp_path):
    if names[0] is None:
        np.savez(tmp_path / "pair.npz", FEW.x_train, FEW.y_train)
    else:
        np.savez(tmp_path / "pair.npz", **dict(zip(names, FEW[:2], strict=True)))
    digits = load_digits(tmp_path / "pair.npz")
    assert (len(digits.train_images), len(digits.test_images)) == (48, 12)


def test_names_of_parts_of_npz(tmp_path):
    np.savez(tmp_path / "a.npz", train_images=FEW[0], train_labels=FEW[1], test_images=FEW[2], test_labels=FEW[3])
    ordered(load_digits(tmp_path / "a.npz"))
    np.savez(tmp_path / "b.npz", Xtrain=FEW[0], Ytrain=FEW[1], Xtest=FEW[2], Ytest=FEW[3])
    ordered(load_digits(tmp_path / "b.npz"))


def test_ones_and_zeros_are_black_and_white(tmp_path):
    digits = load_digits(formats.npz(FEW, tmp_path / "a.npz", x_train=FEW.x_train > 99, x_test=FEW.x_test > 99))
    assert (digits.train_images == np.where(FEW.x_train > 99, 255, 0)).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_train": FEW.x_train[:50]}, r"x_train.* has 50 images but 60 labels; every image needs one"),
        ({"x_train": np.full((60, 28, 28), np.nan)}, "Image 0 of .* holds NaN or infinity"),
        ({"x_train": FEW.x_train.astype(complex)}, "holds values of type complex128 instead of numbers"),
        ({"x_train": FEW.x_train.astype(str)}, "holds values of type <U3 instead of numbers"),
        ({"x_train": np.array([None] * 60)}, "holds Python objects, which may run code"),
        ({"x_train": np.zeros((60, 28, 28, 4))}, r"has images of the shape \(28, 28, 4\)"),
        ({"x_train": np.zeros((60, 30))}, r"has images of the shape \(30,\)"),
        ({"x_train": np.zeros((0, 28, 28)), "y_train": np.zeros(0)}, "shape"),
        ({"x_train": FEW.x_train * 3.3}, "values from 0 to 841.5, which is no known range"),
        ({"y_train": FEW.y_train + 0.5}, "labels that are no whole numbers, such as 9.5"),
        ({"y_train": np.ones((60, 10))}, "is not one-hot"),
        ({"y_train": np.full(60, np.nan)}, "labels that are no whole numbers"),
        ({"x_test": np.zeros((25, 8, 8))}, "training images of 28 x 28 but test images of 8 x 8 pixels"),
        ({"x_train": np.zeros((60, 28, 2000))}, "images of 28 x 2000 pixels; resize them with size=28"),
    ],
)
def test_bad_arrays_are_refused_in_a_sentence(changed, message, tmp_path):
    path = formats.npz(FEW, tmp_path / "bad.npz", **changed)
    with pytest.raises(UserError, match=message) as refused:
        load_digits(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_arrays_with_other_names_are_listed(tmp_path):
    np.savez(tmp_path / "a.npz", foo=FEW.x_train, bar=FEW.y_train)
    with pytest.raises(UserError, match=r"it has 'foo', 'bar'.; rename its arrays to x_train"):
        load_digits(tmp_path / "a.npz")


def test_a_range_that_is_not_recognized_can_be_given(tmp_path):
    few = formats.npz(FEW, tmp_path / "a.npz", x_train=FEW.x_train / 255 * 3 - 0.5, x_test=FEW.x_test / 255 * 3 - 0.5)
    ordered(load_digits(few, value_range=(-0.5, 2.5)))
    with pytest.raises(UserError, match=r"values from -0.5 to 2.5, which is no known range"):
        load_digits(few)
    with pytest.raises(UserError, match="which is outside 0 to 1"):
        load_digits(few, value_range=(0, 1))
    inverted = load_digits(few, value_range=(2.5, -0.5))
    assert (inverted.train_images == 255 - FEW.x_train).all()


def test_parts_of_different_ranges_are_refused(tmp_path):
    scaled, said = FEW.x_test / 255, r"x_train. are from 0 to 255, but those of .*x_test. from 0 to 1; scale both"
    with pytest.raises(UserError, match=said):
        load_digits(formats.npz(FEW, tmp_path / "a.npz", x_test=scaled))
    with pytest.raises(UserError, match="from 0 to 1, but those of"):
        load_part(formats.npz(FEW, tmp_path / "b.npz", x_train=FEW.x_train / 255), "train")
    ordered(load_digits(formats.npz(FEW, tmp_path / "c.npz", x_test=FEW.x_test.astype(float))))


def test_the_range_of_images_of_which_the_first_thousands_are_black(tmp_path):
    black = np.zeros((5000, 28, 28), np.float32)
    x, y = np.concatenate([black, FEW.x_train / 255]), np.concatenate([np.arange(5000) % 10, FEW.y_train])
    digits = load_digits(formats.npz(FEW, tmp_path / "a.npz", x_train=x, y_train=y, x_test=FEW.x_test / 255))
    assert (digits.train_images[5000:] == FEW.x_train).all()


# Parts for validation, and what is left out


def named_arrays(few, folder, part):
    np.savez(folder / "a.npz", x_train=few.x_train, y_train=few.y_train,
             **{f"x_{part}": few.x_test, f"y_{part}": few.y_test})  # fmt: skip
    return folder / "a.npz"


def named_folders(few, folder, part):
    return formats.pictures(few, folder, ("train", part))


def named_tables(few, folder, part):
    for name, images, labels in (("train", *few[:2]), (part, *few[2:])):
        np.savetxt(folder / f"{name}.csv", formats.rows(images, labels), "%d", ",")
    return folder


def named_parquet(few, folder, part):
    pytest.importorskip("pyarrow")
    formats.parquet(few, folder)
    (folder / "data").rename(folder / "digits")  # as for several sets in a repository
    tests = folder / "digits" / "test-00000-of-00001.parquet"
    tests.rename(tests.with_name(f"{part}-00000-of-00001.parquet"))
    return folder


WRITERS = [named_arrays, named_folders, named_tables, named_parquet]


@pytest.mark.parametrize("part", ["val", "validation"])
@pytest.mark.parametrize("write", WRITERS)
def test_validation_images_are_the_test_part_of_a_set_without_another(write, part, tmp_path):
    digits = load_digits(write(FEW, tmp_path, part))
    check(digits)
    assert digits.notes == ("the validation part is the test part",)


def test_validation_images_next_to_a_test_part_are_left_out_and_it_is_said(tmp_path):
    arrays = formats.npz(FEW, tmp_path / "a.npz", x_val=FEW.x_test[:5], y_val=FEW.y_test[:5])
    folders = formats.pictures(FEW, tmp_path / "folders")
    formats.pictures(FEW._replace(x_train=FEW.x_test, y_train=FEW.y_test), folders, ("val", "unused"))
    (tmp_path / "tables").mkdir()
    tables = named_tables(FEW, tmp_path / "tables", "test")
    (tables / "valid.csv").write_text("1,2,3,4,5\n")
    (tables / "sample_submission.csv").write_text("ImageId,Label\n1,0\n")
    for data, others in ((arrays, ""), (folders, "'unused/' is"), (tables, "'sample_submission.csv' is")):
        digits = load_digits(data)
        check(digits)
        assert digits.notes == ("the validation part is left out", *([f"{others} left out"] if others else []))


def test_several_folders_with_parquet_files_are_refused(tmp_path):
    formats.pictures(FEW, tmp_path)
    (tmp_path / "train" / "a.parquet").write_bytes(b"PAR1")
    (tmp_path / "test" / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"holds Parquet files in the folders 'test', 'train'; give one of them"):
        load_digits(tmp_path)


# MAT


def test_emnist_mat_stands_upright(tmp_path):
    digits = load_digits(formats.emnist_mat(FEW, tmp_path / "emnist-digits.mat"))
    ordered(digits)
    assert digits.notes == ("rows and columns are swapped in the files, so the images are transposed",)


def test_mat_of_scipy_keeps_the_order_of_rows(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"X": FEW.x_train.reshape(60, -1), "y": FEW.y_train})
    digits = load_digits(tmp_path / "a.mat")
    assert digits.notes == ("there is no test part, so 12 of 60 images are held out for it, always the same",)
    pixels = {image.tobytes() for image in FEW.x_train}
    assert {image.tobytes() for image in digits.train_images} <= pixels


def test_mat_with_the_images_along_the_last_axis(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"data": FEW.x_train.reshape(60, -1).T, "label": FEW.y_train[None]})
    assert {image.tobytes() for image in load_images(tmp_path / "a.mat")} == {i.tobytes() for i in FEW.x_train}
    scipy.io.savemat(tmp_path / "b.mat", {"X": np.moveaxis(FEW.x_train, 0, -1), "y": FEW.y_train[:, None]})
    assert (load_images(tmp_path / "b.mat") == FEW.x_train).all()


def test_mat_of_version_7_3(tmp_path):
    path = tmp_path / "emnist.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, images, labels in (("train", *FEW[:2]), ("test", *FEW[2:])):
            pixels = images.swapaxes(1, 2).reshape(len(images), -1)
            file[f"dataset/{name}/images"], file[f"dataset/{name}/labels"] = pixels.T, labels[None].astype(float)
        file["dataset/mapping"] = np.array([[digit, 48 + digit] for digit in range(10)]).T
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")
    ordered(load_digits(path))


# Parquet


def test_parquet_of_hugging_face(tmp_path):
    pytest.importorskip("pyarrow")
    ordered(load_digits(formats.parquet(FEW, tmp_path)))


def test_parquet_of_pandas(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    for name, images, labels in (("train", *FEW[:2]), ("test", *FEW[2:])):
        table = pandas.DataFrame(formats.rows(images, labels), columns=["label", *(f"pixel{n}" for n in range(784))])
        table.to_parquet(tmp_path / f"{name}.parquet")
        nested = pandas.DataFrame({"image": [image.tolist() for image in images], "label": labels.astype(str)})
        nested.to_parquet(tmp_path / f"{name}.nested")
    ordered(load_digits(tmp_path))
    assert (load_images(tmp_path / "train.nested") == FEW.x_train).all()


def test_parquet_without_pictures_is_refused(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pandas.DataFrame({"name": ["a"], "label": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"has no column of pictures .it has 'name', 'label'."):
        load_digits(tmp_path / "a.parquet")
    pandas.DataFrame({"image": [b"a"], "label": [1]}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(UserError, match=r"Image 0 of .*b.parquet: it is not a picture"):
        load_images(tmp_path / "b.parquet")


# HDF5


def test_own_hdf5_is_memory_mapped(tmp_path):
    digits = load_digits(formats.own_hdf5(FEW, tmp_path / "set.h5"))
    ordered(digits)
    assert isinstance(digits.train_images, np.memmap)
    digits.train_images[0] = 0  # changes the memory and not the file
    ordered(load_digits(tmp_path / "set.h5"))


def test_own_hdf5_without_parts_and_with_many_classes(tmp_path):
    names = [f"class {number}" for number in range(300)]
    images, labels = np.zeros((600, 8, 8), np.uint8), np.arange(600) % 300
    hdf5.write(tmp_path / "set.h5", {"": (images, labels)}, names)
    digits = load_digits(tmp_path / "set.h5")
    assert digits.classes == tuple(names)
    assert digits.train_labels.dtype == np.uint16
    assert sorted([*digits.train_labels, *digits.test_labels]) == sorted(labels)


def test_compressed_hdf5_is_read_too(tmp_path):
    formats.own_hdf5(FEW, tmp_path / "set.h5")
    with h5py.File(tmp_path / "set.h5", "r+") as file:
        del file["train/images"]
        file["train"].create_dataset("images", data=FEW.x_train, compression="gzip")
    ordered(load_digits(tmp_path / "set.h5"))


def test_other_hdf5_with_known_names(tmp_path):
    with h5py.File(tmp_path / "usps.h5", "w") as file:
        for part, images, labels in (("train", *FEW[:2]), ("test", *FEW[2:])):
            file[f"{part}/data"] = images.reshape(len(images), -1) / 255
            file[f"{part}/target"] = labels
    ordered(load_digits(tmp_path / "usps.h5"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.attrs.modify("format_version", 2), "newer format version 2; update fastdigits"),
        (lambda file: file.attrs.create("classes", b'["a"]', dtype="S5"), "has the label 9 but 1 classes"),
        (lambda file: file.attrs.create("classes", b"[]", dtype="S2"), "no list of at most 1,000 different names"),
        (lambda file: file["train"].pop("labels"), "has no labels; pack the set again"),
        (lambda file: file["train"].move("images", "others"), "has no images"),
    ],
)
def test_bad_hdf5_is_refused_in_a_sentence(change, message, tmp_path):
    path = formats.own_hdf5(FEW, tmp_path / "set.h5")
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(UserError, match=message) as refused:
        load_digits(path)
    assert str(path) in str(refused.value)


def test_hdf5_never_opens_other_files(tmp_path):
    formats.own_hdf5(FEW, tmp_path / "other.h5")
    path = formats.own_hdf5(FEW, tmp_path / "set.h5")
    with h5py.File(path, "r+") as file:
        del file["train/images"]
        file["train/images"] = h5py.ExternalLink("other.h5", "train/images")
    with pytest.raises(UserError, match="has no images"):
        load_digits(path)
    with h5py.File(path, "r+") as file:
        del file["train/images"]
        layout = h5py.VirtualLayout((60, 28, 28), "u1")
        layout[:] = h5py.VirtualSource("other.h5", "train/images", (60, 28, 28))
        file["train"].create_virtual_dataset("images", layout)
    with pytest.raises(UserError, match="keeps 'images' in another file"):
        load_digits(path)


# LIBSVM, and what is no data set


def test_libsvm_with_numbers_left_out(tmp_path):
    pytest.importorskip("sklearn")
    digits = load_digits(formats.libsvm(FEW, tmp_path))
    ordered(digits)
    assert digits.notes == ("lines with numbers up to 773 are read as images of 28 x 28 pixels",)


def test_libsvm_without_the_last_rows_of_the_images(tmp_path):
    pytest.importorskip("sklearn")
    few = FEW._replace(x_train=FEW.x_train.copy(), x_test=FEW.x_test.copy())
    for images in (few.x_train, few.x_test):
        images[:, 25:] = 0
    check(load_digits(formats.libsvm(few, tmp_path)), few)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.zip", b"PK\x03\x04", "is an archive; unpack it"),
        ("a.npy", b"\x93NUMPY", "is a single array; save images and labels together"),
        ("mnist.pkl.gz", gzip.compress(b"\x80\x02", mtime=0), "is a pickle of Python, which may run code"),
        ("a.png", b"\x89PNG\r\n", "is a picture; give a folder"),
        ("train-images", b"\0\0\x08\x03", "is one IDX file; give the folder"),
        ("empty", b"", "is empty"),
        ("a.bin", b"\1\2\3\0\4", "is in no known format"),
        ("a.npz", b"PK\x03\x04 damaged", "is damaged or cut short"),
        ("a.mat", b"MATLAB 5.0 MAT-file".ljust(128), "has no images under a name|damaged"),
        ("a.h5", b"\x89HDF\r\n\x1a\n damaged", "is damaged or cut short"),
        ("a.parquet", b"PAR1 damaged", "is damaged or cut short"),
        ("a.csv.gz", gzip.compress(b"1,2,3,4,5\n", mtime=0)[:-5], "damaged gzip"),
        ("a.csv.bz2", bz2.compress(b"1,2,3,4,5\n" * 99)[:-9], "damaged bzip2"),
        ("a.csv.xz", lzma.compress(b"1,2,3,4,5\n" * 99)[:-9], "damaged xz"),
    ],
)
def test_files_that_are_no_data_set_are_refused_in_a_sentence(name, content, message, tmp_path):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as refused:
        load_digits(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_that_holds_no_data_set(tmp_path):
    (tmp_path / "README").write_text("hello")
    with pytest.raises(UserError, match=r"holds no data set; give a folder with the four IDX files"):
        load_digits(tmp_path)


def test_a_thousand_classes_are_the_limit(tmp_path):
    labels = np.arange(1001)
    np.savez(tmp_path / "a.npz", x=np.zeros((1001, 8, 8)), y=labels)
    with pytest.raises(UserError, match="has 1,001 different labels, more than the limit of 1,000"):
        load_digits(tmp_path / "a.npz")


def test_a_part_has_the_same_labels_as_in_the_whole_set(tmp_path):
    names = list("abcdefghij")
    keep = FEW.y_test > 3
    few = FEW._replace(x_test=FEW.x_test[keep], y_test=FEW.y_test[keep])
    folder = formats.pictures(few, tmp_path, names=names)
    part = read_part(folder, "test")
    assert part.classes == tuple(names)
    assert sorted(part.labels) == sorted(few.y_test)


@pytest.mark.parametrize("size", [8, 20, 40, (14, 28)])
def test_images_are_resized_without_distortion(size, tmp_path):
    shape = (size, size) if isinstance(size, int) else size
    digits = load_digits(formats.npz(FEW, tmp_path / "a.npz"), size=size)
    assert digits.train_images.shape == (60, *shape)
    middle = [float((image.sum(0) @ np.arange(image.shape[1])) / image.sum()) for image in digits.train_images]
    expected = [float((image.sum(0) @ np.arange(28)) / image.sum()) for image in FEW.x_train]
    scale = min(shape) / 28
    offset = (shape[1] - 28 * scale) / 2
    assert np.allclose(np.array(middle) - offset, np.array(expected) * scale + (scale - 1) / 2, atol=0.35)
