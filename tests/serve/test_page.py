"""The page in headless Chromium, driven by mouse, touch, pen and keyboard."""

import base64

import chromium
import numpy as np
import pytest
from chromium import (
    LETTER_A,
    NARROW,
    SEVEN,
    THREE,
    WIDE,
    draw,
    find,
    in_window,
    set_window,
    touch,
    until,
    wait_for_digit,
)
from click.testing import CliRunner
from letters import LETTERS, letters, write_npz

from fastdigits.cli import cli
from fastdigits.data.sources import shipped_folder

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

pytestmark = [pytest.mark.browser, pytest.mark.slow, chromium.NEEDED]

SMALL = 0.33  # scale of a digit in a corner of the paper
WORDS = ["trouser", "ankle boot", "bag", "a class with quite a long name"]
DROP = """
    const dropped = new DataTransfer();
    for (const name of arguments[0]) dropped.items.add(new File(["none"], name));
    document.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, bubbles: true, cancelable: true }));
"""
HOLD_PICTURES = """
    const { prototype } = OffscreenCanvas;
    const make = prototype.convertToBlob;
    window.held = [];
    prototype.convertToBlob = function (options) {
      return new Promise((resolve) => held.push(resolve)).then(() => make.call(this, options));
    };
    window.release = () => {
      prototype.convertToBlob = make;
      for (const resolve of held) resolve();
    };
"""


def choose_model(browser, name):
    """Choose a network, whose file has this name; options also name the network if that is another one."""
    select = Select(find(browser, "model"))
    [number] = [n for n, option in enumerate(select.options) if option.text.split(" (")[0] == name]
    select.select_by_index(number)


@pytest.fixture(scope="module")
def server(start, weights):
    with start(*weights, "--timeout", "60") as server:
        yield server


@pytest.fixture(scope="module")
def other_classes(tmp_path_factory):
    """The weights files of two networks of other classes than digits, letters.h5 and words.h5."""
    folder = tmp_path_factory.mktemp("classes")
    for name, classes in (("letters", LETTERS), ("words", WORDS)):
        data = write_npz(folder / f"{name}.npz", classes, letters(classes, 60, "train"), letters(classes, 4, "test"))
        arguments = ["train", "--model", "linear", "--data", data, "--epochs", "4", "--output", folder / f"{name}.h5"]
        assert CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False).exit_code == 0
    return [str(folder / "letters.h5"), str(folder / "words.h5")]


@pytest.fixture(scope="module")
def browser():
    browser = chromium.start()
    yield browser
    browser.quit()


@pytest.fixture
def page(server, browser):
    """The page at 1280 x 900; afterwards, check that it logged no errors and loaded nothing from other servers."""
    set_window(browser, WIDE)
    browser.get(f"http://127.0.0.1:{server.port}/")
    until(browser, lambda: len(find(browser, "model").find_elements(By.TAG_NAME, "option")) == 2)
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = chromium.requests(browser)
    own = f"http://127.0.0.1:{server.port}/"
    assert [url for url in asked if not url.startswith((own, "blob:" + own, "data:"))] == []
    assert own in asked


def pixels(page, name):
    """Return the pixels of a canvas, uint8 (rows, columns, 4)."""
    script = (
        "const c = arguments[0]; const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "let s = ''; for (const v of d) s += String.fromCharCode(v); return [c.height, c.width, btoa(s)];"
    )
    rows, columns, content = page.execute_script(script, find(page, name))
    return np.frombuffer(base64.b64decode(content), np.uint8).reshape(rows, columns, 4)


def highlighted_bar(page):
    """Return the label of the highlighted bar, or None if none is highlighted."""
    return next(iter(texts(page, "#bars .first span")), None)


