"""A file with any bit changed has exactly the content that was written, or is refused."""

from dataclasses import asdict, fields, replace
from zlib import crc32

import h5py
import numpy as np
import pytest
from hdf5_files import edited

from fastdigits.config.training import TrainConfig
from fastdigits.data.preprocessing import Normalisation
from fastdigits.data.sources import shipped_folder
from fastdigits.errors import UserError
from fastdigits.nn import Dense, Flatten, Network
from fastdigits.nn.calibration import Calibration
from fastdigits.storage import hdf5, weights
from fastdigits.storage.history import Epoch
from fastdigits.storage.weights import SavedNetwork
from fastdigits.training import checkpoint

BIAS = "weights/dense_1/bias"
EPOCH = Epoch(1, 0.5, 0.8, 0.25, 0.9, 0.01)
PROGRESS = '{"labels": 1, "images": 2, "steps": 3, "total_loss": 0.5, "total_hits": 1.0}'


@pytest.fixture
def saved():
    network = Network([Flatten(), Dense(2)], (1, 2, 2))
    numbers = np.random.default_rng(7)
    values = {name: numbers.standard_normal(p.shape, np.float32) for name, p in network.parameters().items()}
    names = {"model": "m", "dataset": "d", "config": asdict(TrainConfig()), "history": [EPOCH.to_dict()]}
    return SavedNetwork(
        network.config(), values, Normalisation(0.1, 0.3), **names, metrics={}, calibration=Calibration()
    )


@pytest.fixture
def path(tmp_path, saved):
    path = tmp_path / "tiny.h5"
    weights.write(path, saved)
    return path


@pytest.fixture
def checkpoint_path(tmp_path, saved):
    """A checkpoint of invented state."""

    def extend(file):
        hdf5.write_text(file, "progress", PROGRESS)
        hdf5.write_array(file.create_group("state", track_order=True), "memory_1", np.ones(5, "f4"), "f4")
        weights.write_values(file, "best", saved.weights)

    path = tmp_path / "tiny.checkpoint.h5"
    weights.write(path, saved, extend)
    return path


def content_of(read):
    """Return everything in a SavedNetwork or Checkpoint, in a form that == compares to the bit."""
    if isinstance(read, np.ndarray):
        return read.dtype.str, read.shape, read.tobytes()
    if isinstance(read, dict):
        return {name: content_of(value) for name, value in read.items()}
    if isinstance(read, SavedNetwork | checkpoint.Checkpoint):
        return {field.name: content_of(getattr(read, field.name)) for field in fields(read)}
    return read


def check_flips(path, read, places, change):
    """Change one byte at a time; each time the file must have the same content or be refused."""
    written, expected, refused = path.read_bytes(), content_of(read(path)), 0
    for place in places:
        damaged = bytearray(written)
        damaged[place] ^= change(place)
        path.write_bytes(damaged)
        try:
            assert content_of(read(path)) == expected, f"byte {place}"
        except UserError:
            refused += 1
    assert refused >= len(places) / 2  # most bytes matter


def one_bit(place):
    return 1 << place % 8


def test_a_changed_bit_is_noticed(path):
    check_flips(path, weights.read, range(0, path.stat().st_size, 37), one_bit)


def test_a_changed_bit_in_a_checkpoint_is_noticed(checkpoint_path):
    check_flips(checkpoint_path, checkpoint.read, range(0, checkpoint_path.stat().st_size, 61), one_bit)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("change", [one_bit, lambda place: 0xFF, lambda place: 0x20], ids=["bit", "byte", "case"])
def test_every_changed_byte_is_noticed(path, checkpoint_path, change):
    check_flips(path, weights.read, range(path.stat().st_size), change)
    check_flips(checkpoint_path, checkpoint.read, range(checkpoint_path.stat().st_size), change)


