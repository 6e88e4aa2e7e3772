"""Headless Chromium, driven by Selenium, for tests of pages."""

import json
import shutil

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
NEEDED = pytest.mark.skipif(not BROWSER or not DRIVER, reason="there is no Chromium with its chromedriver")
WIDE, NARROW = (1280, 900), (390, 844)  # a screen and a phone
TIMEOUT_S = 60
POLL_S = 0.05
# Strokes in percent of a square in the middle of the paper, which is as high as the paper
THREE = [(30, 25), (42, 17), (56, 18), (64, 28), (58, 40), (46, 46), (60, 50), (68, 62), (60, 76), (44, 80), (30, 72)]
LETTER_A = [[(25, 85), (50, 15), (75, 85)], [(36, 60), (64, 60)]]
SEVEN = [(28, 20), (48, 20), (70, 20), (60, 40), (50, 60), (42, 82)]
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


def start():
    """Start a browser, which the caller must quit."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(DRIVER))


def set_window(browser, size, dark=False):
    """Emulate a screen of this size, and a phone if it is NARROW."""
    width, height = size
    device = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == NARROW}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def find(page, name):
    return page.find_element("id", name)


def until(page, condition):
    """Wait until a condition holds."""
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(page, TIMEOUT_S, POLL_S).until(lambda _: condition())


def wait_for_digit(page, digit):
    """Wait until the page shows a digit as the prediction."""
    until(page, lambda: find(page, "digit").text == str(digit))


def on_paper(page, points, scale=1.0, left=0.0, top=0.0):
    """Convert points of a stroke to pixels from the center of the paper."""
    side = find(page, "paper").size["height"]
    return [
        (round((x / 100 * scale + left - 0.5) * side), round((y / 100 * scale + top - 0.5) * side)) for x, y in points
    ]


def draw(page, points, release=True, **place):
    """Draw a stroke with the mouse."""
    from selenium.webdriver.common.action_chains import ActionChains

    (first, *others), paper = on_paper(page, points, **place), find(page, "paper")
    actions = ActionChains(page, duration=5).move_to_element_with_offset(paper, *first).click_and_hold()
    for point in others:
        actions.move_to_element_with_offset(paper, *point)
    (actions.release() if release else actions).perform()


def in_window(page, points):
    """Convert points of a stroke to pixels of the window."""
    script = "const r = arguments[0].getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2];"
    x, y = page.execute_script(script, find(page, "paper"))
    return [(x + dx, y + dy) for dx, dy in on_paper(page, points)]


def touch(page, points):
    """Draw a stroke with a finger."""
    places = [{"x": x, "y": y} for x, y in in_window(page, points)]
    for kind, position in [("touchStart", places[:1]), *(("touchMove", [place]) for place in places), ("touchEnd", [])]:
        page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": position})


def requests(browser):
    """The addresses that the browser has requested since this was asked last."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