def test_drawing_in_a_corner_clearing_and_switching(page):
    assert find(page, "verdict").text == "Nothing yet."
    assert not find(page, "undo").is_enabled()
    draw(page, THREE, scale=SMALL, left=0.02, top=0.02)
    wait_for_digit(page, 3)
    assert find(page, "verdict").text.startswith("A 3, ")
    assert highlighted_bar(page) == "3"
    seen = pixels(page, "seen")[..., :3].astype(int)
    ink = abs(seen - seen[0, 0]).sum(2) > 100
    assert 15 <= np.ptp(np.flatnonzero(ink.any(1))) <= 22  # it fills the network's input
    assert len(page.find_elements(By.CSS_SELECTOR, "#maps figure")) == 6
    assert "lenet: 61,706 parameters" in find(page, "facts").text

    find(page, "clear").click()
    assert find(page, "verdict").text == "Nothing yet."
    assert find(page, "digit").text == ""
    assert not pixels(page, "paper").any()
    assert page.find_elements(By.CSS_SELECTOR, "#maps figure") == []

    find(page, "undo").click()  # Clear can be undone
    wait_for_digit(page, 3)
    find(page, "clear").click()

    draw(page, SEVEN, scale=SMALL, left=0.6, top=0.6)
    wait_for_digit(page, 7)
    choose_model(page, "linear")
    until(page, lambda: not page.find_elements(By.CSS_SELECTOR, "#maps figure"))  # it has no hidden layers
    assert "linear: 7,850 parameters" in find(page, "facts").text
    assert not find(page, "lessons").is_displayed()  # nobody corrects a server that does not learn
    until(page, lambda: find(page, "digit").text)


def test_digits_are_recognized_during_a_stroke(page):
    draw(page, SEVEN[:3], release=False)
    until(page, lambda: find(page, "digit").text)
    draw(page, SEVEN[3:], release=False)  # continues the stroke
    wait_for_digit(page, 7)
    assert find(page, "verdict").get_attribute("aria-live") == "off"
    ActionChains(page).release().perform()
    until(page, lambda: find(page, "verdict").get_attribute("aria-live") == "polite")


def test_undo_removes_a_stroke(page):
    draw(page, SEVEN)
    wait_for_digit(page, 7)
    one_stroke = pixels(page, "paper")
    draw(page, [(20, 90), (80, 90)])
    assert (pixels(page, "paper") != one_stroke).any()
    find(page, "undo").click()
    assert (pixels(page, "paper") == one_stroke).all()
    wait_for_digit(page, 7)
    ActionChains(page).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    assert not pixels(page, "paper").any()
    assert not find(page, "undo").is_enabled()


def test_drawing_by_touch(page):
    touch(page, THREE)
    wait_for_digit(page, 3)


