import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from fastdigits.data import read_images, read_labels
from fastdigits.data.formats.idx import read_image_sizes
from fastdigits.data.sources import shipped_folder
from fastdigits.errors import UserError

# Two images of 2 x 3 pixels, and the labels 7 and 2.
IMAGES = bytes.fromhex("00000803 00000002 00000002 00000003 000102 030405 0a0b0c 0d0eff")
LABELS = bytes.fromhex("00000801 00000002 07 02")


@pytest.fixture
def write(tmp_path):
    def write(content: bytes, name: str = "file"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def test_images_of_a_tiny_file(write):
    images = read_images(write(IMAGES))
    assert images.dtype == np.uint8
    assert images.tolist() == [[[0, 1, 2], [3, 4, 5]], [[10, 11, 12], [13, 14, 255]]]


def test_labels_of_a_tiny_file(write):
    labels = read_labels(write(LABELS))
    assert labels.dtype == np.uint8
    assert labels.tolist() == [7, 2]


def test_arrays_can_be_written_to(write):
    assert read_images(write(IMAGES)).flags.writeable
    assert read_labels(write(LABELS)).flags.writeable


def test_gzip_is_recognized_by_content_not_by_name(write):
    assert read_labels(write(gzip.compress(LABELS), "packed-without-suffix")).tolist() == [7, 2]
    assert read_labels(write(LABELS, "plain.gz")).tolist() == [7, 2]


def test_gzip_in_several_members(write):
    path = write(gzip.compress(LABELS[:7]) + gzip.compress(LABELS[7:]))
    assert read_labels(path).tolist() == [7, 2]


def test_path_may_be_a_string(write):
    assert read_labels(str(write(LABELS))).tolist() == [7, 2]


def test_sizes_come_from_the_header_alone(write):
    assert read_image_sizes(write(IMAGES[:16])) == (2, 2, 3)


def test_shipped_training_set():
    images = read_images(shipped_folder() / "train-images-idx3-ubyte.gz")
    labels = read_labels(shipped_folder() / "train-labels-idx1-ubyte.gz")
    assert images.shape == (60000, 28, 28)
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert images.mean() == pytest.approx(33.3184, abs=1e-4)  # 0.1307 * 255, the mean of MNIST in the literature


def test_shipped_test_set():
    images = read_images(shipped_folder() / "t10k-images-idx3-ubyte.gz")
    labels = read_labels(shipped_folder() / "t10k-labels-idx1-ubyte.gz")
    assert images.shape == (10000, 28, 28)
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", r"not an IDX file \(it begins with nothing", id="nothing"),
        pytest.param(b"\x89PNG\r\n\x1a\n", r"not an IDX file \(it begins with 89 50 4e 47", id="picture"),
        pytest.param(gzip.compress(b"hello"), "not an IDX file", id="packed text"),
        pytest.param(b"\0\0\x0a\x03" + IMAGES[4:], "type 0x0a, which IDX does not know", id="no such type"),
        pytest.param(LABELS, "1-dimensional instead of 3-dimensional.*swapped", id="labels"),
        pytest.param(IMAGES[:9], "cut short in its header", id="half a header"),
        pytest.param(IMAGES[:16], r"holds 0 of the 12 bytes \(2 x 2 x 3\)", id="header alone"),
        pytest.param(IMAGES[:-1], "holds 11 of the 12 bytes", id="one byte too few"),
        pytest.param(IMAGES + b"\0", "more than the 12 bytes", id="one byte too many"),
        pytest.param(gzip.compress(IMAGES[:-1]), "holds 11 of the 12 bytes", id="one byte too few, packed"),
        pytest.param(gzip.compress(IMAGES + b"\0"), "more than the 12 bytes", id="one byte too many, packed"),
        pytest.param(gzip.compress(IMAGES)[:5], "damaged gzip", id="gzip cut in its header"),
        pytest.param(gzip.compress(IMAGES)[:20], "damaged gzip", id="gzip cut in the middle"),
        pytest.param(gzip.compress(IMAGES)[:-6], "damaged gzip", id="gzip cut in its checksum"),
        pytest.param(gzip.compress(IMAGES) + b"more", "damaged gzip", id="gzip with an appendix"),
        pytest.param(
            struct.pack(">4I", 0x803, 0, 28, 28), r"empty \(0 x 28 x 28 values\).*at least one", id="no image"
        ),
        pytest.param(struct.pack(">4I", 0x803, 9, 0, 28), r"empty \(9 x 0 x 28 values", id="no pixel"),
        pytest.param(
            struct.pack(">4I", 0x803, 2**32 - 1, 28, 28), "more than 100 times its own size", id="absurd number"
        ),
        pytest.param(gzip.compress(struct.pack(">4I", 0x803, *[2**32 - 1] * 3)), "more than 100", id="absurd, packed"),
    ],
)
def test_bad_images_are_one_sentence(write, content, message):
    path = write(content)
    with pytest.raises(UserError, match=message) as failure:
        read_images(path)
    assert str(failure.value).startswith(str(path))
    assert str(failure.value).endswith(".")
    assert "\n" not in str(failure.value)


def test_flipped_bit_in_gzip(write):
    packed = bytearray(gzip.compress(IMAGES))
    packed[-5] ^= 1  # the last byte of the checksum
    with pytest.raises(UserError, match=r"damaged gzip \(CRC check failed"):
        read_images(write(packed))


def test_images_given_as_labels(write):
    with pytest.raises(UserError, match="3-dimensional instead of 1-dimensional"):
        read_labels(write(IMAGES))


def test_labels_may_be_any_numbers(write):
    assert read_labels(write(LABELS[:-1] + b"\xc8")).tolist() == [7, 200]
    assert read_labels(write(b"\0\0\x0c\1\0\0\0\1\xff\xff\xff\xfe")).tolist() == [-2]
    assert read_labels(write(b"\0\0\x0c\2\0\0\0\2\0\0\0\2" + bytes(range(16)))).tolist() == [0x10203, 0x8090A0B]


@pytest.mark.parametrize(
    ("code", "dtype"), [(0x08, ">u1"), (0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")]
)
def test_every_type_is_read_in_the_order_of_the_machine(write, code, dtype):
    values = np.arange(12).reshape(2, 2, 3).astype(dtype)
    images = read_images(write(bytes([0, 0, code, 3]) + IMAGES[4:16] + values.tobytes()))
    assert images.dtype == np.dtype(dtype).newbyteorder("=")
    assert images.tolist() == values.tolist()


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"absent cannot be read \(No such file"):
        read_images(tmp_path / "absent")


def test_folder_instead_of_a_file(tmp_path):
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory"):
        read_images(tmp_path)


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        pytest.param(10, "more than the 10 bytes", id="bomb behind a modest header"),
        pytest.param(255 << 20, "holds 16777216 of", id="greedy header"),
        pytest.param(1 << 30, "more than 100 times its own size", id="impossible header"),
    ],
)
def test_memory_follows_neither_bomb_nor_header(write, claim, message):
    there = bytes(16 << 20)
    path = write(gzip.compress(struct.pack(">2I", 0x801, claim) + there, compresslevel=1))
    tracemalloc.start()
    with pytest.raises(UserError, match=message):
        read_labels(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (4 << 20) + 3 * min(claim, len(there))
