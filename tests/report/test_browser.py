"""The report in a real browser: wide as a phone and as a screen, light and dark; no complaint on its console."""

import html
import json
import re
import shutil
import subprocess

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(not BROWSER, reason="there is no Chromium here: apt-get install chromium")

# A page that shows the report in a frame of a width and then writes down what it finds there
LOOK = """<iframe id="frame" style="width: %dpx; height: 900px; border: 0" srcdoc="%s"></iframe><pre id="found"></pre>
<script>
document.getElementById("frame").onload = event => {
  const page = event.target.contentDocument, root = page.documentElement, all = [...page.querySelectorAll("svg, img")];
  const colours = page.defaultView.getComputedStyle(page.body);
  document.getElementById("found").textContent = JSON.stringify({
    "width": root.clientWidth, "needed": root.scrollWidth, "pictures": all.length,
    "broken": [...page.images].filter(image => !image.naturalWidth).length,
    "least": Math.min(...[...page.querySelectorAll("svg")].map(
      drawing => drawing.getBoundingClientRect().width / parseFloat(drawing.style.getPropertyValue("--width")))),
    "text": colours.color, "ground": colours.backgroundColor,
  });
};
</script>"""


def run(tmp_path, *arguments):
    """What the browser prints, and what it logs; a proxy that is not there keeps it from any network."""
    fixed = ["--headless", "--no-sandbox", "--disable-gpu", "--proxy-server=127.0.0.1:9", "--enable-logging=stderr"]
    command = [BROWSER, *fixed, f"--user-data-dir={tmp_path / 'profile'}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_and_can_be_read(width, dark, page, page_contents, tmp_path):
    (tmp_path / "look.html").write_text(LOOK % (width, html.escape(page)), "utf8")
    scheme = [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    printed, complaints = run(tmp_path, *scheme, "--window-size=1400,1000", "--dump-dom", str(tmp_path / "look.html"))
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.+?)</pre>', printed)[1]))
    assert complaints == []
    assert found["needed"] <= found["width"] <= width
    assert found["broken"] == 0
    assert found["pictures"] >= 5 + len(page_contents["mistakes"])
    assert found["least"] >= 0.59  # text of 11 points is still 6.5 points high
    text, ground = (sum(map(int, re.findall(r"\d+", found[name])[:3])) / 3 for name in ("text", "ground"))
    assert abs(text - ground) > 150
    assert (ground < 128) == dark


def test_a_complaint_would_be_seen(page, tmp_path):
    (tmp_path / "broken.html").write_text(page.replace("</body>", "<script>undefined.x</script></body>"), "utf8")
    _, complaints = run(tmp_path, "--dump-dom", str(tmp_path / "broken.html"))
    assert len(complaints) == 1  # that such a script may not run on this page


def test_it_prints(page, tmp_path):
    (tmp_path / "report.html").write_text(page, "utf8")
    _, complaints = run(tmp_path, f"--print-to-pdf={tmp_path / 'report.pdf'}", str(tmp_path / "report.html"))
    assert complaints == []
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
