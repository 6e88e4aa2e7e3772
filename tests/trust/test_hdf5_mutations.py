"""Any weights file and any checkpoint is read, or refused in one sentence.

Mutants of their bytes are tried, also of files as HDF5 wrote them before it had checksums, and mutants of their
structure, whose checksums are right so that the checks behind them are reached: attributes of other types and shapes,
missing groups, links, arrays that are packed, virtual or in other files, and odd values in JSON.
By default some hundred mutants are tried, with -m long 12,000 for each reader.
"""

import json
import random
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from io import BytesIO

import h5py
import numpy as np
import pytest
from mutations import answer, changed_bytes, changed_json, counts, memory_below

from fastdigits.config.training import TrainConfig
from fastdigits.data.preprocessing import Normalisation
from fastdigits.errors import UserError
from fastdigits.nn import BatchNorm, Conv2D, Dense, Flatten, Network, Residual
from fastdigits.nn.calibration import Calibration
from fastdigits.storage import hdf5, weights
from fastdigits.storage.history import Epoch
from fastdigits.storage.weights import SavedNetwork, Start
from fastdigits.training import checkpoint

EPOCHS = [Epoch(1, 0.5, 0.8, 0.25, 0.9, 0.01), Epoch(2, 0.4, 0.9, None, None, 0.01)]
PROGRESS = {"labels": 1, "images": 2, "steps": 3, "total_loss": 0.5, "total_hits": 1.0}
MEMORY = 50 * 2**20  # a file has 20 kB


def network_to_save():
    network = Network([Conv2D(2, 2), Residual([BatchNorm()]), Flatten(), Dense(2)], (1, 3, 3))
    values = {name: np.full(array.shape, 0.5, "f4") for name, array in network.state().items()}
    return SavedNetwork(
        network=network.config(),
        weights=values,
        normalisation=Normalisation(0.1, 0.3),
        model="m",
        dataset="d",
        config=asdict(TrainConfig(augment="shift=2")),
        history=[epoch.to_dict() for epoch in EPOCHS],
        metrics={"test": {"images": 10, "loss": 0.5}, "names": ["a", None]},
        calibration=Calibration(),
        start=Start("old.h5", "0" * 64),
    )


def written(folder, extend=lambda file: None):
    weights.write(folder / "written.h5", network_to_save(), extend)
    return (folder / "written.h5").read_bytes()


def add_state(file):
    hdf5.write_text(file, "progress", json.dumps(PROGRESS))
    hdf5.write_array(file.create_group("state", track_order=True), "memory_1", np.ones(5, "f4"), "f4")
    weights.write_values(file, "best", network_to_save().weights)


def in_old_format(content):
    """Copy a file to the structures of HDF5 1.0, which have no checksums, and leave out those of texts."""
    image = BytesIO()
    with h5py.File(BytesIO(content)) as file, h5py.File(image, "w", libver="earliest") as old:
        for name in file:
            file.copy(name, old)
        for name in file.attrs.keys() - {"crc32"}:
            old.attrs.create(name, file.attrs[name], dtype=file.attrs.get_id(name).dtype)
    return image.getvalue()


@pytest.fixture(params=["weights", "checkpoint"])
def content(request, tmp_path):
    return written(tmp_path) if request.param == "weights" else written(tmp_path, add_state)


@pytest.fixture
def read(content):
    """read(path) uses a file in every way that a user may; what was read can be written again."""
    is_checkpoint = b"progress" in content

    def read(path):
        checkpoint.is_checkpoint(path)
        saved = checkpoint.read(path).saved if is_checkpoint else weights.read(path)
        weights.write(path, saved)
        return saved

    return read


def readings(path, read, mutants):
    """Read each mutant; return how many are accepted."""
    accepted = 0
    with memory_below(MEMORY):
        for mutant in mutants:
            path.write_bytes(mutant)
            accepted += not isinstance(answer(partial(read, path)), UserError)
    return accepted


