"""The HTML page in headless Chromium: its scores, how it prepares drawings, and drawing on it."""

import chromium
import numpy as np
import pytest
from chromium import LETTER_A, NARROW, SEVEN, THREE, WIDE, draw, find, set_window, touch, until, wait_for_digit
from exported import NETWORKS, PREPARATIONS, random_weights, saved_of, scores_of
from outside import scores_of_page
from PIL import Image, ImageDraw

from fastdigits import UserError, export, imaging
from fastdigits.data.preprocessing import Preparation
from fastdigits.data.sources import shipped_folder
from fastdigits.inference.recognizer import Recognizer
from fastdigits.nn import Conv2D, Dense, Flatten, Network
from fastdigits.storage.weights import read

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

SMALL = 1_000_000  # bytes
SIDE = 140  # pixels of a drawing
STROKES = {
    "a three": [(x / 100, y / 100) for x, y in THREE],
    "a small seven": [(0.1 + 0.3 * x / 100, 0.6 + 0.3 * y / 100) for x, y in SEVEN],
    "a one at the edge": [(0.99, 0.1), (0.97, 0.9)],
    "a dot": [(0.5, 0.5), (0.51, 0.5)],
}


def in_browser(test):
    """Mark a test that starts the browser."""
    return pytest.mark.browser(pytest.mark.slow(chromium.NEEDED(test)))


def page_of(saved):
    return export.encode(saved, "html", export.ExportOptions()).content


@pytest.fixture(scope="module")
def shipped():
    return read(shipped_folder() / "models" / "digits.h5")


@pytest.fixture(scope="module")
def browser():
    browser = chromium.start()
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def address(shipped, tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "digits.html"
    file.write_bytes(page_of(shipped))
    return file.as_uri()


@pytest.fixture
def page(address, browser):
    """The page of the shipped network; afterwards, check that it logged no errors and loaded nothing else."""
    set_window(browser, WIDE)
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(address)
    yield browser
    assert browser.get_log("browser") == []
    assert [url for url in chromium.requests(browser) if not url.startswith("data:")] == [address]


@pytest.mark.parametrize("name", NETWORKS)
@in_browser
def test_the_page_computes_our_scores(name, browser, tmp_path):
    network = Network(NETWORKS[name])
    saved = saved_of(network, random_weights(network))
    check_scores(saved, browser, tmp_path)


@pytest.mark.parametrize("preparation", PREPARATIONS)
@in_browser
def test_pixels_are_prepared_as_ours(preparation, browser, tmp_path):
    side = 28 + 2 * preparation.pad
    network = Network([Flatten(), Dense(10)], (1, side, side))
    check_scores(saved_of(network, random_weights(network), preparation), browser, tmp_path)


def check_scores(saved, browser, folder):
    """Compare scores of pixels in the format of MNIST: also if the training images had dark ink."""
    pixels = np.random.default_rng(8).integers(0, 256, (3, 28, 28), np.uint8)
    normalisation = saved.normalisation.for_mnist_format()
    images = (normalisation.preparation.apply(pixels) / 255 - normalisation.mean) / normalisation.std
    expected = scores_of(Network.from_config(saved.network), saved.weights, images[:, None].astype(np.float32))
    found = scores_of_page(browser, page_of(saved), pixels, folder)
    assert np.abs(found - expected).max() <= 1e-5 * np.ptp(expected)


@pytest.mark.parametrize("stroke", STROKES)
@in_browser
def test_drawings_are_prepared_as_pictures(stroke, page, shipped):
    """The page makes of the ink of a drawing what Python makes of a picture of it."""
    drawn = Image.new("L", (SIDE * 4, SIDE * 4), 255)
    points = [(x * SIDE * 4, y * SIDE * 4) for x, y in STROKES[stroke]]
    ImageDraw.Draw(drawn).line(points, 0, 38, "curve")
    picture = np.asarray(drawn.resize((SIDE, SIDE), Image.Resampling.BOX))
    script = (
        "const values = Float32Array.from(arguments[0], (level) => 1 - level / 255);"
        "return [...toMnistFormat(new Field(arguments[1], arguments[1], values))];"
    )
    found = np.array(page.execute_script(script, picture.reshape(-1).tolist(), SIDE)).reshape(28, 28)
    expected = imaging.prepare(picture).image
    assert found.max() > 100
    assert np.abs(found - expected.astype(int)).mean() <= 1.5  # of 255


@in_browser
def test_probabilities_are_calibrated_as_ours(page, shipped):
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 12:16] = 255
    script = (
        "const [pixels, done] = arguments;"
        "readNetwork().then((network) => done(network.predict(Uint8Array.from(pixels))));"
    )
    found = page.execute_async_script(script, image.reshape(-1).tolist())
    expected = Recognizer(device="reference").predict(image[None])[0]
    assert (found["digit"], found["second"], found["unsure"]) == (expected.digit, expected.second, expected.unsure)
    np.testing.assert_allclose(found["probabilities"], expected.probabilities, atol=1e-4)


