"""Read untrusted HDF5 files: check everything before reading it, and never open another file."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from io import BytesIO
from math import prod
from typing import Any, NoReturn
from zlib import crc32

import h5py
import numpy as np
from h5py import h5a, h5d, h5f, h5fd, h5g, h5l, h5p, h5s, h5t

from fastdigits.errors import UserError
from fastdigits.files import StrPath
from fastdigits.storage import json_files

SIGNATURE = b"\x89HDF\r\n\x1a\n"
CHECKSUM = "crc32"  # attribute of every array, and of the root for its texts
CHECKSUM_TYPES = (h5t.STD_U32LE, h5t.STD_U32BE)
ORDERED = h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED  # members come back in the order in which they were written
TYPES = {
    "f4": (h5t.IEEE_F32LE, h5t.IEEE_F32BE),
    "f8": (h5t.IEEE_F64LE, h5t.IEEE_F64BE),
    "u1": (h5t.STD_U8LE, h5t.STD_U8BE),
}


def open_file(path: StrPath) -> h5py.File:
    """Open an HDF5 file for reading; raise UserError if it is missing, damaged or not HDF5."""
    try:
        with open(path, "rb") as file:
            signature = file.read(len(SIGNATURE))
    except OSError as error:
        raise UserError(f"it cannot be read ({error.strerror or error}); check the path.") from error
    if signature != SIGNATURE:
        raise UserError("it is not an HDF5 file; give one that fastdigits wrote.")
    with _guarded("it is cut short or damaged"):
        return h5py.File(path, "r", locking=False)  # no lock is needed, because files are replaced, never modified


def file_image(encode: Callable[[h5py.File], None]) -> bytes:
    """Return the bytes of a file that `encode` fills. It is created in memory, so that an error leaves no partial file.

    Its structures are those of HDF5 1.8: any reader supports them, and their checksums reveal damage. It stores no
    times, so that equal contents give equal bytes, also with an h5py before 3.15, whose own functions store them.
    """
    image, creation, access = BytesIO(), h5p.create(h5p.FILE_CREATE), h5p.create(h5p.FILE_ACCESS)
    creation.set_obj_track_times(False)
    access.set_libver_bounds(h5f.LIBVER_V18, h5f.LIBVER_V18)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    access.set_fileobj_driver(h5fd.fileobj_driver, image)
    with h5py.File(h5f.create(b"image", h5f.ACC_TRUNC, creation, access)) as file:
        encode(file)
    return image.getvalue()


def new_group(parent: h5py.Group, name: str) -> h5py.Group:
    """Create a group that keeps the order of its members, and stores no time."""
    creation = h5p.create(h5p.GROUP_CREATE)
    creation.set_obj_track_times(False)
    creation.set_link_creation_order(ORDERED)
    creation.set_attr_creation_order(ORDERED)
    return h5py.Group(h5g.create(parent.id, name.encode(), gcpl=creation))


def has_attribute(file: h5py.File, name: str) -> bool:
    """Return whether the file has this attribute; raise UserError if its attributes are damaged."""
    with _guarded("its attributes are damaged"):
        return name in file.attrs


def write_text(file: h5py.File, name: str, value: str) -> None:
    """Write a text attribute of fixed length: unlike variable length, it has a checksum and cannot hang readers."""
    content = value.encode()
    file.attrs.create(name, content, dtype=h5py.string_dtype(length=max(len(content), 1)))


def write_texts_checksum(file: h5py.File) -> None:
    """Write a checksum of all texts of the file: HDF5 has checksums only of attributes below 4 kB."""
    file.attrs.create(CHECKSUM, _texts_checksum(file), dtype="<u4")


def check_texts(file: h5py.File) -> None:
    """Check the checksum of all texts of the file; raise UserError if it is wrong. Older files have none."""
    if not has_attribute(file, CHECKSUM):
        return
    with _guarded("the checksum of its texts is damaged"):
        attribute = file.attrs.get_id(CHECKSUM)
    if _stored_checksum(attribute, "texts") != _texts_checksum(file):
        refuse("its attributes have changed since it was written, because their checksum is wrong")


def text(file: h5py.File, name: str) -> str:
    """Return a text attribute; raise UserError if it has another type."""
    value = _scalar(file, name, lambda dtype: dtype.kind == "S")
    if value is None:
        refuse(f"its attribute {name} is not a single text of fixed length")
    return value.decode(errors="replace")


def integer(file: h5py.File, name: str) -> int:
    """Return an integer attribute; raise UserError if it has another type."""
    value = _scalar(file, name, lambda dtype: dtype.kind in "iu")
    if value is None:
        refuse(f"its attribute {name} is not a single whole number")
    return int(value)


def json_object(file: h5py.File, name: str) -> dict:
    """Return the JSON object in a text attribute; raise UserError if it is missing, not JSON, or holds NaN."""
    try:
        value = json_files.parse(text(file, name))
    except (ValueError, RecursionError) as error:
        refuse(f"its attribute {name} is not JSON ({error})", error)
    if not isinstance(value, dict):
        refuse(f"its attribute {name} is not a JSON object")
    return value


def group(parent: h5py.Group, name: str) -> h5py.Group:
    """Open a group; raise UserError if it has soft or external links, which could lead to any file."""
    with _guarded(f"its group {name} is missing or damaged"):
        found = h5py.Group(h5g.open(parent.id, name.encode()))
        members = [member.decode() for member in found.id]
        links = [member for member in members if found.id.links.get_info(member.encode()).type != h5l.TYPE_HARD]
    if links:
        refuse(f"it has links instead of {some(links)}")
    return found


def write_array(parent: h5py.Group, name: str, values: np.ndarray, dtype: str) -> None:
    """Write an array of type "f4", "f8" or "u1" in little-endian order, with a checksum as attribute `crc32`.

    HDF5 has checksums of its metadata, but of arrays only in chunks, which `array` refuses because they can be packed.
    """
    dataset = parent.create_dataset(name, data=values, dtype=f"<{dtype}")
    dataset.attrs.create(CHECKSUM, _checksum(values.astype(dtype, copy=False)), dtype="<u4")


def array(parent: h5py.Group, name: str, dtype: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Read an array from a group that was opened by `group`.

    Parameters
    ----------
    parent : h5py.Group
    name : str
    dtype : "f4", "f8" or "u1"
        Type in the file, in either byte order; the result has the machine's byte order.
    shape : tuple of int, optional
        Expected shape; any by default.

    Raises
    ------
    UserError
        If type or shape differ, or the file does not contain all the numbers, which is checked before any number is
        read; or if the numbers do not have the checksum that is stored with them. Older files have no checksums.
    """
    what = f"{parent.name}/{name}"
    with _guarded(f"its {what} is damaged"):
        dataset = h5d.open(parent.id, name.encode())
        layout = dataset.get_create_plist()
        plain = layout.get_layout() in (h5d.COMPACT, h5d.CONTIGUOUS) and not layout.get_external_count()
    if not plain:  # checked first, because just asking for the shape of a virtual dataset opens its source files
        refuse(f"its {what} is chunked, packed, virtual or in another file")
    with _guarded(f"its {what} is damaged"):
        right_type, found = dataset.get_type() in TYPES[dtype], dataset.shape
        stored, file_bytes = dataset.get_storage_size(), parent.file.id.get_filesize()
    if not right_type or found is None:
        refuse(f"its {what} is not an array of type {np.dtype(dtype).name}")
    expected, size = found if shape is None else shape, np.dtype(dtype).itemsize
    if max(prod(found), prod(expected)) * size > file_bytes:
        refuse(f"its {what} must hold more numbers than the whole file")
    if found != expected:
        refuse(f"its {what} has the shape {found} instead of {expected}")
    if stored != prod(found) * size:
        refuse(f"its {what} was never filled with numbers")
    values = np.empty(found, dtype)
    with _guarded(f"its {what} is damaged"):
        dataset.read(h5s.ALL, h5s.ALL, values)
        count = h5a.get_num_attrs(dataset)
        attribute = h5a.open(dataset, index=0) if count else None
    if count > 1 or (attribute and attribute.name != CHECKSUM.encode()):
        refuse(f"its {what} has attributes that are unknown")
    if attribute and _stored_checksum(attribute, what) != _checksum(values):
        refuse(f"its {what} has changed since it was written, because its checksum is wrong")
    return values


