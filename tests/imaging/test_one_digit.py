import numpy as np
import pytest
from pictures import scenes
from pictures.alphabet import DIGITS
from pictures.glyphs import from_strokes

from fastdigits.data import load_part
from fastdigits.imaging import candidates, prepare
from fastdigits.imaging.components import holes
from fastdigits.imaging.mnist_format import MAX_STROKE_WIDTH, MIN_STROKE_WIDTH, _resize_field, stroke_width

PAPER, INK = (0.92, 0.9, 0.86), (0.1, 0.15, 0.5)
STEADY = {"rotate_deg": 0, "slant": 0, "squeeze": 0}


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture(scope="module")
def glyph():
    return from_strokes(DIGITS["4"][2], 0.1)


def cover(rng, glyph, size=80, middle=(60, 60), side=120, width=None):
    distance = glyph.edge if width is None else scenes.uniform(glyph, width)
    return scenes.placed(rng, distance, side, side, size, middle, **STEADY)


def drawn(rng, glyph, background=PAPER, ink=INK, **place):
    """Draw a digit, float 0 .. 1."""
    coverage = cover(rng, glyph, **place)
    return scenes.inked(scenes.sheet(*coverage.shape, background), coverage, ink)


def prepared_photo(rng, picture):
    return prepare(scenes.photographed(rng, picture, 0, 0, None)).image


def difference(a, b):
    """The mean absolute difference of the pixels, relative to the mean of b."""
    a, b = a.astype(float), b.astype(float)
    return np.abs(a - b).mean() / b.mean()


def ink_box(image):
    rows, columns = (np.flatnonzero((image > 127).any(axis)) for axis in (1, 0))
    return rows[0], columns[0], np.ptp(rows) + 1, np.ptp(columns) + 1


def stroke_pixels(image):
    return stroke_width(_resize_field(image.astype(np.float32) / 255, 4) > 0.5) / 4


@pytest.fixture
def reference(rng, glyph):
    return prepared_photo(rng, drawn(rng, glyph))


def test_images_of_mnist_hardly_change():
    """They are in the format already, but some have specks, which preparation drops."""
    images, _ = load_part("mnist", "train")
    typical = [image for image in images[:60] if MIN_STROKE_WIDTH < stroke_pixels(image) < MAX_STROKE_WIDTH]
    correlations = [np.corrcoef(prepare(image).image.reshape(-1), image.reshape(-1))[0, 1] for image in typical]
    assert np.median(correlations) > 0.95
    assert np.mean(np.array(correlations) > 0.85) > 0.9


def test_the_digit_is_20_pixels_long_and_centered_by_mass(rng, glyph):
    for digit in "0258":
        for size, middle in ((30, (30, 90)), (75, (60, 60)), (100, (60, 60))):
            image = prepared_photo(
                rng, drawn(rng, from_strokes(DIGITS[digit][0], 0.1), size=size, middle=middle)
            ).astype(float)
            *_, height, width = ink_box(image)
            assert max(height, width) in (19, 20, 21)
            for axis in (0, 1):
                assert abs(image.sum(axis) @ np.arange(28) / image.sum() - 14) < 0.3


def test_proportions_are_kept(rng):
    one = prepared_photo(rng, drawn(rng, from_strokes(DIGITS["1"][0], 0.1)))
    *_, height, width = ink_box(one)
    assert height >= 19
    assert width <= 4


@pytest.mark.parametrize("size", [24, 40, 110])
@pytest.mark.parametrize("middle", [(60, 60), (40, 75)])
def test_size_and_position_do_not_matter(rng, glyph, reference, size, middle):
    if size == 110:
        middle = (60, 60)
    assert difference(prepared_photo(rng, drawn(rng, glyph, size=size, middle=middle)), reference) < 0.3


