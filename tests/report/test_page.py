"""The contents of the report, and that it is self-contained."""

import re
from base64 import b64decode
from dataclasses import replace
from html import unescape
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from fastdigits.plots import style
from fastdigits.report.contents import run_rows
from fastdigits.report.page import embedded, png

pytestmark = pytest.mark.slow


def text_of(html):
    """Return the visible text with single spaces."""
    body = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", body)))


def test_the_texts_of_the_page(page, tested):
    text, result = text_of(page), tested.evaluation.combined
    assert '<b>& on a "folder"' in text
    low, high = result.interval_95
    interval = f"95% interval {low:.2%} to {high:.2%}"
    assert f"{result.accuracy:.2%} accuracy on 40 test images ({interval})" in text
    network = sum(value.size for name, value in tested.saved.weights.items() if "running" not in name)
    assert f"{network:,} parameters" in text
    assert f"test errors {40 - result.correct} of 40" in text
    assert "epochs 2 seed 0 validation accuracy 62.50%" in text
    assert "123,457 images per second a single image 12 \N{MICRO SIGN}s" in text
    assert "training 3.75 s training speed 12,346 images per second total 20.00 s" in text
    assert "validation 0" not in text  # its time is not given
    assert "conv2d_2 3 \N{MULTIPLICATION SIGN} 3 \N{MULTIPLICATION SIGN} 3 3 \N{MULTIPLICATION SIGN} 3 111 972" in text
    assert "fastdigits train '<b>&' with these layers in a.toml : [[layer]]" in text


def test_settings_that_differ_from_the_defaults_are_bold(page):
    changed = re.findall(r'<div class="changed"><dt>(.*?)</dt><dd>(.*?)</dd>', page)
    assert changed == [("epochs", "2"), ("optimizer", "sgd")]
    assert "<dt>batch size</dt><dd>128</dd>" in page
    assert "<dt>normalise</dt><dd>yes</dd>" in page
    assert "<dt>lr</dt><dd>not set</dd>" in page


def test_every_count_of_the_confusion_matrix_is_drawn(page_contents, tested):
    counts = tested.evaluation.combined.confusion
    picture = page_contents["pictures"]["confusion"]
    found = re.findall(r">(\d+)</t(?:span|ext)>", picture)
    for count in counts[counts > 0]:
        assert str(count) in found
    assert text_of(picture).count("%") >= (counts > 0).sum()


def test_the_worst_mistakes_come_first(page_contents, tested):
    mistakes, p = page_contents["mistakes"], tested.evaluation.probabilities
    assert len(mistakes) == min(24, page_contents["mistake_count"])
    true_probabilities = [p[one["index"], int(one["true"])] for one in mistakes]
    assert true_probabilities == sorted(true_probabilities)
    first = mistakes[0]
    true, predicted = int(first["true"]), int(first["predicted"])
    assert predicted == p[first["index"]].argmax() != tested.labels[first["index"]] == true
    assert first["p_predicted"] == f"{p[first['index'], predicted]:.1%}"
    content = b64decode(first["image"].removeprefix("data:image/png;base64,"))
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(content))), tested.images[first["index"]])


def test_names_are_escaped(page):
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;" in page


def test_the_page_loads_nothing(page):
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(addresses) > 24
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "url(" not in page.replace("url(#", "")
    assert "<script" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_figures_follow_the_color_scheme():
    figure = style.new_figure(3, 2)
    axes = figure.subplots()
    axes.plot([0, 1], [2, 5], color=style.BLACK)
    axes.text(0.5, 3, "a word", color=style.GRAY)
    drawing = embedded(figure)
    assert drawing.startswith("<svg ")
    assert 'style="--width: 288px"' in drawing[:400]
    assert "width=" not in drawing[: drawing.index(">")]
    assert re.search(r"stroke: ?currentColor", drawing)
    assert re.search(r"fill: ?var\(--faint\)[^>]*>a word</text>", drawing)
    assert "#ffffff" not in drawing
    assert "<g id" not in drawing
    assert "metadata" not in drawing


def test_png_is_a_data_url():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    content = b64decode(png(image).removeprefix("data:image/png;base64,"))
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(content))), image)


@pytest.mark.parametrize(("kept", "epoch"), [(1, 1), (2, 2), (3, 2), (0, 2), ("1", 2), (True, 2)])
def test_the_kept_epoch_is_the_last_unless_the_file_names_another(kept, epoch, tested):
    """The file may contain any value."""
    saved = replace(tested.saved, metrics={"kept_epoch": kept})
    rows = dict(run_rows(replace(tested, saved=saved)))
    assert rows["epochs"] == ("2" if epoch == 2 else "2, weights of epoch 1")
    assert rows["validation accuracy"] == ("62.50%" if epoch == 2 else "55.00%")
