"""Reading a picture takes bounded memory and time, whatever is in the file."""

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

MAX_MEMORY = 300 * 2**20
MAX_SECONDS = 10  # meant to be 1; this machine may be busy
MEASURE = """
import json, sys, time
from fastdigits.imaging import candidates, read_picture

def memory(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))

warm_up, *files = sys.argv[1:]
list(candidates(read_picture(warm_up)))
found = {}
for file in files:
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")  # forget the peak so far
    before, start = memory("VmRSS"), time.process_time()
    next(candidates(read_picture(file)))
    found[file] = memory("VmHWM") - before, time.process_time() - start
print(json.dumps(found))
"""


def drawing(side, mode):
    """Draw a seven."""
    image = Image.new("L", (side, side), 220)
    corners = [(0.3 * side, 0.2 * side), (0.7 * side, 0.2 * side), (0.45 * side, 0.8 * side)]
    ImageDraw.Draw(image).line(corners, fill=30, width=side // 25)
    if mode == "RGBA":
        return Image.merge("RGBA", (image, image, image, image.point(lambda level: 255 - level)))
    if mode == "I;16":
        return Image.fromarray(np.asarray(image).astype(np.uint16) * 200)
    return image.convert(mode)


def files_at_the_limits(folder):
    """Write the files that take the most memory or time of all that are accepted."""
    options = {
        "alpha.png": (5000, "RGBA", {"compress_level": 1}),
        "alpha.webp": (3950, "RGBA", {"lossless": True, "method": 0, "quality": 0}),
        "progressive.jpg": (5000, "RGB", {"progressive": True, "subsampling": 0}),
        "plain.jpg": (7070, "RGB", {}),
        "deep.png": (5000, "I;16", {"compress_level": 1}),
        "color.tif": (5000, "RGB", {"compression": "tiff_lzw"}),
    }
    for name, (side, mode, parameters) in options.items():
        drawing(side, mode).save(folder / name, **parameters)
    return [folder / name for name in options]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is measured as Linux does")
def test_every_picture_that_is_accepted_takes_bounded_memory_and_time(tmp_path):
    drawing(90, "RGB").save(tmp_path / "small.png")
    files = files_at_the_limits(tmp_path)
    command = [sys.executable, "-c", MEASURE, tmp_path / "small.png", *files]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert not answer.returncode, answer.stderr
    for file, (memory, seconds) in json.loads(answer.stdout).items():
        assert memory < MAX_MEMORY, file
        assert seconds < MAX_SECONDS, file


@pytest.mark.parametrize(
    ("image", "file_type"),
    [
        (Image.new("L", (5001, 5000)), "PNG"),
        (Image.new("L", (4000, 4000)), "WEBP"),
        (Image.new("L", (1, 33_000)), "TIFF"),
    ],
    ids=["PNG", "WebP", "narrow"],
)
def test_larger_pictures_are_refused_by_their_header(image, file_type, monkeypatch):
    from fastdigits.errors import UserError
    from fastdigits.imaging import picture

    file = BytesIO()
    image.save(file, file_type, **({"method": 0} if file_type == "WEBP" else {}))
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("it was decoded"))
    with pytest.raises(UserError, match=r"[\d,]{6} .*make it smaller"):
        picture.read_picture(file.getvalue())
