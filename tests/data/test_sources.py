import gzip
import hashlib
import http.server
import io
import os
import shutil
import socket
import struct
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fastdigits.data import load_digits, load_part, verify
from fastdigits.data import sources as sources_module
from fastdigits.data.download import download, download_set
from fastdigits.data.named import SETS, NamedSet, RemoteFile
from fastdigits.data.sources import SHA256, shipped_folder, summarize_part
from fastdigits.errors import UserError

NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">{array.ndim + 1}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


def small_set(train: int = 3, test: int = 2) -> dict[str, bytes]:
    """The four files of a data set with images of 4 x 5 pixels."""

    def images(count):
        return np.arange(count * 20, dtype=np.uint8).reshape(count, 4, 5)

    def labels(count):
        return np.arange(count, dtype=np.uint8)

    return dict(zip(NAMES, map(idx, [images(train), labels(train), images(test), labels(test)]), strict=True))


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def check_small_set(folder):
    digits = load_digits(folder)
    assert digits.name == str(folder)
    assert digits.train_images.shape == (3, 4, 5)
    assert digits.train_images[1, 0].tolist() == [20, 21, 22, 23, 24]
    assert digits.train_labels.tolist() == [0, 1, 2]
    assert digits.test_images.shape == (2, 4, 5)
    assert digits.test_labels.tolist() == [0, 1]


def test_mnist_is_shipped():
    digits = load_digits()
    assert digits.name == "mnist"
    assert digits.train_images.shape == (60000, 28, 28)
    assert digits.train_labels.shape == (60000,)
    assert digits.test_images.shape == (10000, 28, 28)
    assert digits.test_labels.shape == (10000,)


def test_shipped_files_are_the_original_ones():
    assert verify(shipped_folder()) == [(name, "ok") for name in SHA256]


def test_folder_of_plain_files(tmp_path):
    check_small_set(write(tmp_path, small_set()))


def test_folder_of_gz_files(tmp_path):
    check_small_set(write(tmp_path, {f"{name}.gz": gzip.compress(file) for name, file in small_set().items()}))


def test_folder_of_dotted_names(tmp_path):
    check_small_set(write(tmp_path, {name.replace("-idx", ".idx"): file for name, file in small_set().items()}))


