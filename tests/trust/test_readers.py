"""Every PNG is read, or refused in one sentence: all kinds the format has, and broken ones. So are any IDX and TOML."""

import gzip
import random
import struct
import zlib
from contextlib import suppress
from functools import partial

import numpy as np
import pytest

from fastdigits.data import idx
from fastdigits.errors import UserError
from fastdigits.imaging import read_picture
from fastdigits.models import description

GRAY, RGB, PALETTE, GRAY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGB_ALPHA: 4}
DEPTHS = {GRAY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GRAY_ALPHA: (8, 16), RGB_ALPHA: (8, 16)}
KINDS = [(color, depth) for color, depths in DEPTHS.items() for depth in depths]
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIDES = (9, 13)


def chunk(name, content, crc=None):
    crc = zlib.crc32(name + content) if crc is None else crc
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)


def scanlines(values, depth):
    """Encode levels (H, W, C), each row after a filter byte of 0."""
    lines = values.reshape(len(values), -1)
    if depth == 16:
        coded = lines.astype(">u2").view(np.uint8)
    else:
        bits = np.unpackbits(lines.astype(np.uint8)[..., None], axis=2)[..., 8 - depth :]
        coded = np.packbits(bits.reshape(len(lines), -1), axis=1)
    return np.pad(coded, ((0, 0), (1, 0))).tobytes() if values.size else b""


def levels(color, depth):
    top = 2 ** (8 if color == PALETTE and depth == 8 else depth)
    return np.random.default_rng([color, depth]).integers(0, top, (*SIDES, CHANNELS[color]))


PALETTE_COLORS = np.random.default_rng(1).integers(0, 256, (256, 3)).astype(np.uint8)


def header(color, depth, interlaced=False, sides=SIDES):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", sides[1], sides[0], depth, color, 0, 0, int(interlaced)))


