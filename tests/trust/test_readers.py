"""Any picture, IDX or TOML file is read or refused in one sentence, whatever is in it.

All kinds of PNG that the format has are read. Mutants of every format of pictures (also PNG whose checksums are right,
and tiled or packed TIFF), of IDX files (also inside gzip) and of descriptions of networks make no reader fail in any
other way than with a UserError: no warning, no word of a library, no crash, and no more memory than promised.
test_hdf5_mutations.py and test_json_mutations.py do the same to weights, checkpoints, JSON and tables of runs.
By default a few hundred mutants of each format are tried, with -m long 10,000.
"""

import gzip
import random
import struct
import traceback
import warnings
import zlib
from copy import deepcopy
from functools import partial
from io import BytesIO

import numpy as np
import pytest
from mutations import ODD, answer, changed_bytes, counts, memory_below
from PIL import ExifTags, Image

from fastdigits.data.formats import idx
from fastdigits.errors import UserError
from fastdigits.imaging import MAX_DECODER_BYTES, decoder_bytes, read_picture
from fastdigits.models import description
from fastdigits.nn import Network

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


def encoded(image, file_type, **options):
    file = BytesIO()
    image.save(file, file_type, **options)
    return file.getvalue()


def tiled_tiff(compression):
    """Encode 32 x 32 gray levels in four tiles; Pillow writes no such file."""
    tiles = [bytes(range(start, start + 128)) * 2 for start in (0, 40, 80, 120)]
    tiles = [{RAW: bytes, LZW: lzw, DEFLATE: zlib.compress}[compression](tile) for tile in tiles]
    end = 8 + 2 + 12 * 10 + 4  # of the directory, where the places and sizes of the tiles follow
    places = [end + 32 + sum(map(len, tiles[:number])) for number in range(4)]
    tags = [(256, 32), (257, 32), (258, 8), (259, compression), (262, 1), (277, 1), (322, 16), (323, 16)]
    fields = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags]
    fields += [struct.pack("<HHII", 324, 4, 4, end), struct.pack("<HHII", 325, 4, 4, end + 16)]
    directory = struct.pack("<H", len(fields)) + b"".join(fields) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<8I", *places, *map(len, tiles)) + b"".join(tiles)


def lzw(content):
    """Compress bytes without making them smaller: codes of 9 bits, and none for more than one byte."""
    codes = [256]
    for start in range(0, len(content), 200):
        codes += [*content[start : start + 200], 256]
    codes[-1] = 257
    bits = np.unpackbits(np.array(codes, ">u2").view(np.uint8)).reshape(-1, 16)[:, 7:]
    return np.packbits(bits).tobytes()


