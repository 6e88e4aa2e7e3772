"""Write data sets in many formats, with the tools that people use for them."""

import gzip
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.io
from PIL import Image

from fastdigits.data import load_part
from fastdigits.data.formats import hdf5


class Few(NamedTuple):
    """A few images of MNIST: enough of each class, and of 28 x 28 pixels."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def few_digits(train: int = 60, test: int = 25) -> Few:
    """Return images of all ten classes."""
    images, labels = load_part("mnist", "test")
    return Few(images[:train], labels[:train], images[train : train + test], labels[train : train + test])


def idx(few: Few, folder: Path, names=("train", "t10k"), dotted=False, packed=False, dtype=np.uint8, scale=1.0):
    import idx2numpy

    for prefix, images, labels in zip(names, few[::2], few[1::2], strict=True):
        for kind, values in (("images-idx3-ubyte", (images * scale).astype(dtype)), ("labels-idx1-ubyte", labels)):
            name = f"{prefix}-{kind}".replace("-idx", ".idx") if dotted else f"{prefix}-{kind}"
            content = idx2numpy.convert_to_string(values)
            (folder / f"{name}{'.gz' * packed}").write_bytes(gzip.compress(content) if packed else content)
    return folder


def pictures(few: Few, folder: Path, parts=("train", "test"), names="0123456789", suffix=".png", **options):
    for part, images, labels in zip(parts, few[::2], few[1::2], strict=True):
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = folder / part / names[label]
            path.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path / f"{number:05}{suffix}", **options)
    return folder


def rows(images: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    flat = images.reshape(len(images), -1)
    return flat if labels is None else np.column_stack([labels, flat])


def kaggle(few: Few, folder: Path):
    """Kaggle's digit recognizer: train.csv with a header, and test.csv without labels."""
    import pandas

    pixels = [f"pixel{number}" for number in range(784)]
    pandas.DataFrame(rows(few.x_train, few.y_train), columns=["label", *pixels]).to_csv(
        folder / "train.csv", index=False
    )
    pandas.DataFrame(rows(few.x_test, None), columns=pixels).to_csv(folder / "test.csv", index=False)
    return folder


def label_first(few: Few, folder: Path, suffix=".csv", **options):
    """The MNIST CSV whose first column is the label, without a header."""
    for name, images, labels in (("mnist_train", *few[:2]), ("mnist_test", *few[2:])):
        np.savetxt(folder / f"{name}{suffix}", rows(images, labels), **{"fmt": "%d", "delimiter": ","} | options)
    return folder


def npz(few: Few, path: Path, save=np.savez, **changed):
    save(path, **few._asdict() | changed)
    return path


def emnist_mat(few: Few, path: Path):
    """A file as that of EMNIST: pixels column by column, in nested structures, with a mapping to ASCII codes."""

    def part(images, labels):
        return {"images": images.swapaxes(1, 2).reshape(len(images), -1), "labels": labels[:, None].astype(float)}

    mapping = np.array([[digit, ord(str(digit))] for digit in range(10)])
    content = {"train": part(*few[:2]), "test": part(*few[2:]), "mapping": mapping}
    scipy.io.savemat(path, {"dataset": content}, do_compression=True)
    return path


def parquet(few: Few, folder: Path):
    """Files as on Hugging Face: encoded pictures, and the names of the classes as metadata."""
    from io import BytesIO

    import pyarrow
    import pyarrow.parquet

    def encoded(image):
        file = BytesIO()
        Image.fromarray(image).save(file, "PNG")
        return {"bytes": file.getvalue(), "path": None}

    label = {"names": list("0123456789"), "_type": "ClassLabel"}
    metadata = {"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}, "label": label}}})}
    (folder / "data").mkdir()
    for name, images, labels in (("train", *few[:2]), ("test", *few[2:])):
        table = pyarrow.table({"image": [encoded(image) for image in images], "label": labels.astype(np.int64)})
        path = folder / "data" / f"{name}-00000-of-00001.parquet"
        pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), path)
    return folder


def own_hdf5(few: Few, path: Path):
    hdf5.write(path, {"train": few[:2], "test": few[2:]}, "0123456789")
    return path


def libsvm(few: Few, folder: Path):
    from sklearn.datasets import dump_svmlight_file

    for name, images, labels in (("digits", *few[:2]), ("digits.t", *few[2:])):
        dump_svmlight_file(rows(images, None).astype(float), labels, str(folder / name), zero_based=False)
    return folder
