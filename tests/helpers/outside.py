"""Scores that exported networks compute outside of Python: compiled C, and a page in headless Chromium."""

import base64
import subprocess

import numpy as np

FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
PAGE_BATCH = 100  # images at a time: the browser must answer within two minutes
SCRIPT = """
const [text, size, done] = arguments;
const pixels = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
window.networkRead ??= readNetwork();
window.networkRead.then((network) => {
  const found = [];
  for (let start = 0; start < pixels.length; start += size) {
    found.push(...network.scores(pixels.subarray(start, start + size)));
  }
  done(found);
}, (error) => done(String(error)));
"""


def compiled(compiler, content, folder, *flags):
    """Compile the content of a .c file to a program in a folder; the compiler must not warn."""
    source, program = folder / "digits.c", folder / "digits"
    source.write_bytes(content)
    command = [compiler, *FLAGS, *flags, "-DNETWORK_MAIN", str(source), "-o", str(program), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return program


def scores_of_program(program, images):
    """The scores (N, classes) of images uint8 (N, rows, columns); its classes must be those of the highest scores."""
    done = subprocess.run([program], input=images.tobytes(), capture_output=True)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    names, *columns = zip(*(line.split("\t") for line in done.stdout.decode().splitlines()), strict=True)
    scores = np.array(columns, np.float32).T
    assert [10 if name == "no digit" else int(name) for name in names] == scores.argmax(1).tolist()
    return scores


def scores_of_page(browser, content, images, folder):
    """The scores (N, classes) that the content of an .html file computes in a browser."""
    (folder / "digits.html").write_bytes(content)
    browser.get((folder / "digits.html").as_uri())
    scores = []
    for first in range(0, len(images), PAGE_BATCH):
        some = base64.b64encode(images[first : first + PAGE_BATCH].tobytes()).decode()
        found = browser.execute_async_script(SCRIPT, some, images[0].size)
        assert isinstance(found, list), found
        scores.extend(found)
    return np.array(scores, np.float32).reshape(len(images), -1)