RAW, LZW, DEFLATE = 1, 5, 8
COLORS = Image.fromarray(np.random.default_rng(2).integers(0, 256, (17, 23, 3)).astype(np.uint8))
GRAYS, PALETTED, OPAQUE = COLORS.convert("L"), COLORS.convert("P"), COLORS.convert("RGBA")
DEEP = Image.fromarray(np.asarray(GRAYS).astype(np.uint16) * 200)
TURNED = Image.Exif()
TURNED[ExifTags.Base.Orientation] = 6
PICTURES = {
    "PNG": [png(color, depth, interlaced=depth == 8) for color, depth in KINDS],
    "JPEG": [
        encoded(COLORS, "JPEG", exif=TURNED),
        encoded(GRAYS, "JPEG", optimize=True),
        encoded(COLORS.convert("CMYK"), "JPEG", restart_marker_blocks=2),
    ],
    "progressive JPEG": [encoded(image, "JPEG", progressive=True, exif=TURNED) for image in (COLORS, GRAYS)],
    "GIF": [
        encoded(PALETTED, "GIF", interlace=1, transparency=3),
        encoded(PALETTED, "GIF", save_all=True, append_images=[PALETTED.rotate(180)]),
    ],
    "TIFF": [
        *(encoded(COLORS, "TIFF", compression=name) for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")),
        *(tiled_tiff(compression) for compression in (RAW, LZW, DEFLATE)),
        encoded(COLORS, "TIFF", compression="jpeg"),
        encoded(COLORS.convert("1"), "TIFF", compression="group4"),
        encoded(DEEP, "TIFF", tiffinfo={ExifTags.Base.Orientation: 6}),
        encoded(GRAYS.convert("F"), "TIFF", compression="tiff_lzw"),
        encoded(OPAQUE, "TIFF", save_all=True, append_images=[COLORS]),
    ],
    "WebP": [
        encoded(COLORS, "WEBP", exif=TURNED),
        encoded(OPAQUE, "WEBP", lossless=True),
        encoded(COLORS, "WEBP", save_all=True, append_images=[COLORS.rotate(180)]),
    ],
    "BMP": [encoded(image, "BMP") for image in (COLORS, PALETTED, OPAQUE, GRAYS.convert("1"))],
}
ALL_PICTURES = [content for contents in PICTURES.values() for content in contents]


@pytest.fixture
def as_users_see_it(capfd):
    """Fail at the end if Python warned of anything that a user would see, or a library printed something."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", module=r"PIL\.")  # as fastdigits does
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield
    assert not [str(warning.message) for warning in said]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("compression", [RAW, LZW, DEFLATE])
def test_tiles_are_read(compression):
    pixels = read_picture(tiled_tiff(compression))
    assert (pixels.shape, pixels[0, 0, 0], pixels[31, 31, 0]) == ((32, 32, 3), 0, 247)


def with_checksums(content):
    """Write the right checksum into each chunk of a PNG, as far as there are chunks."""
    right = bytearray(content)
    at = len(SIGNATURE)
    while at + 12 <= len(right):
        end = at + 8 + int.from_bytes(right[at : at + 4])
        right[end : end + 4] = zlib.crc32(right[at + 4 : end]).to_bytes(4)
        at = end + 4
    return bytes(right)


def check_picture(content):
    """Read a picture; its refusal must not hide a mistake of ours, as all errors are turned into UserErrors."""
    header, pixels = answer(partial(decoder_bytes, content)), answer(partial(read_picture, content))
    if isinstance(pixels, UserError):
        if pixels.__cause__:
            *_, (frame, _) = traceback.walk_tb(pixels.__cause__.__traceback__)
            assert "fastdigits" not in frame.f_globals["__name__"]
        return False
    assert header <= MAX_DECODER_BYTES
    assert pixels.dtype == np.uint8
    assert pixels.shape[2:] == (3,)
    assert pixels.size
    return True


@pytest.mark.usefixtures("as_users_see_it")
@pytest.mark.parametrize("count", counts(250))
@pytest.mark.parametrize("file_type", PICTURES)
def test_mutated_pictures(file_type, count):
    chance, accepted = random.Random(file_type), 0
    with memory_below(300 * 2**20):
        for number in range(count):
            seeds = PICTURES[file_type]
            content = changed_bytes(seeds[number % len(seeds)], chance, ALL_PICTURES)
            if file_type == "PNG" and chance.randrange(2):
                content = with_checksums(content)
            accepted += check_picture(content)
    assert count / 20 < accepted < count


IMAGES = struct.pack(">IIII", 0x803, 3, 4, 5) + bytes(range(60))
LABELS = struct.pack(">II", 0x801, 7) + bytes(range(7))
LAYERS = [
    {"type": "Conv2D", "filters": 8, "kernel": [5, 5], "stride": 2, "padding": "same"},
    {"type": "Residual", "layers": [{"type": "LeakyReLU", "slope": 0.1}], "projection": False},
    {"type": "Flatten"},
    {"type": "Dense", "units": 10},
]


@pytest.mark.usefixtures("as_users_see_it")
@pytest.mark.parametrize("count", counts(150))
@pytest.mark.parametrize(
    ("content", "read"),
    [(IMAGES, idx.read_images), (IMAGES, idx.read_image_sizes), (LABELS, idx.read_labels)],
    ids=["images", "sizes", "labels"],
)
def test_mutated_idx_files(content, read, count, tmp_path):
    path, chance, packed = tmp_path / "file", random.Random(read.__name__), gzip.compress(content)
    ways = [
        lambda: changed_bytes(content, chance, [IMAGES, LABELS, packed]),
        lambda: changed_bytes(packed, chance, [IMAGES, LABELS, packed]),
        lambda: gzip.compress(changed_bytes(content, chance, [IMAGES, LABELS, packed])),
    ]
    accepted = 0
    with memory_below(50 * 2**20):
        for number in range(count):
            path.write_bytes(ways[number % len(ways)]())
            accepted += not isinstance(answer(partial(read, path)), UserError)
    assert 0 < accepted < count


@pytest.mark.parametrize(
    "content",
    [gzip.compress(IMAGES + bytes(2**27), 1), struct.pack(">IIII", 0x803, 2**10, 2**10, 2**10)],
    ids=["packed zeros", "header"],
)
def test_idx_files_that_announce_much_take_little_memory(content, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(content)
    with memory_below(50 * 2**20), pytest.raises(UserError):
        idx.read_images(path)


def odd_layers(chance):
    """Return the text of layers of which some have odd values."""
    layers = deepcopy(LAYERS)
    for _ in range(chance.choice((1, 1, 2))):
        layer = chance.choice(layers)
        layer[chance.choice([name for name in layer if name != "layers"])] = chance.choice(ODD)
    return description.write(layers).encode(errors="surrogatepass")


@pytest.mark.usefixtures("as_users_see_it")
@pytest.mark.parametrize("count", counts(300))
def test_mutated_descriptions(count, tmp_path):
    path, chance, accepted = tmp_path / "net.toml", random.Random("toml"), 0
    content = description.write(LAYERS).encode()
    path.write_bytes(content)
    assert network_of(path)
    with memory_below(50 * 2**20):
        for number in range(count):
            path.write_bytes(odd_layers(chance) if number % 2 else changed_bytes(content, chance, [content]))
            accepted += not isinstance(answer(partial(network_of, path)), UserError)
    assert 0 < accepted < count


@pytest.mark.parametrize(
    "layer",
    [
        'type = "\\u001b[2J"',
        f'type = "Dense"\nunits = "{"x" * 10_000}"',
        f'type = "{"x" * 10_000}"',
        f'type = "Dense"\nunits = 10\n{"x" * 10_000} = 1',
        f'type = "Dense"\nunits = 0x{"f" * 5000}',
        f'type = "Dropout"\nrate = 0x{"f" * 5000}',
        f'type = "Conv2D"\nfilters = 8\nkernel = [{10**400}, {10**400}]',
    ],
    ids=["escape", "long text", "long type", "long field", "long number", "long fraction", "large numbers"],
)
def test_descriptions_whose_messages_were_long_or_none(layer, tmp_path):
    path = tmp_path / "net.toml"
    path.write_text(f"[[layer]]\n{layer}\n")
    assert isinstance(answer(partial(network_of, path)), UserError)


def network_of(path):
    return Network(description.read(str(path)), (1, 28, 28))