def test_a_pen_draws_thicker_under_pressure(page):
    def thickness(force):
        kinds = ["mousePressed", *["mouseMoved"] * 2, "mouseReleased"]
        for kind, (x, y) in zip(kinds, in_window(page, [(50, 20), (50, 50), (50, 80), (50, 80)]), strict=True):
            pen = {"pointerType": "pen", "button": "left", "buttons": 1, "force": force, "clickCount": 1}
            page.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **pen})
        wait_for_digit(page, 1)
        drawn = pixels(page, "paper")
        find(page, "clear").click()
        return np.count_nonzero(drawn[len(drawn) // 2, :, 3])

    assert thickness(0.9) > 1.3 * thickness(0.1)


def test_drawing_by_keyboard(page):
    paper = find(page, "paper")
    page.execute_script("arguments[0].focus()", paper)
    ActionChains(page).send_keys(Keys.ARROW_UP * 15, " ", Keys.ARROW_DOWN * 32, " ").perform()
    wait_for_digit(page, 1)
    ActionChains(page).send_keys("n").perform()
    until(page, lambda: "linear" in find(page, "facts").text)
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    assert find(page, "verdict").text == "Nothing yet."


def test_opening_a_picture(page, picture, tmp_path):
    (tmp_path / "three.png").write_bytes(picture)
    find(page, "file").send_keys(str(tmp_path / "three.png"))
    wait_for_digit(page, 3)
    assert pixels(page, "paper").any()
    find(page, "undo").click()
    assert not pixels(page, "paper").any()


@pytest.mark.parametrize(("name", "message"), [("none.png", "cannot be shown"), ("none.txt", "none.txt is no picture")])
def test_a_file_that_is_no_picture_gives_a_message_and_leaves_no_answer(page, tmp_path, name, message):
    draw(page, SEVEN)
    wait_for_digit(page, 7)
    (tmp_path / name).write_bytes(b"none")
    find(page, "file").send_keys(str(tmp_path / name))
    until(page, lambda: message in find(page, "verdict").text)
    assert find(page, "digit").text == ""


@pytest.mark.parametrize(("names", "message"), [([], "This is no file"), (["a.png", "b.png"], "These are 2 files")])
def test_what_cannot_be_opened_is_not_ignored_and_can_be_undone(page, names, message):
    draw(page, SEVEN)
    wait_for_digit(page, 7)
    page.execute_script(DROP, names)
    assert message in find(page, "verdict").text
    assert find(page, "digit").text == ""
    find(page, "undo").click()
    wait_for_digit(page, 7)


def test_the_eraser_and_the_brush(page):
    def ink():
        return np.count_nonzero(pixels(page, "paper")[..., 3])

    line = [(20, 50), (80, 50)]
    draw(page, line)
    usual = ink()
    page.execute_script("arguments[0].value = 2; arguments[0].dispatchEvent(new Event('input'))", find(page, "brush"))
    find(page, "clear").click()
    draw(page, line)
    assert 1.5 * usual < ink() < 3 * usual
    find(page, "eraser").click()
    assert find(page, "eraser").get_attribute("aria-pressed") == "true"
    draw(page, [(15, 50), (85, 50)])
    assert ink() == 0
    find(page, "undo").click()
    assert ink() > usual


def test_the_camera_runs_only_after_a_click_and_stops(page):
    """Chromium shows a test picture as its camera."""
    running = "const v = document.getElementById('video'); return v.srcObject?.active === true && v.videoWidth > 0;"
    assert not page.execute_script(running)
    find(page, "camera").click()
    until(page, lambda: page.execute_script(running))
    assert find(page, "camera").get_attribute("aria-pressed") == "true"
    until(page, lambda: find(page, "verdict").text != "Nothing yet.")
    page.execute_script("window.track = document.getElementById('video').srcObject.getTracks()[0]")
    find(page, "camera").click()
    until(page, lambda: not page.execute_script(running))
    assert page.execute_script("return window.track.readyState") == "ended"
    until(page, lambda: pixels(page, "paper").any())  # the last picture remains


def test_a_picture_that_the_camera_makes_while_it_stops_is_not_read_later(page):
    page.execute_script(HOLD_PICTURES)
    find(page, "camera").click()
    until(page, lambda: page.execute_script("return held.length > 0"))
    find(page, "camera").click()
    page.execute_script("release()")
    until(page, lambda: pixels(page, "paper").any())
    find(page, "clear").click()
    draw(page, THREE)
    wait_for_digit(page, 3)


def test_drawing_and_clearing_stop_the_camera(page):
    draw(page, SEVEN)
    wait_for_digit(page, 7)
    find(page, "camera").click()
    until(page, lambda: page.execute_script("return document.getElementById('video').videoWidth > 0"))
    find(page, "clear").click()
    assert find(page, "camera").get_attribute("aria-pressed") == "false"
    assert not find(page, "video").is_displayed()
    draw(page, THREE)
    wait_for_digit(page, 3)


def test_answers_from_before_a_cancellation_are_never_shown(page):
    script = """
        const done = arguments[0];
        const { Recognizer } = await import("/static/server.js");
        const replies = [], answers = [];
        window.fetch = () => new Promise((resolve) => replies.push(resolve));
        const until = async (condition) => { while (!condition()) await new Promise((next) => setTimeout(next)); };
        const reply = (digit) => replies.at(-1)({ ok: true, json: async () => ({ digit }) });
        const recognizer = new Recognizer(({ single }) => answers.push(single.digit), done);
        const recognize = () => recognizer.recognize(async () => new Blob(), { index: 0, classes: ["a", "b"] });
        recognize();
        await until(() => replies.length === 1);
        recognizer.cancel();
        recognize();
        reply(1);
        await until(() => replies.length === 2);
        reply(2);
        await until(() => answers.length);
        done(answers);
    """
    assert page.execute_async_script(f"(async () => {{ {script} }})(...arguments)") == [2]


def test_other_classes_are_named_and_no_digit_is_told(start, browser, other_classes):
    shipped = str(shipped_folder() / "models" / "digits.h5")
    with start(shipped, *other_classes, "--timeout", "60") as server:
        set_window(browser, NARROW)
        browser.get(f"http://127.0.0.1:{server.port}/")
        until(browser, lambda: "Draw a digit or a number" in find(browser, "hint").text)
        for stroke in LETTER_A:
            draw(browser, stroke)
        until(browser, lambda: highlighted_bar(browser) == "no digit")
        assert find(browser, "verdict").text == "This looks like no digit."
        assert len(bars(browser)) == 11

        choose_model(browser, "letters")
        until(browser, lambda: highlighted_bar(browser) in {*LETTERS})
        assert {*bars(browser)} <= {*LETTERS}
        assert find(browser, "verdict").text.startswith((f"{highlighted_bar(browser)}, ", "Not sure: perhaps "))
        assert "MNIST" not in find(browser, "facts").text
        assert find(browser, "no-maps").text == "This network has no hidden layers."
        find(browser, "clear").click()
        assert find(browser, "hint").get_attribute("textContent") == "Draw a, b, c, … or z here"
        assert {*bars(browser)} == {""}

        choose_model(browser, "words")
        assert {*bars(browser)} == {*WORDS}
        draw(browser, SEVEN)
        until(browser, lambda: find(browser, "digit").text)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= NARROW[0]
        for name in WORDS:
            show(browser, name)
            box = (
                "const d = document.getElementById('digit');"
                "return [d.scrollWidth - d.clientWidth, d.scrollHeight - d.clientHeight];"
            )
            assert max(browser.execute_script(box)) <= 0
    leave(browser)


def bars(page):
    """Return the labels of all bars."""
    return texts(page, "#bars span:first-child")


def texts(page, selector):
    """Return the texts of all elements at one moment; an answer may replace elements while they are read one by one."""
    script = "return Array.from(document.querySelectorAll(arguments[0]), (element) => element.innerText)"
    return page.execute_script(script, selector)


def type_truth(page, text):
    """Replace the text of the field and press Enter, without leaving the field: an answer would fill it."""
    find(page, "truth").send_keys(Keys.CONTROL, "a", Keys.NULL, text, Keys.ENTER)


def show(page, label, **answer):
    """Show an answer that is sure of a class, and return it as a sentence."""
    answer = {"label": label, "classes": [label, "z"], "confidence": 1, "probabilities": [1, 0], "second": "z"} | answer
    script = "import('/static/view.js').then((view) => arguments[1](view.showAnswer({ single: arguments[0] }, 1)))"
    return page.execute_async_script(script, answer | {"unsure": False, "no_digit": 0, "image": [[0] * 28] * 28})


def test_sentences_are_grammatical(page):
    assert show(page, "8", digit=8) == "An 8, over 99.9\u00a0% sure."
    assert show(page, "7", digit=7) == "A 7, over 99.9\u00a0% sure."
    assert show(page, "no digit", digit="no digit") == "No digit, over 99.9\u00a0% sure."


def leave(browser):
    browser.get("about:blank")
    browser.get_log("browser"), browser.get_log("performance")


def test_a_number_is_read_corrected_taught_and_undone(start, browser, other_classes, tmp_path):
    """From the first stroke to the last undo; the stored digits are those of the correction."""
    shipped = str(shipped_folder() / "models" / "digits.h5")
    with start(shipped, other_classes[0], "--learn", str(tmp_path / "corrections.h5"), "--timeout", "60") as server:
        set_window(browser, WIDE)
        browser.get(f"http://127.0.0.1:{server.port}/")
        draw(browser, SEVEN, scale=0.5, left=-0.1, top=0.2)
        wait_for_digit(browser, 7)
        draw(browser, THREE, scale=0.5, left=0.5, top=0.2)
        wait_for_digit(browser, 73)
        assert find(browser, "verdict").text.startswith(("73, ", "Not sure: perhaps 73"))
        assert bars(browser) == ["7", "3"]
        assert "network of its own" in find(browser, "no-maps").text

        type_truth(browser, "72")
        until(browser, lambda: "2 corrections" in find(browser, "count").text)
        assert [text.split("\n")[0] for text in texts(browser, "#samples li")] == ["3 → 2", "7"]
        until(browser, lambda: find(browser, "teach").is_enabled())
        find(browser, "teach").click()
        until(browser, lambda: "of 2 corrections" in find(browser, "lesson").text)
        choose_model(browser, "letters")
        until(browser, lambda: "letters cannot be taught" in find(browser, "count").text)
        assert not find(browser, "teach").is_enabled()
        assert not find(browser, "forget").is_enabled()
        choose_model(browser, "digits")
        until(browser, lambda: find(browser, "forget").is_enabled())
        wait_for_digit(browser, 73)
        find(browser, "forget").click()
        until(browser, lambda: "as it was" in find(browser, "lesson").text)
        until(browser, lambda: not find(browser, "forget").is_enabled())

        type_truth(browser, "732")
        until(browser, lambda: "3 digits, but 2 were found" in find(browser, "lesson").text)
        browser.find_element(By.CSS_SELECTOR, "#samples button").click()
        until(browser, lambda: "1 correction in" in find(browser, "count").text)
        assert find(browser, "lesson").text == "The correction is deleted."
        assert find(browser, "download").get_attribute("href").endswith("/corrections/file")
    leave(browser)


@pytest.mark.parametrize("size", [WIDE, NARROW, (320, 640)])
def test_nothing_is_cut_off_at_any_window_size(size, page):
    set_window(page, size)
    draw(page, THREE)
    wait_for_digit(page, 3)
    assert page.execute_script("return document.documentElement.scrollWidth") <= size[0]
    for name in ("paper", "undo", "clear", "model", "digit", "verdict", "seen", "bars", "maps"):
        box = find(page, name).rect
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size[0]
    assert min(find(page, name).size["height"] for name in ("undo", "clear")) >= 44
    digit = find(page, "digit").rect
    if size != (320, 640):  # the prediction is visible while drawing
        assert digit["y"] + digit["height"] <= size[1]


def test_digits_are_recognized_in_the_dark_color_scheme(page):
    shades = []
    for dark in (False, True):
        set_window(page, WIDE, dark)
        draw(page, THREE)
        wait_for_digit(page, 3)
        shades.append(page.execute_script("return getComputedStyle(document.body).backgroundColor"))
        find(page, "clear").click()
    light, dark = (sum(map(int, shade[4:-1].split(","))) for shade in shades)
    assert light > 600
    assert dark < 150


def test_the_api_documentation_loads_nothing_from_other_servers(page, server):
    page.get(f"http://127.0.0.1:{server.port}/docs")
    until(page, lambda: "/api/neural" in page.find_element(By.TAG_NAME, "body").text)
    page.get(f"http://127.0.0.1:{server.port}/")


def test_a_stopped_server_gives_a_message(start, weights, browser):
    with start(weights[0]) as server:
        browser.get(f"http://127.0.0.1:{server.port}/")
        until(browser, lambda: find(browser, "facts").text)
    draw(browser, THREE)
    until(browser, lambda: "cannot be reached" in find(browser, "verdict").text)
    leave(browser)