@pytest.mark.parametrize(
    ("background", "ink"),
    [
        ((0, 0, 0), (1, 1, 1)),
        ((0.1, 0.2, 0.15), (0.9, 0.9, 0.8)),
        ((0.5, 0.5, 0.5), (0.8, 0.8, 0.8)),
        ((0.5, 0.5, 0.5), (0.2, 0.2, 0.2)),
        ((1, 0.7, 0.75), (0.1, 0.2, 0.6)),
        ((0.1, 0.5, 0.5), (1, 1, 1)),
        ((0.1, 0.5, 0.5), (0.7, 0.1, 0.1)),
        ((0.95, 0.9, 0.3), (1, 1, 1)),
        ((0.2, 0.3, 0.9), (0.9, 0.2, 0.1)),
    ],
)
def test_ink_of_any_color_on_any_background(rng, glyph, reference, background, ink):
    assert difference(prepared_photo(rng, drawn(rng, glyph, background, ink)), reference) < 0.15


def test_colors_of_equal_luminance_are_distinguished(rng, glyph, reference):
    red, green = (0.9, 0.2, 0.3), (0.3, 0.506, 0.3)  # equal luminance, 0.299 r + 0.587 g + 0.114 b
    assert np.dot(np.subtract(red, green), (0.299, 0.587, 0.114)) == pytest.approx(0, abs=1e-3)
    assert difference(prepared_photo(rng, drawn(rng, glyph, red, green)), reference) < 0.15


@pytest.mark.parametrize("down", [False, True])
def test_a_brightness_gradient_does_not_matter(rng, glyph, reference, down):
    slope = np.linspace(1, 0.35, 120)
    picture = drawn(rng, glyph) * (slope[:, None, None] if down else slope[None, :, None])
    assert difference(prepared_photo(rng, picture), reference) < 0.2


def test_a_shadow_does_not_matter(rng, glyph, reference):
    picture = drawn(rng, glyph)
    picture[:, :55] *= 0.55
    assert difference(prepared_photo(rng, picture), reference) < 0.25


def test_noise_blur_and_jpeg_hardly_matter(rng, glyph, reference):
    picture = scenes.photographed(rng, drawn(rng, glyph), 1.5, 0.03, 50)
    assert difference(prepare(picture).image, reference) < 0.35


def test_specks_are_dropped(rng, glyph, reference):
    specks = scenes.specked(rng, drawn(rng, glyph), 0, 1)
    for y, x in ((5, 5), (110, 30), (8, 100), (60, 4)):
        specks[y : y + 3, x : x + 3] = INK
    assert difference(prepared_photo(rng, specks), reference) < 0.15


def test_what_a_digit_encloses_is_marked(rng):
    """In uneven light, the paper in a zero is bright ink for one of the candidates."""
    zero = drawn(rng, from_strokes(DIGITS["0"][0], 0.1)) * np.linspace(1, 0.4, 120)[:, None, None]
    found = [*candidates(scenes.photographed(rng, zero, 0.7, 0.01, None))]
    assert not found[0].enclosed
    inner = [one for one in found if one.enclosed]
    assert any(one.box.width < found[0].box.width and one.box.height < found[0].box.height for one in inner)


def test_holes():
    """A hole is not connected to the edges by its sides; corners do not connect."""
    mask = np.array([[1, 1, 1, 0, 1], [1, 0, 1, 0, 0], [0, 1, 1, 1, 1], [0, 1, 0, 0, 1], [1, 1, 1, 1, 1]], bool)
    expected = np.zeros((5, 5), bool)
    expected[1, 1] = expected[3, 2] = expected[3, 3] = True
    assert (holes(mask) == expected).all()
    assert not holes(np.zeros((3, 4), bool)).any()
    assert not holes(np.ones((3, 4), bool)).any()


@pytest.mark.parametrize("squares", [False, True])
def test_ruled_lines_are_removed(rng, glyph, reference, squares):
    background = scenes.ruled(rng, scenes.sheet(120, 120, PAPER), (0.4, 0.4, 0.6), 0.9, 25, squares)
    picture = scenes.inked(background, cover(rng, glyph), INK)
    assert difference(prepared_photo(rng, picture), reference) < 0.5


