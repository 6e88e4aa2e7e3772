"""Recognize the format of a data set by its content."""

from dataclasses import replace
from pathlib import Path

from fastdigits.data.dataset import some
from fastdigits.data.formats import csv_files, hdf5, idx, libsvm, mat, npz, pictures
from fastdigits.data.formats.opening import files_in, head, split_by_part
from fastdigits.data.formats.types import Contents
from fastdigits.errors import UserError, import_with_packages

HDF5, MATLAB_5, MATLAB_7_3 = b"\x89HDF\r\n\x1a\n", b"MATLAB 5.0", b"MATLAB 7.3"
TABLES, NPZ, PARQUET = (".csv", ".tsv", ".txt", ".data"), (".npz",), (".parquet",)
SINGLE = (".npz", ".mat", ".h5", ".hdf5")
ADVICE = {
    b"PK\x03\x04": "is an archive; unpack it and give the folder with the files",
    b"\x93NUMPY": "is a single array; save images and labels together with numpy.savez(FILE, x=..., y=...)",
    b"\x89PNG": "is a picture; give a folder with a folder of pictures for each class",
    b"\xff\xd8\xff": "is a picture; give a folder with a folder of pictures for each class",
    b"\x80": "is a pickle of Python, which may run code; save its arrays with numpy.savez(FILE, x=..., y=...)",
    b"\0\0": "is one IDX file; give the folder that holds the files of images and labels",
}


def open_data(path: Path) -> Contents:
    """Recognize the format of a file or folder, read the labels, and find the images.

    Raises
    ------
    UserError
        If the file or folder is missing, damaged, or in no known format.
    """
    try:
        if path.is_dir():
            return _open_folder(path)
        return _open_file(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error}); check the path.") from error


def _open_folder(folder: Path) -> Contents:
    if not any(folder.iterdir()):
        raise UserError(f"The data folder {folder} is empty; put the four IDX files into it.")
    if (contents := idx.open_folder(folder)) is not None:
        return contents
    if (contents := _open_parquet(folder)) is not None:
        return contents
    if files := files_in(folder, *SINGLE):
        if len(files) > 1:
            raise UserError(f"{folder} holds {files[0].name} and {files[1].name}; give one of the files.")
        return _open_file(files[0])
    if (contents := pictures.open_folder(folder)) is not None:
        return contents
    if files := files_in(folder, *TABLES):
        tables, notes = split_by_part(folder, files)
        return _with_notes(_open_tables(tables), notes)
    if files := [path for path in sorted(folder.iterdir()) if path.is_file() and libsvm.is_head(head(path))]:
        tests = [path for path in files if path.name.split(".")[-2:-1] == ["t"] or path.suffix == ".t"]
        train = [path for path in files if path not in tests]
        return libsvm.open_files({name: paths for name, paths in (("train", train), ("test", tests)) if paths})
    raise UserError(
        f"{folder} holds no data set; give a folder with the four IDX files, with a folder of pictures for each class, "
        "or with train.csv and test.csv."
    )


def _open_parquet(folder: Path) -> Contents | None:
    """Open the Parquet files of a folder or, as on Hugging Face, of the folder in it that has some."""
    inner = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    found = {path: files for path in (folder, *inner) if (files := files_in(path, *PARQUET))}
    if not found:
        return None
    place = folder if folder in found else next(iter(found))
    if place != folder and len(found) > 1:
        raise UserError(
            f"{folder} holds Parquet files in the folders {some(ascii(path.name) for path in found)}; give one of them."
        )
    parts, notes = split_by_part(place, found[place])
    return _with_notes(_parquet().open_files(parts), notes)


def _with_notes(contents: Contents, notes: tuple[str, ...]) -> Contents:
    return replace(contents, notes=(*contents.notes, *notes))


def _open_file(path: Path) -> Contents:
    start = head(path)
    with open(path, "rb") as file:
        header = file.read(1024)
    if start.startswith(MATLAB_5):
        return mat.open_file(path, version_7_3=False)
    if start.startswith(MATLAB_7_3):
        return mat.open_file(path, version_7_3=True)
    if header.startswith(HDF5) or header[512:].startswith(HDF5):
        return hdf5.open_file(path)
    if start.startswith(b"PAR1"):
        return _parquet().open_files({"train": [path]})
    if start.startswith(b"PK\x03\x04") and path.suffix.lower() == ".npz":
        return npz.open_file(path)
    for magic, advice in ADVICE.items():
        if start.startswith(magic):
            raise UserError(f"{path} {advice}.")
    if not start:
        raise UserError(f"{path} is empty; give a data set.")
    return _open_tables({"train": [path]})


def _open_tables(paths: dict[str, list[Path]]) -> Contents:
    first = next(iter(paths.values()))[0]
    if b"\0" in head(first):
        raise UserError(
            f"{first} is in no known format; give IDX, CSV, NPZ, MAT, Parquet or HDF5, or a folder of pictures."
        )
    return (libsvm if libsvm.is_head(head(first)) else csv_files).open_files(paths)


def _parquet():  # type: ignore[no-untyped-def]
    return import_with_packages(
        "fastdigits.data.formats.parquet",
        lambda error: f"To read Parquet files, install pyarrow: pip install 'fastdigits[parquet]' ({error}).",
    )