def test_folder_named_like_the_shipped_set(tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    write(tmp_path / "mnist", small_set())
    monkeypatch.chdir(tmp_path)
    assert len(load_digits("./mnist").train_images) == 3
    assert len(load_part("mnist", "test")[0]) == 10000


def test_test_part_needs_no_training_files(tmp_path):
    files = small_set()
    write(tmp_path, {name: files[name] for name in NAMES[2:]})
    images, labels = load_part(tmp_path, "test")
    assert images.shape == (2, 4, 5)
    assert labels.tolist() == [0, 1]


def test_summary(tmp_path):
    summary = summarize_part(write(tmp_path, small_set()), "train")
    assert (summary.images, summary.height, summary.width, summary.classes) == (3, 4, 5, 3)


def test_bare_checkout_uses_its_data_folder(monkeypatch):
    def not_installed(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(sources_module.importlib.resources, "files", not_installed)
    assert shipped_folder() == Path(sources_module.__file__).parents[2] / "data"


def test_missing_folder(tmp_path):
    with pytest.raises(UserError, match=r"no data folder .*absent; give a file or folder, or one of the names mnist,"):
        load_digits(tmp_path / "absent")


def test_empty_folder(tmp_path):
    with pytest.raises(UserError, match="is empty; put the four IDX files into it"):
        load_digits(tmp_path)


def test_empty_file(tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(UserError, match="file is empty; give a data set"):
        load_digits(path)


@pytest.mark.parametrize("name", NAMES)
def test_missing_file(tmp_path, name):
    (write(tmp_path, small_set()) / name).unlink()
    with pytest.raises(UserError, match=rf"has no {name} \(plain or .gz\); put that file into it"):
        load_digits(tmp_path)


def test_fewer_labels_than_images(tmp_path):
    write(tmp_path, small_set() | {NAMES[1]: small_set(train=2)[NAMES[1]]})
    with pytest.raises(UserError, match=r"3 images but .* has 2 labels; use two files that belong together"):
        load_digits(tmp_path)


def test_test_images_of_another_size(tmp_path):
    write(tmp_path, small_set() | {NAMES[2]: idx(np.zeros((2, 4, 4), np.uint8))})
    with pytest.raises(UserError, match="training images of 4 x 5 but test images of 4 x 4 pixels"):
        load_digits(tmp_path)


def test_verify_tells_missing_and_wrong_files(tmp_path):
    shutil.copy(shipped_folder() / "t10k-labels-idx1-ubyte.gz", tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(b"something else")
    assert dict(verify(tmp_path)) == {
        "train-images-idx3-ubyte.gz": "missing",
        "train-labels-idx1-ubyte.gz": "missing",
        "t10k-images-idx3-ubyte.gz": "wrong checksum",
        "t10k-labels-idx1-ubyte.gz": "ok",
    }


def test_verify_of_a_missing_folder(tmp_path):
    assert {state for _, state in verify(tmp_path / "absent")} == {"missing"}


class Mirrors(http.server.BaseHTTPRequestHandler):
    """A server with the shipped files in /good/, other files in /bad/, and those that a test adds in /set/."""

    def do_GET(self):
        mirror, name = self.path.strip("/").split("/")
        self.server.asked.append(self.path)
        if mirror not in ("good", "bad") and name not in self.server.files:
            self.send_error(404)
            return
        content = self.server.files.get(name, b"<html>please log in</html>")
        if mirror == "good":
            content = (shipped_folder() / name).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr("fastdigits.data.download.PAUSE_S", 0)
    with http.server.HTTPServer(("127.0.0.1", 0), Mirrors) as server:
        server.asked, server.files = [], {}
        server.address = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def refusing_mirror(server):
    with socket.socket() as closed_soon:
        closed_soon.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed_soon.getsockname()[1]}/"


def test_download(tmp_path, server):
    lines = []
    folder = tmp_path / "new" / "mnist"
    download(folder, [server.address + "good/"], lines.append)
    assert verify(folder) == [(name, "ok") for name in SHA256]
    assert sorted(os.listdir(folder)) == sorted(SHA256)
    assert lines[0] == f"train-images-idx3-ubyte.gz: fetching from {server.address}good/"
    assert lines[1] == "train-images-idx3-ubyte.gz: written"


def test_download_fetches_only_what_is_missing(tmp_path, server):
    for name in SHA256:
        shutil.copy(shipped_folder() / name, tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    download(tmp_path, [server.address + "good/"])
    assert server.asked == ["/good/t10k-labels-idx1-ubyte.gz"]
    assert verify(tmp_path) == [(name, "ok") for name in SHA256]


def test_download_replaces_nothing(tmp_path, server):
    own = tmp_path / "train-images-idx3-ubyte.gz"
    own.write_bytes(b"a set of one's own")
    with pytest.raises(UserError, match="is not the original MNIST file; move it away"):
        download(tmp_path, [server.address + "good/"])
    assert own.read_bytes() == b"a set of one's own"
    assert server.asked == []


def test_second_mirror_when_the_first_gives_another_file(tmp_path, server):
    lines = []
    download(tmp_path, [server.address + "bad/", server.address + "good/"], lines.append)
    assert verify(tmp_path) == [(name, "ok") for name in SHA256]
    assert "train-images-idx3-ubyte.gz: failed (wrong checksum)" in lines


def test_every_mirror_is_tried_again_before_giving_up(tmp_path, server):
    with pytest.raises(
        UserError, match=r"Could not download train-images\S* \(.*bad/: wrong .*none/: Not Found\); check"
    ):
        download(tmp_path, [server.address + "bad/", server.address + "none/"])
    assert server.asked == ["/bad/train-images-idx3-ubyte.gz", "/none/train-images-idx3-ubyte.gz"] * 3
    assert os.listdir(tmp_path) == []


def test_offline_is_one_sentence(tmp_path, refusing_mirror):
    with pytest.raises(UserError, match=r"Connection refused\); check the connection and try again") as failure:
        download(tmp_path, [refusing_mirror])
    assert "\n" not in str(failure.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("stop", "seen"), [(KeyboardInterrupt, KeyboardInterrupt), (OSError, UserError)])
def test_nothing_half_written_is_left(tmp_path, server, monkeypatch, stop, seen):
    def stopped(source, target):
        assert hashlib.sha256(Path(source).read_bytes()).hexdigest() == SHA256[Path(target).name]
        raise stop

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(seen):
        download(tmp_path, [server.address + "good/"])
    assert os.listdir(tmp_path) == []


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        UserError, match=r"Cannot create the folder .*file/mnist \(Not a directory\); choose another one"
    ):
        download(tmp_path / "file" / "mnist")


def named(monkeypatch, **changed):
    """Register a named set of two files and an archive with two more."""
    names = ("set-train-images-idx3-ubyte.gz", "set-train-labels-idx1-ubyte.gz")
    others = ("set-test-images-idx3-ubyte.gz", "set-test-labels-idx1-ubyte.gz")
    packed = [gzip.compress(content, mtime=0) for content in small_set().values()]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in zip(others, packed[2:], strict=True):
            file.writestr(f"gzip/{name}", content)
        file.writestr("gzip/another", b"file")
    files = dict(zip(names, packed, strict=False)) | {"set.zip": archive.getvalue()}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()} | changed
    remote = [RemoteFile(name, digests[name]) for name in names]
    remote += [RemoteFile("set.zip", digests["set.zip"], members=tuple(f"gzip/{name}" for name in others))]
    one = NamedSet("some digits", "MIT", "", (), tuple(remote), {"0": "zero", "1": "one", "2": "two"})
    monkeypatch.setitem(SETS, "some", one)
    return files, digests


def test_download_of_a_named_set(tmp_path, server, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    server.files, _ = named(monkeypatch)
    with pytest.raises(UserError, match="some is not on this machine; run 'fastdigits data download some' first"):
        load_digits("some")
    lines = []
    folder = download_set("some", mirrors=[server.address + "set/"], report=lines.append)
    assert folder == tmp_path / "fastdigits" / "some"
    assert len(os.listdir(folder)) == 4
    digits = load_digits("some")
    assert (digits.name, digits.classes) == ("some", ("zero", "one", "two"))
    assert (len(digits.train_images), len(digits.test_images)) == (3, 2)
    download_set("some", mirrors=[server.address + "set/"], report=lines.append)
    assert len(server.asked) == 3
    assert lines[-1] == "set.zip: already there"


def test_a_file_without_a_published_checksum_is_remembered(tmp_path, server, monkeypatch):
    files, digests = named(monkeypatch, **{"set.zip": None})
    server.files, lines = dict(files), []
    download_set("some", tmp_path, [server.address + "set/"], lines.append)
    expected = hashlib.sha256(files["set.zip"]).hexdigest()
    assert f"set.zip: sha256 {expected}; its publishers state none, so it is remembered in SHA256SUMS" in lines
    assert (tmp_path / "SHA256SUMS").read_text() == f"{expected}  set.zip\n"
    (tmp_path / "set-test-labels-idx1-ubyte.gz").unlink()
    server.files["set.zip"] = b"another"
    with pytest.raises(UserError, match=r"Could not download set.zip \(.*wrong checksum\); check the connection"):
        download_set("some", tmp_path, [server.address + "set/"])


def test_an_archive_that_is_none_is_refused(tmp_path, server, monkeypatch):
    files, _ = named(monkeypatch, **{"set.zip": None})
    server.files = files | {"set.zip": b"no archive"}
    with pytest.raises(UserError, match=r"set.zip is no archive with the files of the set; try again later"):
        download_set("some", tmp_path, [server.address + "set/"])
    server.files = files
    download_set("some", tmp_path, [server.address + "set/"])  # nothing wrong was remembered
    assert len(load_part(tmp_path, "test")[0]) == 2


@pytest.mark.parametrize("name", SETS)
def test_named_sets_are_described(name):
    one = SETS[name]
    assert one.description
    assert one.licence
    assert one.homepage.startswith("http")
    assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in one.mirrors)
    for file in one.files:
        assert (len(file.sha256) == 64) if file.sha256 else (len(file.md5) == 32)
    if one.names is not None:
        counts = {"emnist-letters": 26, "emnist-balanced": 47}
        assert len({*one.names.values()}) == counts.get(name, 10)