def test_every_changed_bit_of_an_array_is_noticed(path, saved):
    """Flip the bits of the two biases: a weight that is a little wrong is the fault that nothing else shows."""
    written, bias = path.read_bytes(), saved.weights["dense_1/bias"].tobytes()
    start = written.index(bias)
    for bit in range(8 * len(bias)):
        damaged = bytearray(written)
        damaged[start + bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="dense_1/bias has changed since it was written"):
            weights.read(path)


def test_a_changed_digit_in_a_long_text_is_noticed(path, saved):
    """HDF5 has no checksum of attributes above 4 kB."""
    weights.write(path, replace(saved, metrics={"long": [number / 7 for number in range(1000)]}))
    written = path.read_bytes()
    for number in (b"0.14285714285714285", b"71.42857142857143", b"142.57142857142858"):
        start = written.index(number)
        for place in (start, start + len(number) - 1):
            damaged = bytearray(written)
            damaged[place] ^= 1
            path.write_bytes(damaged)
            with pytest.raises(UserError, match="its attributes have changed since it was written"):
                weights.read(path)


def test_any_program_can_check_the_checksums(path):
    with h5py.File(path) as file:
        arrays = [file[f"{group}/{name}"] for group in ("weights/dense_1", "history") for name in file[group]]
        for array in arrays:
            assert dict(array.attrs) == {"crc32": crc32(array[()].astype(array.dtype.newbyteorder("<")).tobytes())}
        texts = {name: value for name, value in sorted(file.attrs.items()) if isinstance(value, bytes)}
        assert "architecture" in texts
        joined = b"".join(name.encode() + b"\0" + value + b"\0" for name, value in texts.items())
        assert file.attrs["crc32"] == crc32(joined)


def test_files_without_checksums_load(path, saved):
    with h5py.File(path, "r+") as file:
        del file.attrs["crc32"]
        names = []
        file.visititems(lambda name, found: names.append(name) if isinstance(found, h5py.Dataset) else None)
        for name in names:
            del file[name].attrs["crc32"]
    assert content_of(weights.read(path)) == content_of(saved)


def test_the_shipped_model_loads():
    assert weights.read(shipped_folder() / "models" / "digits.h5").weights


VALUES = [np.int32(5), np.uint64(5), np.float32(5), np.array([5], "u4"), h5py.Empty("u4"), np.uint32(5), "a text"]


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("owner", [BIAS, "/"])
def test_other_checksums_are_refused(path, owner, value):
    with h5py.File(path, "r+") as file:
        file[owner].attrs["crc32"] = value
    with pytest.raises(UserError, match=r"tiny\.h5: .*checksum"):
        weights.read(path)


def test_unknown_attributes_of_an_array_are_refused(path):
    with h5py.File(path, "r+") as file:
        file[BIAS].attrs["sha256"] = "0" * 64
    with pytest.raises(UserError, match="dense_1/bias has attributes that are unknown"):
        weights.read(path)


def test_an_added_text_is_refused(path):
    with h5py.File(path, "r+") as file:
        hdf5.write_text(file, "sha256", "0" * 64)
    with pytest.raises(UserError, match="its attributes have changed since it was written"):
        weights.read(path)


def test_a_big_endian_array_has_the_same_checksum(path, saved):
    with h5py.File(path, "r+") as file:
        checksum = file[BIAS].attrs["crc32"]
        del file[BIAS]
        file.create_dataset(BIAS, data=saved.weights["dense_1/bias"], dtype=">f4").attrs["crc32"] = checksum
    assert content_of(weights.read(path)) == content_of(saved)


@pytest.mark.parametrize("name", ["state/memory_1", "best/dense_1/bias"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_checkpoint_with_nan_is_refused(checkpoint_path, name, value):
    with edited(checkpoint_path) as file:
        file[name][0] = value
        del file[name].attrs["crc32"]
    with pytest.raises(UserError, match=f"its /{name} holds NaN or infinity"):
        checkpoint.read(checkpoint_path)