def png(color, depth, interlaced=False, extra=b""):
    values = levels(color, depth)
    parts = [values[i::di, j::dj] for i, j, di, dj in ADAM7] if interlaced else [values]
    data = zlib.compress(b"".join(scanlines(part, depth) for part in parts))
    palette = chunk(b"PLTE", PALETTE_COLORS[: 2**depth].tobytes()) if color == PALETTE else b""
    gamma = extra if extra[4:8] == b"gAMA" else b""
    transparency = extra if extra[4:8] == b"tRNS" else b""
    return (
        SIGNATURE
        + header(color, depth, interlaced)
        + gamma
        + palette
        + transparency
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def expected(color, depth):
    """The RGB pixels of an opaque picture of at most 8 bits."""
    values = levels(color, depth)
    if color == PALETTE:
        return PALETTE_COLORS[values[..., 0]]
    return np.broadcast_to(values * 255 // (2**depth - 1), (*SIDES, 3))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("color", "depth"), KINDS)
def test_every_kind_of_png_is_read(color, depth, interlaced):
    for extra in (b"", chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"gAMA", struct.pack(">I", 0))):
        pixels = read_picture(png(color, depth, interlaced, extra))
        assert (pixels.shape, pixels.dtype) == ((*SIDES, 3), np.uint8)
        if color in (GRAY, RGB, PALETTE) and depth <= 8:
            assert (pixels == expected(color, depth)).all()


@pytest.mark.parametrize(("color", "depth"), [kind for kind in KINDS if kind[0] in (GRAY, RGB, PALETTE)])
def test_transparent_colors_are_read(color, depth):
    content = {GRAY: struct.pack(">H", 1), RGB: struct.pack(">HHH", 1, 2, 3), PALETTE: bytes([0, 128])}[color]
    assert read_picture(png(color, depth, extra=chunk(b"tRNS", content))).shape == (*SIDES, 3)


BODY = zlib.compress(scanlines(levels(GRAY, 8), 8))
END = chunk(b"IEND", b"")
BROKEN = {
    "only the signature": SIGNATURE,
    "no header": SIGNATURE + chunk(b"IDAT", BODY) + END,
    "no pixels": SIGNATURE + header(GRAY, 8) + END,
    "empty pixels": SIGNATURE + header(GRAY, 8) + chunk(b"IDAT", b"") + END,
    "height 0": SIGNATURE + header(GRAY, 8, sides=(0, 13)) + chunk(b"IDAT", BODY) + END,
    "width 0": SIGNATURE + header(GRAY, 8, sides=(9, 0)) + chunk(b"IDAT", BODY) + END,
    "too many pixels": SIGNATURE + header(GRAY, 8, sides=(2**31 - 1, 2**31 - 1)) + chunk(b"IDAT", BODY) + END,
    "fewer pixels than the header says": SIGNATURE + header(GRAY, 8, sides=(90, 130)) + chunk(b"IDAT", BODY) + END,
    "no such color type": SIGNATURE + header(5, 8) + chunk(b"IDAT", BODY) + END,
    "no such depth": SIGNATURE + header(GRAY, 3) + chunk(b"IDAT", BODY) + END,
    "wrong checksum of the header": SIGNATURE + chunk(b"IHDR", header(GRAY, 8)[8:-4], 0) + chunk(b"IDAT", BODY) + END,
    "pixels that do not decompress": SIGNATURE + header(GRAY, 8) + chunk(b"IDAT", b"\xff" * 40) + END,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_pngs_are_refused_in_one_sentence(content):
    with pytest.raises(UserError) as refused:
        read_picture(content)
    assert "\n" not in str(refused.value)


def test_pixels_are_read_if_their_own_checksum_is_right():
    content = SIGNATURE + header(GRAY, 8) + chunk(b"IDAT", BODY, crc=0) + END
    assert (read_picture(content) == expected(GRAY, 8)).all()
    wrong = BODY[:-1] + bytes([BODY[-1] ^ 1])
    with pytest.raises(UserError):
        read_picture(SIGNATURE + header(GRAY, 8) + chunk(b"IDAT", wrong) + END)


def reading_works_or_is_refused(read):
    with suppress(UserError):
        read()


def mutations(content, count, seed=0):
    """Yield a content with bytes changed, cut off, repeated or removed."""
    rng = random.Random(seed)
    for _ in range(count):
        changed = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            at, size = rng.randrange(len(changed) + 1), rng.randint(1, 8)
            change = rng.choice(["set", "set", "cut", "repeat", "remove"])
            if change == "set":
                changed[at : at + 1] = bytes([rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])])
            elif change == "cut":
                del changed[at:]
            elif change == "repeat":
                changed[at:at] = changed[at : at + size]
            else:
                del changed[at : at + size]
        yield bytes(changed)


@pytest.mark.parametrize(("color", "depth"), KINDS)
def test_mutated_pngs(color, depth):
    for content in mutations(png(color, depth, interlaced=depth == 8), 40):
        reading_works_or_is_refused(partial(read_picture, content))


IMAGES = struct.pack(">IIII", 0x803, 3, 4, 5) + bytes(range(60))
LABELS = struct.pack(">II", 0x801, 7) + bytes(range(7))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(("content", "read"), [(IMAGES, idx.read_images), (LABELS, idx.read_labels)])
def test_mutated_idx_files(content, read, compressed, tmp_path):
    path = tmp_path / "file"
    for changed in mutations(gzip.compress(content) if compressed else content, 150):
        path.write_bytes(changed)
        reading_works_or_is_refused(partial(read, path))


def test_mutated_descriptions(tmp_path):
    path = tmp_path / "net.toml"
    layers = [{"type": "Conv2D", "filters": 8, "kernel": 5}, {"type": "Flatten"}, {"type": "Dense", "units": 10}]
    text = description.write(layers)
    path.write_text(text)
    assert description.read(str(path))
    for changed in mutations(text.encode(), 300):
        path.write_bytes(changed)
        reading_works_or_is_refused(partial(description.read, str(path)))
