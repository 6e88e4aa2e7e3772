"""The report in headless Chromium: on a phone and on a screen, light and dark, without errors on the console."""

import html
import json
import re
import shutil
import subprocess

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not BROWSER, reason="there is no Chromium here: apt-get install chromium"),
]

# A page that loads the report in a frame of a given width and measures it
PROBE = """<iframe id="frame" style="width: %dpx; height: 900px; border: 0" srcdoc="%s"></iframe><pre id="found"></pre>
<script>
document.getElementById("frame").onload = event => {
  const page = event.target.contentDocument, root = page.documentElement, all = [...page.querySelectorAll("svg, img")];
  const colors = page.defaultView.getComputedStyle(page.body);
  document.getElementById("found").textContent = JSON.stringify({
    "width": root.clientWidth, "needed": root.scrollWidth, "pictures": all.length,
    "broken": [...page.images].filter(image => !image.naturalWidth).length,
    "min_scale": Math.min(...[...page.querySelectorAll("svg")].map(
      drawing => drawing.getBoundingClientRect().width / parseFloat(drawing.style.getPropertyValue("--width")))),
    "text": colors.color, "background": colors.backgroundColor,
  });
};
</script>"""


def run(tmp_path, *arguments):
    """Return what Chromium prints and the errors on its console; a proxy that does not exist keeps it offline."""
    fixed = ["--headless", "--no-sandbox", "--disable-gpu", "--proxy-server=127.0.0.1:9", "--enable-logging=stderr"]
    command = [BROWSER, *fixed, f"--user-data-dir={tmp_path / 'profile'}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_fits_and_is_legible(width, dark, page, page_contents, tmp_path):
    (tmp_path / "probe.html").write_text(PROBE % (width, html.escape(page)), "utf8")
    scheme = [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    printed, errors = run(tmp_path, *scheme, "--window-size=1400,1000", "--dump-dom", str(tmp_path / "probe.html"))
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.+?)</pre>', printed)[1]))
    assert errors == []
    assert found["needed"] <= found["width"] <= width
    assert found["broken"] == 0
    assert found["pictures"] >= 5 + len(page_contents["mistakes"])
    assert found["min_scale"] >= 0.59  # text of 11 points is still 6.5 points high
    text, background = (sum(map(int, re.findall(r"\d+", found[name])[:3])) / 3 for name in ("text", "background"))
    assert abs(text - background) > 150
    assert (background < 128) == dark


def test_errors_on_the_console_are_detected(page, tmp_path):
    (tmp_path / "broken.html").write_text(page.replace("</body>", "<script>undefined.x</script></body>"), "utf8")
    _, errors = run(tmp_path, "--dump-dom", str(tmp_path / "broken.html"))
    assert len(errors) == 1  # the page's policy forbids scripts


def test_the_page_can_be_printed(page, tmp_path):
    (tmp_path / "report.html").write_text(page, "utf8")
    _, errors = run(tmp_path, f"--print-to-pdf={tmp_path / 'report.pdf'}", str(tmp_path / "report.html"))
    assert errors == []
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