@pytest.fixture
def no_disk(monkeypatch):
    """Do not wait for the disk."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.mark.usefixtures("no_disk")
@pytest.mark.parametrize("count", counts(80, 4_000))
@pytest.mark.parametrize("version", [bytes, in_old_format], ids=["checksums", "no checksums"])
def test_changed_bytes(content, read, version, count, tmp_path):
    seed, chance = version(content), random.Random("bytes")
    mutants = (changed_bytes(seed, chance, [content, seed]) for _ in range(count))
    assert readings(tmp_path / "file.h5", read, mutants) < count


def members(file):
    """Return the names of all groups and arrays below the root."""
    names = []
    file.visit(names.append)
    return names


def odd_attributes(file):
    """Return values of all kinds that an attribute may have."""
    return [
        *(np.bytes_(text) for text in (b"", b"{}", b"[1]", b"null", b"\xff\xfe", b"1", b"fastdigits", b"a\0b")),
        *("text", 0, 1, -1, 2, 1.5, True, np.uint64(2**64 - 1), np.int64(-(2**63)), np.float32(np.nan)),
        *(np.array([1, 2]), np.array([b"a", b"b"]), np.zeros((), [("x", "f4")]), np.zeros(0), np.zeros((1, 1), "u4")),
        *(h5py.Empty("S1"), h5py.Empty("f4"), file.ref, np.void(b"\0\1"), np.uint32(5), np.dtype(">u4").type(7)),
    ]


def change_attribute(file, chance):
    """Replace, add or remove an attribute of the root, a group or an array."""
    owner = chance.choice([file, file, file[chance.choice(members(file))]])
    name = chance.choice([*owner.attrs, "crc32", "extra"])
    if chance.randrange(5) == 0:
        owner.attrs.pop(name, None)
    else:
        owner.attrs[name] = chance.choice(odd_attributes(file))


def change_text(file, chance):
    """Change the JSON of an attribute."""
    texts = {name: value for name, value in file.attrs.items() if isinstance(value, bytes) and value[:1] == b"{"}
    name, value = chance.choice(list(texts.items()))
    del file.attrs[name]
    hdf5.write_text(file, name, json.dumps(changed_json(json.loads(value), chance)))


def odd_numbers(chance, shape):
    """Return an array, often of the shape that is expected, of odd numbers."""
    value = chance.choice([0, 1, 2.5, -1, 1e30, 1e-40, np.nan, np.inf, -np.inf])
    return np.full(chance.choice([shape] * 4 + [(), (1,), (0,), (*shape, 1), (2, 3), (1,) * 32]), value)


def virtual(file, name):
    layout = h5py.VirtualLayout((10,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (10,))
    file.create_virtual_dataset(name, layout)


def change_member(file, chance):
    """Remove a group or an array, or put something else in its place."""
    name = chance.choice(members(file))
    shape = getattr(file[name], "shape", (2,))
    other = chance.choice(["/", *members(file)])
    target = file[other]
    parent, _, last = name.rpartition("/")
    numbers, kind = odd_numbers(chance, shape), chance.choice(["f4", "f8", "f2", "i4", "u1", ">f4", ">f8", "c8", "S4"])
    del file[name]
    group = file.require_group(parent or "/")
    with np.errstate(all="ignore"):
        numbers_of_kind = numbers.astype("f4").astype("f8").astype(chance.choice(["f4", "f8"]))
    ways = [
        lambda: None,
        lambda: hdf5.write_array(group, last, numbers_of_kind, numbers_of_kind.dtype.str[1:]),
        lambda: hdf5.write_array(group, last, numbers_of_kind, numbers_of_kind.dtype.str[1:]),
        lambda: file.create_dataset(name, shape, kind),
        lambda: file.create_dataset(name, data=h5py.Empty(kind)),
        lambda: file.create_dataset(name, (10**12, 3), kind),
        lambda: file.create_dataset(name, (4, 4), "f4", chunks=(2, 2), compression="gzip"),
        lambda: file.create_dataset(name, (2,), "f4", maxshape=(None,)),
        lambda: file.create_dataset(name, (10,), "f4", external=[("other.bin", 0, 40)]),
        lambda: file.create_dataset(name, data=["a"], dtype=h5py.string_dtype()),
        lambda: virtual(file, name),
        lambda: file.create_group(name),
        lambda: file.create_group(name.encode() + b"/nested/\xff"),
        lambda: file.__setitem__(name, target),  # maybe a group within itself
        lambda: file.__setitem__(name, np.dtype("f4")),
        lambda: file.__setitem__(name, h5py.SoftLink(chance.choice([other, "nowhere", name]))),
        lambda: file.__setitem__(name, h5py.ExternalLink("other.h5", "x")),
        lambda: file.__setitem__(f"{parent}/{chance.choice(['', 'x', 'é', 'x' * 1000])}0", h5py.SoftLink(other)),
    ]
    chance.choice(ways)()


def changed_structure(content, chance):
    """Change one or two things in a file and write the checksum of its texts again."""
    image = BytesIO(content)
    with h5py.File(image, "r+") as file:
        for _ in range(chance.choice((1, 1, 1, 2))):
            change = chance.choice([change_attribute, change_text, change_text, change_member, change_member])
            with suppress(LookupError, OSError, RuntimeError, TypeError, ValueError):  # HDF5 may refuse a change
                change(file, chance)
        if chance.randrange(8):
            hdf5.write_texts_checksum(file)
    return image.getvalue()


@pytest.mark.usefixtures("no_disk")
@pytest.mark.parametrize("count", counts(60, 4_000))
def test_changed_structures(content, read, count, tmp_path):
    chance = random.Random("structure")
    mutants = (changed_structure(content, chance) for _ in range(count))
    assert 0 < readings(tmp_path / "file.h5", read, mutants) < count


@pytest.mark.usefixtures("no_disk")
@pytest.mark.parametrize("name", ["optimizer", "augment", "schedule"])
def test_settings_whose_messages_were_long(content, read, name, tmp_path):
    path = tmp_path / "file.h5"
    path.write_bytes(content)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["config"]) | {name: "x" * 10_000}
        hdf5.write_text(file, "config", json.dumps(config))
        hdf5.write_texts_checksum(file)
    assert isinstance(answer(partial(read, path)), UserError)
