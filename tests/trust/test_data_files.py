"""Damaged files of data sets, in every format, are read or refused in one sentence, and take little memory."""

import gzip
import io
import random
import struct
import zipfile
import zlib
from functools import partial

import formats
import numpy as np
import pytest
from mutations import answer, changed_bytes, counts, memory_below

from fastdigits.data import load_digits, load_images
from fastdigits.errors import UserError

FEW = formats.few_digits(20, 10)
TINY = FEW._replace(x_train=FEW.x_train[:, ::4, ::4].copy(), x_test=FEW.x_test[:, ::4, ::4].copy())


def seeds(folder, kind):
    """Return the name of a file, and contents that are data sets."""
    if kind == "npz":
        return "set.npz", [formats.npz(TINY, folder / f"{save.__name__}.npz", save).read_bytes() for save in (
            np.savez, np.savez_compressed)]  # fmt: skip
    if kind == "mat":
        return "set.mat", [formats.emnist_mat(FEW, folder / "emnist.mat").read_bytes()]
    if kind == "hdf5":
        return "set.h5", [formats.own_hdf5(TINY, folder / "own.h5").read_bytes()]
    if kind == "parquet":
        pytest.importorskip("pyarrow")
        return "set.parquet", [path.read_bytes() for path in (formats.parquet(FEW, folder) / "data").iterdir()]
    content = (formats.label_first(TINY, folder) / "mnist_train.csv").read_bytes()
    return "set.csv", [content, gzip.compress(content)]


def read(path):
    digits = load_digits(path)
    assert digits.train_images.dtype == digits.test_images.dtype == np.uint8
    assert digits.train_images.ndim == 3
    assert digits.train_labels.max() < len(digits.classes)
    return digits


@pytest.mark.parametrize("count", counts(60, 3000))
@pytest.mark.parametrize("kind", ["csv", "npz", "mat", "hdf5", "parquet"])
def test_mutated_data_files(kind, count, tmp_path):
    (tmp_path / "seeds").mkdir()
    name, contents = seeds(tmp_path / "seeds", kind)
    path, chance, refused = tmp_path / name, random.Random(kind), 0
    for content in contents:
        path.write_bytes(content)
        read(path)
    with memory_below(300 * 2**20):
        for number in range(count):
            path.write_bytes(changed_bytes(contents[number % len(contents)], chance, contents))
            refused += isinstance(answer(partial(read, path)), UserError)
    assert refused


@pytest.mark.parametrize("kind", ["csv", "npz", "mat", "hdf5", "parquet"])
def test_files_that_are_cut_short(kind, tmp_path):
    (tmp_path / "seeds").mkdir()
    name, contents = seeds(tmp_path / "seeds", kind)
    for content in contents:
        for length in (1, 7, 100, len(content) // 2, len(content) - 9):
            (tmp_path / name).write_bytes(content[:length])
            found = answer(partial(read, tmp_path / name))
            assert kind == "csv" or isinstance(found, UserError)


def bomb_npz(path):
    """An archive of 300 kB with an array of 300 MB."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (2**18, 34, 34)})
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("x.npy", "w") as member,
    ):
        member.write(header.getvalue())
        for _ in range(300):
            member.write(bytes(2**20))


def bomb_csv(path):
    """A line of 64 MB without an end, packed."""
    with gzip.open(path, "wb", 1) as file:
        for _ in range(64):
            file.write(b"0," * 2**19)


def bomb_idx(path):
    """A header that announces 1 GB."""
    path.mkdir()
    with gzip.open(path / "train-images-idx3-ubyte.gz", "wb", 1) as file:
        file.write(struct.pack(">4I", 0x803, 2**20, 32, 32) + bytes(2**20))
    (path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(struct.pack(">2I", 0x801, 2**20) + bytes(2**20)))


def bomb_mat(path):
    """A compressed element of 300 MB."""
    packer = zlib.compressobj(1)
    content = b"".join(packer.compress(bytes(2**20)) for _ in range(300)) + packer.flush()
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    path.write_bytes(head + struct.pack("<II", 15, len(content)) + content)


def bomb_picture(path):
    """A picture of 100 million pixels."""
    from PIL import Image

    (path / "a").mkdir(parents=True)
    Image.new("1", (10_000, 10_000)).save(path / "a" / "big.png")


def bomb_hdf5(path):
    """Compressed images of 300 MB in a small file."""
    import h5py

    formats.own_hdf5(TINY, path)
    with h5py.File(path, "r+") as file:
        del file["train/images"], file["train/labels"]
        shape = 2**19, 24, 24
        file["train"].create_dataset("images", shape, "u1", chunks=(1024, 24, 24), compression="gzip")
        file["train"].create_dataset("labels", (2**19,), "u1", chunks=(1024,), compression="gzip")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("set.npz", bomb_npz),
        ("set.csv.gz", bomb_csv),
        ("folder", bomb_idx),
        ("set.mat", bomb_mat),
        ("pictures", bomb_picture),
        ("set.h5", bomb_hdf5),
    ],
)
def test_bombs_are_refused_in_little_memory(name, make, tmp_path):
    make(tmp_path / name)
    with memory_below(120 * 2**20):
        refused = answer(partial(load_images, tmp_path / name))
    assert isinstance(refused, UserError)
    assert str(tmp_path) in str(refused)
