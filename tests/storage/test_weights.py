import errno
import hashlib
import json
import os
import random
import stat
from contextlib import contextmanager
from dataclasses import asdict, replace

import h5py
import numpy as np
import pytest
from hdf5_files import edited

from fastdigits.config.training import TrainConfig
from fastdigits.data.placement import AS_MNIST
from fastdigits.data.preprocessing import UNPREPARED, Normalisation, Preparation
from fastdigits.errors import UserError
from fastdigits.nn import BatchNorm, Conv2D, Dense, Flatten, MaxPool2D, Network, ReLU, Residual
from fastdigits.nn.calibration import Calibration
from fastdigits.nn.sequence_network import SequenceNetwork
from fastdigits.ops import load
from fastdigits.storage import weights
from fastdigits.storage.history import Epoch

NAMES = ["conv2d_1/weight", "conv2d_1/bias", "dense_1/weight", "dense_1/bias"]
EPOCHS = [Epoch(1, 0.5, 0.8, 0.25, 0.9, 0.01, 2.0, 3e4), Epoch(2, 0.1, 0.95, None, None, 0.001, 1.5, 4e4)]


@pytest.fixture
def saved():
    network = Network([Conv2D(2, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(10)])
    numbers = np.random.default_rng(7)
    return weights.SavedNetwork(
        network=network.config(),
        weights={
            name: numbers.standard_normal(parameter.shape, np.float32)
            for name, parameter in network.parameters().items()
        },
        normalisation=Normalisation(0.1307, 0.3081, Preparation(pad=2, contrast=4.0, gamma=0.7)),
        model="cnn",
        dataset="mnist",
        config=asdict(TrainConfig(lr=0.01, seed=3)),
        history=[epoch.to_dict() for epoch in EPOCHS],
        metrics={"test_accuracy": 0.99, "test_loss": 0.03, "seconds": {"train": 1.5}},
    )


@pytest.fixture
def path(tmp_path, saved):
    path = tmp_path / "weights.h5"
    weights.write(path, saved)
    return path


def test_a_network_that_reads_lines_is_kept_apart(tmp_path, saved):
    network = SequenceNetwork([Conv2D(3, 28)], (1, 28, 28), "01")
    network.build(load("reference"), 1)
    network.initialise(0)
    path = tmp_path / "lines.h5"
    weights.write(path, replace(saved, network=network.config(), weights=network.weights()))
    read = weights.read(path)
    assert SequenceNetwork.from_config(read.network).config() == network.config()
    assert np.array_equal(read.weights["conv2d_1/weight"], network.weights()["conv2d_1/weight"])
    with pytest.raises(UserError, match="reads lines of symbols"):
        read.built(load("reference"), 1)


@contextmanager
def refused(path, message):
    """Check that the block raises one sentence that has the name of the file and `message`."""
    with pytest.raises(UserError, match=message) as caught:
        yield
    said = str(caught.value)
    assert str(path) in said
    assert said.endswith(".")
    assert said.isprintable()


# Round trips and the content of the file


def test_round_trip(path, saved):
    found = weights.read(path)
    assert list(found.weights) == NAMES
    for name in NAMES:
        assert found.weights[name].dtype == np.float32
        assert found.weights[name].tobytes() == saved.weights[name].tobytes()
    for field in ("network", "normalisation", "model", "dataset", "config", "history", "metrics"):
        assert getattr(found, field) == getattr(saved, field)


def test_older_files_have_no_preparation(path):
    with edited(path) as file:
        attribute("preprocessing", '{"mean": 0.1307, "std": 0.3081}')(file)
        config = json.loads(file.attrs["config"])
        for name in ("pad", "contrast", "gamma", "binarize", "normalise", "augment"):
            del config[name]
        attribute("config", json.dumps(config))(file)
    found = weights.read(path)
    assert found.normalisation == Normalisation(0.1307, 0.3081, UNPREPARED)
    assert TrainConfig(**found.config).preparation == UNPREPARED
    assert not any(TrainConfig(**found.config).effects)


def test_older_files_do_not_know_how_the_digits_lie(path):
    with edited(path) as file:
        attribute("preprocessing", '{"mean": 0.1307, "std": 0.3081, "preparation": {"pad": 1}}')(file)
    assert weights.read(path).normalisation == Normalisation(0.1307, 0.3081, Preparation(pad=1, invert=False))
    assert Preparation().placement == AS_MNIST


def test_how_the_data_set_was_read_is_kept(path, saved):
    assert weights.read(path).reading == weights.read(path).replay_reading == {}
    reading, replay_reading = {"size": (28, 20), "value_range": (1.0, 0.25), "transpose": False}, {"size": (28, 28)}
    weights.write(path, replace(saved, reading=reading, replay_reading=replay_reading))
    found = weights.read(path)
    assert (found.reading, found.replay_reading) == (reading, replay_reading)


@pytest.mark.parametrize("name", ["reading", "replay_reading"])
@pytest.mark.parametrize(
    "text",
    [
        *('{"size": 28}', '{"size": [28, 28, 28]}', '{"size": [28, 0]}', '{"size": [28, true]}', '{"size": "28"}'),
        *('{"value_range": [0, 0]}', '{"value_range": [0, 1e999]}', '{"value_range": [0]}', '{"transpose": [true]}'),
        *('{"transpose": 1}', '{"other": 1}', f'{{"value_range": [0, {10**400}]}}', "[]"),
    ],
)
def test_a_damaged_reading_is_refused(path, saved, text, name):
    with edited(path) as file:
        attribute(name, text)(file)
    with pytest.raises(UserError):
        weights.read(path)


def test_the_file_that_training_started_from_is_kept_without_its_folder(path, saved, tmp_path):
    assert weights.read(path).start is None
    (tmp_path / "old.h5").write_bytes(b"some content")
    start = weights.Start.of(tmp_path / "old.h5")
    assert start == weights.Start("old.h5", hashlib.sha256(b"some content").hexdigest())
    weights.write(path, replace(saved, start=start))
    assert weights.read(path).start == start
    assert str(tmp_path).encode() not in path.read_bytes()


@pytest.mark.parametrize("text", ["{}", '{"file": "a.h5", "sha256": "0"}', '{"file": 1, "sha256": "%s"}' % ("0" * 64)])
def test_a_damaged_start_is_refused(path, text):
    with edited(path) as file:
        attribute("start", text)(file)
    with refused(path, "its start needs the name of a file and its SHA-256"):
        weights.read(path)


def test_an_optional_calibration_is_kept(path, saved):
    assert weights.read(path).calibration is None
    weights.write(path, replace(saved, calibration=Calibration(1.5, 0.8)))
    assert weights.read(path).calibration == Calibration(1.5, 0.8)


@pytest.mark.parametrize("text", ['{"temperature": 0}', '{"temperature": NaN}', '{"temperature": "1"}', '{"heat": 1}'])
def test_a_damaged_calibration_is_refused(path, text):
    with edited(path) as file:
        attribute("calibration", text)(file)
    with refused(path, "its calibration is unknown or out of range"):
        weights.read(path)


@pytest.fixture
def normalised(saved):
    """A network with running statistics, some of them in a nested layer."""
    block = Residual([Conv2D(2, 1), BatchNorm()])
    network = Network([Conv2D(2, 3), BatchNorm(), block, Flatten(), Dense(10)])
    values = {name: np.full(array.shape, 0.5, "f4") for name, array in network.state().items()}
    return replace(saved, network=network.config(), weights=values)


def test_running_statistics_are_kept(tmp_path, normalised):
    weights.write(tmp_path / "n.h5", normalised)
    found = weights.read(tmp_path / "n.h5").weights
    assert {name: value.tobytes() for name, value in found.items()} == {
        name: value.tobytes() for name, value in normalised.weights.items()
    }
    with h5py.File(tmp_path / "n.h5") as file:
        assert set(file["weights/batchnorm_1"]) == {"gamma", "beta", "running_mean", "running_var"}
        assert "batchnorm_1.running_var" in file["weights/residual_1"]


@pytest.mark.parametrize("name", ["batchnorm_1/running_var", "residual_1/batchnorm_1.running_var"])
def test_a_variance_below_0_is_refused(tmp_path, normalised, name):
    normalised.weights[name][1] = -0.5
    with refused(tmp_path / "n.h5", "hold a variance below 0"):
        weights.write(tmp_path / "n.h5", normalised)


def test_history_is_made_of_epochs(path):
    history = weights.read(path).history
    assert [Epoch(**epoch).to_dict() for epoch in history] == [epoch.to_dict() for epoch in EPOCHS]
    assert type(history[0]["epoch"]) is int


def test_a_file_from_before_the_learning_rate_was_kept(path):
    with edited(path) as file:
        del file["history/learning_rate"]
    history = [Epoch(**epoch) for epoch in weights.read(path).history]
    assert history == [replace(Epoch(**epoch.to_dict()), learning_rate=None) for epoch in EPOCHS]


def test_no_history(path, saved):
    weights.write(path, replace(saved, history=[]))
    assert weights.read(path).history == []


def test_any_hdf5_reader_finds_its_way(path, saved):
    with h5py.File(path) as file:
        assert file.attrs["format"] == b"fastdigits"
        assert file.attrs["format_version"] == 1
        assert file.attrs["model"] == b"cnn"
        assert json.loads(file.attrs["architecture"]) == saved.network
        preprocessing = json.loads(file.attrs["preprocessing"])
        assert (preprocessing["mean"], preprocessing["std"]) == (0.1307, 0.3081)
        preparation = {"pad": 2, "contrast": 4.0, "gamma": 0.7, "binarize": None, "invert": False}
        preparation |= {"digit_side": 20, "digit_row": 14.5, "digit_column": 14.5, "digit_fit": "mass"}
        assert preprocessing["preparation"] == preparation
        assert json.loads(file.attrs["config"])["seed"] == 3
        assert file["weights/conv2d_1/weight"].dtype == np.float32
        assert file["weights/dense_1/bias"][()].tolist() == saved.weights["dense_1/bias"].tolist()
        assert file["history/train_loss"][()].tolist() == [0.5, 0.1]
        assert np.isnan(file["history/validation_loss"][1])


def test_layers_and_columns_keep_their_order(path, saved):
    network = Network([Flatten(), *(Dense(2) for _ in range(11))])
    values = {name: np.ones(parameter.shape, np.float32) for name, parameter in network.parameters().items()}
    weights.write(path, replace(saved, network=network.config(), weights=values))
    with h5py.File(path) as file:
        assert list(file["weights"]) == [f"dense_{number}" for number in range(1, 12)]
        assert list(file["history"]) == list(EPOCHS[0].to_dict())


def test_same_network_same_bytes(path, saved, tmp_path):
    weights.write(tmp_path / "second.h5", saved)
    assert (tmp_path / "second.h5").read_bytes() == path.read_bytes()


def test_a_network_read_and_written_again_has_the_same_bytes(path, tmp_path):
    weights.write(tmp_path / "second.h5", weights.read(path))
    assert (tmp_path / "second.h5").read_bytes() == path.read_bytes()


def test_no_object_has_a_time(path):
    with h5py.File(path) as file:
        objects = [file["/"]]
        file.visititems(lambda name, found: objects.append(found))
        assert {h5py.h5o.get_info(found.id).mtime for found in objects} == {0}


def test_big_endian_weights_become_native(path, saved):
    with edited(path) as file:
        del file["weights/dense_1/weight"]
        file.create_dataset("weights/dense_1/weight", data=saved.weights["dense_1/weight"], dtype=">f4")
    found = weights.read(path).weights["dense_1/weight"]
    assert found.dtype.isnative
    assert found.tobytes() == saved.weights["dense_1/weight"].tobytes()


def test_names_of_any_folder(path, saved):
    weights.write(path, replace(saved, model="réseau", dataset="a\nb\udcff\x1b[2J"))
    found = weights.read(path)
    assert (found.model, found.dataset) == ("réseau", "a?b??[2J")


def test_settings_that_an_older_file_lacks_get_their_defaults(path):
    with edited(path) as file:
        file.attrs["config"] = np.bytes_('{"seed": 5, "lr": 1}')
    assert weights.read(path).config == asdict(TrainConfig(seed=5, lr=1))


# Files that cannot be read


def test_missing_file(tmp_path):
    with refused(tmp_path / "none.h5", "No such file"):
        weights.read(tmp_path / "none.h5")


def test_folder(tmp_path):
    with refused(tmp_path, "Is a directory"):
        weights.read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x89HDF", b"PK\x03\x04 and so on", bytes(5000)])
def test_other_content(path, content):
    path.write_bytes(content)
    with refused(path, "not an HDF5 file"):
        weights.read(path)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.9999])
