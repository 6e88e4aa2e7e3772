import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from fastdigits.errors import UserError
from fastdigits.imaging import Box, open_picture, read_picture
from fastdigits.imaging.picture import MAX_KEPT_SIDE

ROWS = np.arange(6 * 9 * 3, dtype=np.uint8).reshape(6, 9, 3)


def content(image, file_type, **options):
    file = BytesIO()
    image.save(file, file_type, **options)
    return file.getvalue()


def png(width, height):
    """Create a PNG that declares a size but contains no pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("file_type", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_keep_the_pixels(file_type, tmp_path):
    path = tmp_path / f"a.{file_type.lower()}"
    Image.fromarray(ROWS).save(path)
    assert (read_picture(path) == ROWS).all()
    assert (read_picture(path.read_bytes()) == ROWS).all()


@pytest.mark.parametrize("file_type", ["JPEG", "WEBP", "GIF"])
def test_lossy_formats_nearly_keep_the_pixels(file_type):
    color = np.broadcast_to(np.uint8([200, 40, 90]), (16, 24, 3))
    pixels = read_picture(content(Image.fromarray(color), file_type))
    assert pixels.shape == (16, 24, 3)
    assert np.abs(pixels.astype(int) - color).max() <= 6


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr"])
def test_every_color_mode_is_supported(mode):
    image = Image.fromarray(np.uint8([[0, 255], [255, 0]])).convert("RGB").convert(mode)
    pixels = read_picture(
        content(
            image,
            "JPEG" if mode in ("CMYK", "YCbCr") else "PNG",
            **{"quality": 100} if mode in ("CMYK", "YCbCr") else {},
        )
    )
    assert pixels.dtype == np.uint8
    assert (pixels[0, 1] > pixels[0, 0]).all()


@pytest.mark.parametrize(
    ("dtype", "file_type"), [("uint16", "PNG"), ("uint16", "TIFF"), ("int32", "TIFF"), ("float32", "TIFF")]
)
def test_gray_levels_of_more_than_8_bits_are_stretched(dtype, file_type):
    levels = np.array([[100, 1100], [2100, 4100]], dtype)
    pixels = read_picture(content(Image.fromarray(levels), file_type))
    assert pixels[..., 0].tolist() == [[0, 64], [128, 255]]
    assert (pixels == pixels[..., :1]).all()


def test_levels_that_are_not_finite_are_black():
    levels = np.array([[np.nan, 1], [np.inf, 3]], np.float32)
    assert read_picture(content(Image.fromarray(levels), "TIFF"))[..., 0].tolist() == [[0, 0], [0, 255]]


@pytest.mark.parametrize(("ink", "background"), [((0, 0, 0), 255), ((255, 255, 0), 0)])
def test_a_transparent_background_contrasts_with_the_ink(ink, background):
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[1] = (*ink, 255)
    pixels = read_picture(content(Image.fromarray(rgba), "PNG"))
    assert (pixels[0] == background).all()
    assert (pixels[1] == ink).all()


def test_a_transparent_color_of_a_palette_becomes_background():
    image = Image.new("P", (3, 3), 0)
    image.putpalette([250, 0, 0, 0, 0, 250])
    image.putpixel((1, 1), 1)
    pixels = read_picture(content(image, "GIF", transparency=0))
    assert (pixels[0, 0] == 255).all()
    assert pixels[1, 1].tolist() == [0, 0, 250]


def test_the_orientation_in_exif_data_is_applied():
    image = Image.fromarray(ROWS)
    exif = image.getexif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise
    assert (read_picture(content(image, "PNG", exif=exif)) == np.rot90(ROWS, -1)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_type", ["PNG", "TIFF"])
def test_every_orientation_is_applied(orientation, file_type):
    image, upright = Image.fromarray(ROWS), Image.fromarray(ROWS)
    image.getexif()[0x0112] = upright.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(upright))
    assert (read_picture(content(image, file_type, exif=image.getexif())) == expected).all()


def with_square(side, scale):
    """Gray levels with a bright square; the picture is `side` wide and half as high."""
    levels = np.full((side // 2, side), 20 * scale)
    levels[side // 8 : side // 4, side // 2 : side // 2 + side // 8] = 240 * scale
    return levels


@pytest.mark.parametrize(
    ("file_type", "dtype"),
    [("PNG", "uint8"), ("PNG", "uint16"), ("TIFF", "float32"), ("JPEG", "uint8"), ("WEBP", "uint8"), ("GIF", "uint8")],
)
@pytest.mark.parametrize("side", [3202, 5002])
def test_large_pictures_are_reduced(file_type, dtype, side):
    levels = with_square(side, 1 if dtype == "uint8" else 200).astype(dtype)
    options = {"method": 0} if file_type == "WEBP" else {}
    picture = open_picture(content(Image.fromarray(levels), file_type, **options))
    assert picture.file_shape == levels.shape
    H, W, _ = picture.pixels.shape
    assert MAX_KEPT_SIDE / 2 <= W <= MAX_KEPT_SIDE
    assert abs(H - W / 2) <= 1
    rows, columns = (np.flatnonzero((picture.pixels[..., 0] > 130).any(axis)) for axis in (1, 0))
    box = Box(int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
    expected = side // 2, side // 8, side // 8, side // 4 - side // 8
    assert np.abs(np.subtract(picture.box_in_file(box), expected)).max() <= 4


def test_a_large_transparent_picture_is_put_on_the_background():
    rgba = np.zeros((400, 3300, 4), np.uint8)
    rgba[100:200, 300:600] = 0, 0, 0, 255
    pixels = read_picture(content(Image.fromarray(rgba), "PNG"))
    assert pixels.shape == (200, 1650, 3)
    assert (pixels[:40] == 255).all()
    assert (pixels[60:90, 160:290] == 0).all()


def test_a_large_rotated_picture_is_upright():
    levels = with_square(3400, 1).astype(np.uint8)
    image = Image.fromarray(levels)
    image.getexif()[0x0112] = 6
    picture = open_picture(content(image, "JPEG", exif=image.getexif()))
    assert picture.file_shape == (3400, 1700)
    assert picture.pixels.shape == (1700, 850, 3)
    assert picture.pixels[1000, 600, 0] > 200


@pytest.mark.parametrize("file_type", ["GIF", "TIFF", "WEBP"])
def test_the_first_of_several_frames_is_returned(file_type):
    frames = [Image.new("RGB", (5, 5), color) for color in ("black", "white", "white")]
    file = content(frames[0], file_type, save_all=True, append_images=frames[1:])
    assert read_picture(file).max() < 10


def test_a_truncated_picture_is_refused_wherever_it_is_cut():
    for file_type in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"):
        whole = content(Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)), file_type)
        for length in range(1, len(whole) * 3 // 4, max(1, len(whole) // 40)):
            with pytest.raises(UserError, match=r"damaged or cut short|not a picture"):
                read_picture(whole[:length])


def test_damaged_files_raise_only_user_errors():
    rng = np.random.default_rng(2)
    for file_type in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"):
        whole = content(Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)), file_type)
        for _ in range(60):
            damaged = bytearray(whole)
            for place in rng.integers(0, len(whole), 4):
                damaged[place] = rng.integers(256)
            try:
                pixels = read_picture(bytes(damaged))
            except UserError:
                continue
            assert pixels.ndim == 3


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_000), (200_000, 200_000), (40_000, 2)])
def test_huge_pictures_are_refused_before_they_are_decoded(width, height):
    with pytest.raises(UserError, match="make it smaller"):
        read_picture(png(width, height))


def test_the_limit_can_be_lowered():
    file = content(Image.fromarray(ROWS), "PNG")
    assert read_picture(file, max_pixels=54).shape == (6, 9, 3)
    with pytest.raises(UserError, match="9 x 6 pixels, more than the limit of 53 in total"):
        read_picture(file, max_pixels=53)


@pytest.mark.parametrize(
    ("file", "says"), [(b"", "empty"), (b"%PDF-1.4", "not a picture"), (b"GIF89a", "damaged|not a")]
)
def test_other_files_are_refused(file, says):
    with pytest.raises(UserError, match=says):
        read_picture(file)


def test_errors_begin_with_the_path(tmp_path):
    for path, says in ((tmp_path / "none.png", "cannot be read"), (tmp_path, "not a file")):
        with pytest.raises(UserError, match=says) as error:
            read_picture(path)
        assert str(error.value).startswith(f"{path}: ")


def test_other_formats_are_not_opened():
    """Pillow would run another program to open PostScript."""
    with pytest.raises(UserError, match="not a picture"):
        read_picture(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n")