def test_a_sheet_of_paper_on_a_table_is_the_background(rng, glyph, reference):
    picture = scenes.sheet(200, 200, (0.3, 0.2, 0.15))
    picture[40:160, 40:160] = drawn(rng, glyph, size=70)
    assert difference(prepared_photo(rng, picture), reference) < 0.25


@pytest.mark.parametrize("width", [0.012, 0.03, 0.3])
def test_strokes_get_a_usual_width(rng, glyph, width):
    image = prepared_photo(rng, drawn(rng, glyph, size=240, middle=(200, 200), side=400, width=width))
    assert MIN_STROKE_WIDTH - 0.4 < stroke_pixels(image) < MAX_STROKE_WIDTH + 0.6


def test_pieces_of_a_broken_stroke_stay_together(rng, glyph, reference):
    picture = drawn(rng, glyph)
    picture[[30, 45, 46, 75]] = PAPER
    assert difference(prepared_photo(rng, picture), reference) < 0.3


def test_a_digit_that_touches_the_edges_is_complete(rng):
    seven = from_strokes(DIGITS["7"][0], 0.12)
    whole = prepared_photo(rng, drawn(rng, seven, size=80))
    tight = scenes.photographed(rng, drawn(rng, seven, size=108), 0, 0, None)
    rows, columns = (np.flatnonzero((tight < 200).any((2, axis))) for axis in (1, 0))
    tight = tight[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert difference(prepare(tight).image, whole) < 0.3


def test_the_box_is_where_the_ink_is(rng, glyph):
    for side in (120, 1400):  # at its own size, and scaled down
        size, middle = side / 4, (side * 0.7, side * 0.3)
        coverage = cover(rng, glyph, size, middle, side)
        rows, columns = (np.flatnonzero((coverage > 0.5).any(axis)) for axis in (1, 0))
        box = prepare(np.round(255 * (1 - coverage)).astype(np.uint8)).box
        expected = columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1
        assert np.abs(np.subtract(box, expected)).max() <= max(2, side / 200)


def test_steps_start_with_the_picture_and_end_with_the_image(rng, glyph):
    prepared = prepare(scenes.photographed(rng, drawn(rng, glyph), 0, 0, None))
    assert [step.name for step in prepared.steps] == ["picture", "ink", "components", "28 x 28"]
    assert all(step.picture.dtype == np.uint8 for step in prepared.steps)
    assert (prepared.steps[-1].picture == prepared.image).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 2, 3), (3, 700), (28, 28), (90, 90, 3)])
@pytest.mark.parametrize("level", [0, 117, 255])
def test_a_blank_picture_gives_an_empty_image(shape, level):
    prepared = prepare(np.full(shape, level, np.uint8))
    assert prepared.image.shape == (28, 28)
    assert not prepared.image.any()
    assert prepared.box is None


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (2, 3, 3), (5, 90), (33, 7, 3), (120, 130, 3)])
def test_noise_of_any_shape_is_prepared(rng, shape):
    for share in (0.02, 0.5, 0.98):
        picture = np.where(rng.random(shape) < share, 255, 0).astype(np.uint8)
        for prepared in candidates(picture):
            assert prepared.image.shape == (28, 28)
            assert prepared.image.dtype == np.uint8


def test_the_picture_is_not_modified(rng, glyph):
    picture = scenes.photographed(rng, drawn(rng, glyph), 0.5, 0.02, None)
    before = picture.copy()
    list(candidates(picture))
    assert (picture == before).all()


def test_a_small_digit_in_a_large_picture_is_prepared_at_full_resolution(rng, glyph, reference):
    coverage = cover(rng, glyph, 60, (1500, 300), 2000)
    prepared = prepare(np.round(255 * (1 - 0.8 * coverage)).astype(np.uint8))
    assert difference(prepared.image, reference) < 0.2
    assert abs(prepared.box.top + prepared.box.height / 2 - 1500) < 4
    assert abs(prepared.box.left + prepared.box.width / 2 - 300) < 4