@in_browser
def test_drawing_with_mouse_finger_and_keys(page):
    assert find(page, "verdict").text == "Nothing yet."
    draw(page, THREE)
    wait_for_digit(page, 3)
    assert find(page, "verdict").text.startswith("A 3, ")
    find(page, "undo").click()
    until(page, lambda: find(page, "verdict").text == "Nothing yet.")
    touch(page, SEVEN)
    wait_for_digit(page, 7)
    find(page, "clear").click()
    page.execute_script("document.getElementById('paper').focus()")
    ActionChains(page).send_keys(Keys.ARROW_UP * 15, " ", Keys.ARROW_DOWN * 32, " ").perform()
    wait_for_digit(page, 1)
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    until(page, lambda: find(page, "verdict").text == "Nothing yet.")


@in_browser
def test_a_letter_is_no_digit(page):
    for stroke in LETTER_A:
        draw(page, stroke)
    until(page, lambda: find(page, "verdict").text == "This looks like no digit.")
    assert page.find_element("css selector", "#bars .first span").text == "no digit"


@pytest.mark.parametrize("size", [WIDE, NARROW, (320, 640)])
@in_browser
def test_nothing_is_cut_off_at_any_window_size(size, page):
    set_window(page, size)
    draw(page, THREE)
    wait_for_digit(page, 3)
    assert page.execute_script("return document.documentElement.scrollWidth") <= size[0]
    for name in ("paper", "undo", "clear", "digit", "verdict", "seen", "bars"):
        box = find(page, name).rect
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size[0]


def test_the_shipped_network_makes_a_small_page(shipped):
    exported = export.encode(shipped, "html", export.ExportOptions())
    assert len(exported.content) < SMALL
    assert "larger" not in exported.note


def test_a_large_page_says_so():
    network = Network([Flatten(), Dense(400), Dense(10)])
    exported = export.encode(saved_of(network, random_weights(network)), "html", export.ExportOptions())
    assert len(exported.content) > SMALL
    assert f"more than 1,000,000 bytes, as the network has {network.parameter_count:,} parameters" in exported.note


@pytest.mark.parametrize("layers", [[Dense(9)], [Dense(12)]])
def test_networks_that_recognize_no_digits_are_refused(layers):
    network = Network([Flatten(), *layers])
    with pytest.raises(UserError, match="recognizes digits"):
        page_of(saved_of(network, random_weights(network)))


def test_networks_for_digits_at_other_places_are_refused():
    network = Network([Conv2D(1, 3), Flatten(), Dense(10)])
    with pytest.raises(UserError, match="at the place of MNIST's"):
        page_of(saved_of(network, random_weights(network), Preparation(digit_side=28)))


def test_names_cannot_leave_their_place():
    network = Network([Flatten(), Dense(10)])
    saved = saved_of(network, random_weights(network))
    for name in ("model", "dataset"):
        object.__setattr__(saved, name, "</script><b>evil-->")
    assert b"<b>evil" not in page_of(saved)
    assert b"evil-->" not in page_of(saved)


def test_the_same_network_gives_the_same_page(shipped):
    assert page_of(shipped) == page_of(shipped)
