"""Data sets that are known by name: where they are from, their licences and checksums, and where they are kept."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BALANCED = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"  # EMNIST merges the lowercase letters that look the same


@dataclass(frozen=True)
class RemoteFile:
    """A file to download.

    Attributes
    ----------
    name : str
        Its name in the folder of the set, and in the addresses.
    sha256 : str or None
        None if the publishers state none. The checksum of the first download is then remembered.
    md5 : str or None
        An older checksum that publishers state instead.
    members : tuple of str
        The files to keep of an archive, which itself is removed.
    max_bytes : int
        More is not read.
    """

    name: str
    sha256: str | None
    md5: str | None = None
    members: tuple[str, ...] = ()
    max_bytes: int = 64 << 20


@dataclass(frozen=True)
class NamedSet:
    """A data set that is known by name.

    Attributes
    ----------
    description, licence, homepage : str
    mirrors : tuple of str
        Addresses of folders with the files, each ending with a slash.
    files : tuple of RemoteFile
    names : dict, optional
        Names of the classes by label, if the files have none.
    """

    description: str
    licence: str
    homepage: str
    mirrors: tuple[str, ...]
    files: tuple[RemoteFile, ...]
    names: Mapping[str, str] | None = None


def _numbered(names: str, first: int = 0) -> dict[str, str]:
    return {str(number): name.replace("_", " ") for number, name in enumerate(names.split(), first)}


def _emnist(kind: str, description: str, names: str, first: int = 0) -> NamedSet:
    contents = ("images-idx3", "labels-idx1")
    files = [f"gzip/emnist-{kind}-{part}-{what}-ubyte.gz" for part in ("train", "test") for what in contents]
    archive = RemoteFile("gzip.zip", None, "58c8d27c78d21e728a6bc7b3cc06412e", tuple(files), 700 << 20)
    return NamedSet(
        description,
        "public domain (NIST); cite Cohen et al. 2017",
        "https://www.nist.gov/itl/products-and-services/emnist-dataset",
        ("https://biometrics.nist.gov/cs_links/EMNIST/", "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/"),
        (archive,),
        _numbered(" ".join(names), first),
    )


def _mnist_files(*digests: str) -> tuple[RemoteFile, ...]:
    names = [f"{part}-{what}-ubyte.gz" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]
    return tuple(RemoteFile(name, digest) for name, digest in zip(names, digests, strict=True))


SETS = {
    "fashion-mnist": NamedSet(
        "articles of clothing: 60,000 and 10,000 images of 28 x 28, 10 classes",
        "MIT",
        "https://github.com/zalandoresearch/fashion-mnist",
        (
            "https://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        _mnist_files(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        _numbered("T-shirt/top Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag Ankle_boot"),
    ),
    "kmnist": NamedSet(
        "Japanese characters in cursive hand: 60,000 and 10,000 images of 28 x 28, 10 classes",
        "CC BY-SA 4.0",
        "http://codh.rois.ac.jp/kmnist/",
        ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
        _mnist_files(
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
        _numbered("o ki su tsu na ha ma ya re wo"),
    ),
    "emnist-digits": _emnist("digits", "digits: 240,000 and 40,000 images of 28 x 28, 10 classes", "0123456789"),
    "emnist-letters": _emnist(
        "letters",
        "letters, upper and lower case as one class: 124,800 and 20,800 images of 28 x 28, 26 classes",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        first=1,
    ),
    "emnist-balanced": _emnist(
        "balanced", "digits and letters: 112,800 and 18,800 images of 28 x 28, 47 classes", BALANCED
    ),
    "qmnist": NamedSet(
        "MNIST with all 60,000 test images: 60,000 and 60,000 images of 28 x 28, 10 classes",
        "BSD 3-clause",
        "https://github.com/facebookresearch/qmnist",
        ("https://raw.githubusercontent.com/facebookresearch/qmnist/master/",),
        (
            RemoteFile(
                "qmnist-train-images-idx3-ubyte.gz", "9e26a7bf1683614e065d7b76460ccd52807165b3f22561fb782bd9f38c52b51d"
            ),
            RemoteFile(
                "qmnist-train-labels-idx2-int.gz", "2c05dc77f6b916b38e455e97ab129a42a444f3dbef09b278a366f82904e0dd9f"
            ),
            RemoteFile(
                "qmnist-test-images-idx3-ubyte.gz", "43fc22bf7498b8fc98de98369d72f752d0deabc280a43a7bcc364ab19e57b375"
            ),
            RemoteFile(
                "qmnist-test-labels-idx2-int.gz", "9fbcbe594c3766fdf4f0b15c5165dc0d1e57ac604e01422608bb72c906030d06"
            ),
        ),
    ),
    "usps": NamedSet(
        "digits on envelopes: 7,291 and 2,007 images of 16 x 16, 10 classes",
        "not stated; published for research (Hull 1994)",
        "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass.html#usps",
        ("https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/",),
        (
            RemoteFile("usps.bz2", "3771e9dd6ba685185f89867b6e249233dd74652389f263963b3b741e994b034f"),
            RemoteFile("usps.t.bz2", "a9c0164e797d60142a50604917f0baa604f326e9a689698763793fa5d12ffc4e"),
        ),
        _numbered("0 1 2 3 4 5 6 7 8 9", first=1),
    ),
}


def sets_folder() -> Path:
    """Return the folder of downloaded sets, in the user's data folder."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "fastdigits"


def folder_of_set(name: str) -> Path:
    """Return the folder of a downloaded set."""
    return sets_folder() / name