def test_cut_short(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with refused(path, "cut short or damaged|not an HDF5 file"):
        weights.read(path)


def test_hdf5_of_another_program(path):
    with h5py.File(path, "w") as file:
        file["x"] = [1, 2, 3]
    with refused(path, "no network of fastdigits"):
        weights.read(path)


DENSE, BIAS, LOSS = "weights/dense_1/weight", "weights/dense_1/bias", "history/train_loss"


def attribute(name, value):
    def damage(file):
        file.attrs[name] = np.bytes_(value) if isinstance(value, str) else value

    return damage


def description(name, **fields):
    """Return a function that changes fields of a JSON attribute."""

    def damage(file):
        file.attrs[name] = np.bytes_(json.dumps({**json.loads(file.attrs[name]), **fields}))

    return damage


def without(name):
    def damage(file):
        del file[name]

    return damage


def put(name, data=None, **options):
    """Return a function that replaces a member of the file, or adds it."""

    def damage(file):
        if name in file:
            del file[name]
        if isinstance(data, (h5py.SoftLink, h5py.ExternalLink)):
            file[name] = data
        else:
            file.create_dataset(name, data=data, **options)

    return damage


def put_virtual(file):
    layout = h5py.VirtualLayout((10,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (10,))
    del file[BIAS]
    file.create_virtual_dataset(BIAS, layout)


def put_group(file):
    del file[BIAS]
    file.create_group(BIAS)


def put_committed_type(file):
    del file["weights"]
    file["weights"] = np.dtype("f4")


def all_too_large(file):
    """Let architecture and file agree on a layer of 10^12 numbers."""
    description("architecture", layers=[{"type": "Flatten"}, {"type": "Dense", "units": 10**12}])(file)
    del file["weights"]
    file.create_dataset("weights/dense_1/weight", (10**12, 784), "f4")
    file.create_dataset("weights/dense_1/bias", (10**12,), "f4")


def enormous_numbers(file):
    layers = [{"type": "Conv2D", "filters": 10**4000, "kernel": 1, "padding": 10**4000}, {"type": "Flatten"}]
    description("architecture", layers=[*layers, {"type": "Dense", "units": 10}])(file)


DAMAGES = {
    "other format": (attribute("format", "keras"), "no network of fastdigits"),
    "empty format": (attribute("format", h5py.Empty("S1")), "format is not a single text"),
    "newer format": (attribute("format_version", 2), "format 2 is newer .* install a newer one"),
    "format 0": (attribute("format_version", 0), "format_version is 0"),
    "format as a text": (attribute("format_version", "1"), "format_version is not a single whole number"),
    "format as a fraction": (attribute("format_version", 1.0), "format_version is not a single whole number"),
    "format as a list": (attribute("format_version", [1, 1]), "format_version is not a single whole number"),
    "no model": (lambda file: file.attrs.pop("model"), "model is missing"),
    "model as a number": (attribute("model", 3), "model is not a single text"),
    "models": (attribute("model", np.array([b"a", b"b"])), "model is not a single text"),
    "model as a reference": (lambda file: file.attrs.create("model", file.ref), "model is not a single text"),
    "a text of variable length, in whose heap HDF5 may hang": (
        lambda file: file.attrs.create("dataset", "mnist", dtype=h5py.string_dtype()),
        "dataset is not a single text",
    ),
    "no architecture": (lambda file: file.attrs.pop("architecture"), "architecture is missing"),
    "architecture is no JSON": (attribute("architecture", "{'a': 1}"), "architecture is not JSON"),
    "architecture is not UTF-8": (attribute("architecture", np.bytes_(b"\xff\xfe")), "architecture is not JSON"),
    "architecture is too deep": (attribute("architecture", "[" * 60000), "architecture is not JSON"),
    "architecture is a list": (attribute("architecture", "[1]"), "architecture is not a JSON object"),
    "architecture without layers": (attribute("architecture", "{}"), "is not a valid network"),
    "unknown layer": (description("architecture", layers=[{"type": "\x1b[2J"}]), r"no layer '\\x1b\[2J'"),
    "layers do not fit": (
        description("architecture", layers=[{"type": "Dense", "units": 3}]),
        "is not a valid network",
    ),
    "other layers": (
        description("architecture", layers=[{"type": "Flatten"}, {"type": "Dense", "units": 10}]),
        "no place for the weights 'conv2d_1/bias', 'conv2d_1/weight'",
    ),
    "enormous numbers": (enormous_numbers, "conv2d_1: is too large"),
    "preprocessing is empty": (attribute("preprocessing", "{}"), "finite mean and a finite std above 0"),
    "preprocessing is text": (description("preprocessing", mean="0"), "finite mean"),
    "preprocessing is true": (description("preprocessing", std=True), "finite mean"),
    "mean NaN": (description("preprocessing", mean=float("nan")), "preprocessing is not JSON .NaN is not a finite"),
    "mean too large": (description("preprocessing", mean=-(10**400)), "finite mean"),
    "std 0": (description("preprocessing", std=0), "finite mean"),
    "std below 0": (description("preprocessing", std=-0.3), "finite mean"),
    "std infinite": (attribute("preprocessing", '{"mean": 0, "std": 1e999}'), "1e999 is not a finite number"),
    "preparation is a list": (description("preprocessing", preparation=[1]), "preparation that is unknown"),
    "preparation of text": (description("preprocessing", preparation={"gamma": "1"}), "preparation that is unknown"),
    "preparation has more": (description("preprocessing", preparation={"eval": 1}), "preparation that is unknown"),
    "invert is text": (description("preprocessing", preparation={"invert": "no"}), "preparation that is .* out of"),
    "digits of 0": (description("preprocessing", preparation={"digit_side": 0}), "preparation that is .* out of range"),
    "digits outside": (description("preprocessing", preparation={"digit_row": 28.5}), "preparation that is .* out of"),
    "digits at text": (description("preprocessing", preparation={"digit_column": "1"}), "preparation that is .* out"),
    "digits fit": (description("preprocessing", preparation={"digit_fit": ["mass"]}), "preparation that is .* out of"),
    "pad too large": (description("preprocessing", preparation={"pad": 10**6}), "preparation that is .* out of range"),
    "pad a fraction": (description("preprocessing", preparation={"pad": 0.5}), "preparation that is .* out of range"),
    "unknown augmentation": (description("config", augment="\x1b[2J=3"), "no effect"),
    "config is a number": (attribute("config", "1"), "config is not a JSON object"),
    "config has more": (description("config", eval="1"), "config has 'eval'"),
    "config has another type": (description("config", loss=["mse"]), "config has 'loss'"),
    "metrics with NaN": (attribute("metrics", '{"test_loss": NaN}'), "metrics is not JSON .NaN is not a finite number"),
    "metrics with infinity": (attribute("metrics", '{"a": [-Infinity]}'), "-Infinity is not a finite number"),
    "metrics are null": (attribute("metrics", "null"), "metrics is not a JSON object"),
    "no weights": (without("weights"), "group weights is missing"),
    "no layer": (without("weights/dense_1"), "asks for the weights 'dense_1/bias', 'dense_1/weight'"),
    "a weight missing": (without(BIAS), "asks for the weights 'dense_1/bias'"),
    "a weight too many": (put("weights/dense_2/weight", [1.0]), "no place for the weights 'dense_2/weight'"),
    "weights of another kind": (put("weights/note", [1.0]), "group note"),
    "weights are a type": (put_committed_type, "group weights is missing or damaged"),
    "a weight is a group": (put_group, "dense_1/bias is damaged"),
    "other shape": (put(DENSE, np.zeros((10, 3), "f4")), r"weight has the shape \(10, 3\) instead of \(10, 338\)"),
    "no dimensions": (put(BIAS, np.float32(1)), r"bias has the shape \(\) instead of \(10,\)"),
    "no content": (put(BIAS, h5py.Empty("f4")), "bias is not an array"),
    "float64": (put(BIAS, np.zeros(10)), "bias is not an array of type float32"),
    "float16": (put(BIAS, np.zeros(10, "f2")), "bias is not an array of type float32"),
    "integers": (put(BIAS, np.zeros(10, "i4")), "bias is not an array of type float32"),
    "pickled objects": (put(BIAS, [b"cos\nsystem\n."] * 10, dtype=h5py.string_dtype()), "bias is not an array"),
    "compound": (put(BIAS, np.zeros(10, [("x", "f4")])), "bias is not an array of type float32"),
    "NaN": (put(BIAS, np.full(10, np.nan, "f4")), "dense_1/bias holds NaN"),
    "infinity": (put(BIAS, np.full(10, -np.inf, "f4")), "dense_1/bias holds NaN or infinity"),
    "claims too much": (put(DENSE, shape=(10, 10**12), dtype="f4"), "more numbers than the whole file"),
    "claims too much everywhere": (all_too_large, "dense_1: is too large"),
    "claims to be there": (put(BIAS, shape=(10,), dtype="f4"), "bias was never filled"),
    "chunked": (put(BIAS, np.zeros(10, "f4"), chunks=(5,)), "bias is chunked"),
    "packed": (put(BIAS, np.zeros(10, "f4"), compression="gzip"), "bias is chunked, packed"),
    "virtual": (put_virtual, "bias is chunked, packed, virtual"),
    "in another file": (
        put(BIAS, shape=(10,), dtype="f4", external=[("other.bin", 0, 40)]),
        "bias is chunked, packed, virtual or in another file",
    ),
    "soft link": (put(BIAS, h5py.SoftLink("/history/seconds")), "links instead of 'bias'"),
    "external link": (put(BIAS, h5py.ExternalLink("other.h5", "x")), "links instead of 'bias'"),
    "layer is a link": (put("weights/dense_1", h5py.ExternalLink("o.h5", "x")), "links instead of 'dense_1'"),
    "link that nobody needs": (put("more", h5py.ExternalLink("o.h5", "x")), "links instead of 'more'"),
    "no history": (without("history"), "group history is missing"),
    "a column missing": (without(LOSS), "history has not exactly the columns epoch, train_loss"),
    "a column too many": (put("history/extra", [1.0]), "history has not exactly the columns"),
    "columns of two lengths": (put(LOSS, [1.0]), "history is not columns of one length"),
    "a column of two dimensions": (put("history/epoch", [[1.0, 2.0]]), "history is not columns of one length"),
    "a column of text": (put(LOSS, [b"a", b"b"]), "train_loss is not an array of type float64"),
    "no epoch": (put("history/epoch", [1.0, np.nan]), "NaN, infinity or a fraction for epoch"),
    "half an epoch": (put("history/epoch", [1.0, 1.5]), "fraction for epoch"),
    "no loss": (put(LOSS, [1.0, np.nan]), "NaN, .* for train_loss"),
    "infinite validation loss": (put("history/validation_loss", [1.0, -np.inf]), "infinity .* for validation_loss"),
    "infinite loss": (put(LOSS, [1.0, np.inf]), "infinity .* for train_loss"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage(path, damage):
    change, message = DAMAGES[damage]
    with edited(path) as file:
        change(file)
    with refused(path, message):
        weights.read(path)


def test_any_byte_may_be_wrong(path):
    content = path.read_bytes()
    chance = random.Random(5)
    outcomes = set()
    for _ in range(200):
        damaged = bytearray(content)
        for _ in range(chance.choice((1, 1, 8))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        del damaged[chance.choice((len(damaged), len(damaged), chance.randrange(len(damaged)))) :]
        path.write_bytes(damaged)
        try:
            outcomes.add(type(weights.read(path)))
        except UserError as error:
            outcomes.add(type(error))
    assert outcomes == {weights.SavedNetwork, UserError}


# Files that cannot be written


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": {}}, "asks for the weights"),
        ({"weights": {name: np.full(1, np.nan, "f4") for name in NAMES}}, "has the shape"),
        ({"normalisation": Normalisation(0.5, 0.0)}, "std above 0"),
        ({"history": [asdict(replace(EPOCHS[0], train_loss=float("nan")))]}, "NaN, .* for train_loss"),
    ],
)
def test_content_that_read_would_refuse_is_not_written(path, saved, change, message):
    before = path.read_bytes()
    with refused(path, message):
        weights.write(path, replace(saved, **change))
    assert path.read_bytes() == before


def test_weights_that_are_not_finite_are_not_written(path, saved):
    saved.weights["dense_1/bias"][3] = np.inf
    with refused(path, "dense_1/bias holds NaN or infinity"):
        weights.write(path, saved)


@pytest.mark.parametrize(
    ("place", "failure", "raised"),
    [
        ((os, "fsync"), OSError(errno.ENOSPC, "No space left on device"), UserError),
        ((os, "replace"), OSError(errno.EACCES, "Permission denied"), UserError),
        ((os, "fsync"), KeyboardInterrupt(), KeyboardInterrupt),
        ((os, "replace"), KeyboardInterrupt(), KeyboardInterrupt),
        ((h5py.Group, "create_dataset"), KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
@pytest.mark.parametrize("name", ["weights.h5", "new.h5"])
def test_a_failure_leaves_the_old_file(path, saved, monkeypatch, name, place, failure, raised):
    def fail(*_, **__):
        raise failure

    before = path.read_bytes()
    monkeypatch.setattr(*place, fail)
    with pytest.raises(raised):
        weights.write(path.with_name(name), replace(saved, model="other"))
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_full_disk_is_reported(path, saved, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with refused(path, "No space left on device.*free space"):
        weights.write(path, saved)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path, saved, umask, mode):
    before = os.umask(umask)
    try:
        weights.write(tmp_path / "new.h5", saved)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.h5").stat().st_mode) == mode


def test_a_replaced_file_keeps_its_permissions(path, saved):
    path.chmod(0o640)
    weights.write(path, saved)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("target_exists", [True, False])
def test_symbolic_link_stays_one(tmp_path, saved, target_exists):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target.h5", tmp_path / "link.h5"
    link.symlink_to(target)
    if target_exists:
        target.write_bytes(b"old")
    weights.check_writable(link)
    weights.write(link, saved)
    assert link.is_symlink()
    assert weights.read(target).model == "cnn"


def test_writable_leaves_no_trace(path):
    before = path.read_bytes(), path.stat().st_mtime_ns
    weights.check_writable(path)
    weights.check_writable(path.with_name("new.h5"))
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert os.listdir(path.parent) == [path.name]


def test_a_path_may_be_just_a_name(path, saved, monkeypatch):
    monkeypatch.chdir(path.parent)
    weights.check_writable("name.h5")
    weights.write("name.h5", saved)
    assert weights.read("name.h5").model == "cnn"


@pytest.fixture
def no_place(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "is a folder"),
        ("new/", "is a folder"),
        ("none/weights.h5", "folder .*none does not exist"),
        ("pipe", "not a regular file"),
        ("circle", "symbolic links"),
        ("x" * 300, "File name too long"),
    ],
)
def test_no_place_for_a_file(no_place, saved, name, message):
    path = f"{no_place}/{name}"
    for attempt in (weights.check_writable, lambda path: weights.write(path, saved)):
        with pytest.raises(UserError, match=message):
            attempt(path)
    assert sorted(os.listdir(no_place)) == ["circle", "pipe"]


@pytest.mark.parametrize("place", ["fastdigits.files.open", "os.open"])
def test_no_permission(path, monkeypatch, place):
    """Replace the system's answer, because root always has permission."""

    def fail(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(place, fail, raising=False)
    with refused(path, "Permission denied.*give permission there, or choose another folder"):
        weights.check_writable(path)