def finite_array(parent: h5py.Group, name: str, dtype: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Read an array like `array`; raise UserError also if it holds NaN or infinity."""
    values = array(parent, name, dtype, shape)
    if not np.isfinite(values).all():
        refuse(f"its {parent.name}/{name} holds NaN or infinity")
    return values


def refuse(what: str, cause: Exception | None = None) -> NoReturn:
    """Raise a UserError that says what is wrong with the file."""
    raise UserError(f"{what}; take another copy of the file or write it again.") from cause


def some(names: Collection[str]) -> str:
    """Format at most three names for a message, shortened and in ASCII, because the names are untrusted."""
    shown = ", ".join(ascii(name[:50]) for name in sorted(names)[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _checksum(values: np.ndarray) -> int:
    """Return the CRC-32 of zlib over the numbers in little-endian order: it reveals every burst of up to 32 bits."""
    return crc32(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).data)


def _texts_checksum(file: h5py.File) -> int:
    """Return the CRC-32 of zlib over the names and contents of all texts, each followed by a zero, sorted by name."""
    with _guarded("its attributes are damaged"):
        names = sorted(file.attrs)
    checksum = 0
    for name in names:
        content = _scalar(file, name, lambda dtype: dtype.kind == "S")
        if content is not None:
            checksum = crc32(b"%b\0%b\0" % (name.encode(errors="surrogateescape"), content), checksum)
    return checksum


def _stored_checksum(attribute: h5a.AttrID, what: str) -> int:
    """Return the checksum in an attribute of an array or of the root."""
    value = np.empty((), "u4")
    with _guarded(f"the checksum of its {what} is damaged"):
        if valid := attribute.shape == () and attribute.get_type() in CHECKSUM_TYPES:
            attribute.read(value)
    if not valid:
        refuse(f"the checksum of its {what} is not a single number of 32 bits")
    return int(value)


def _scalar(file: h5py.File, name: str, fits: Callable[[np.dtype], bool]) -> Any:
    """Return an attribute if it is a single value of a fitting type, else None without reading it."""
    with _guarded(f"its attribute {name} is missing or damaged"):
        attribute = file.attrs.get_id(name)
        return file.attrs[name] if attribute.shape == () and fits(attribute.dtype) else None


@contextmanager
def _guarded(what: str) -> Iterator[None]:
    """Turn the errors that h5py raises for damaged files into UserError."""
    try:
        yield
    except (OSError, LookupError, RuntimeError, ValueError, TypeError) as error:
        refuse(what, error)
