"""Confusion, mistakes and examples: what stands in the pictures."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fastdigits.plots import confusion, examples, mistakes, style

RANDOM = np.random.default_rng(4)
IMAGES = RANDOM.integers(0, 256, (20, 6, 6), np.uint8)
LABELS = RANDOM.integers(0, 4, 20).astype(np.uint8)
PROBABILITIES = RANDOM.dirichlet(np.ones(4), 20).astype(np.float32)


def test_counts_and_rates_of_a_confusion_matrix():
    counts = np.array([[1200, 300, 0], [0, 5, 5], [0, 0, 0]])
    axes, bar = confusion.draw(counts, "a title").axes
    assert {text.get_position(): text.get_text() for text in axes.texts} == {
        (0, 0): "1,200\n80.0%",
        (1, 0): "300\n20.0%",
        (1, 1): "5\n50.0%",
        (2, 1): "5\n50.0%",
    }
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.8, 0.2, 0], [0, 0.5, 0.5], [0, 0, 0]])
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("digit read", "true digit", "a title")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1", "2"]
    assert bar.get_ylabel() == "share of the true digit's images"


def test_text_can_be_read_on_its_color():
    axes = confusion.draw(np.array([[98, 2, 0], [30, 40, 30], [0, 1, 999]]), "").axes[0]
    image = axes.images[0]
    for text in axes.texts:
        read, true = text.get_position()
        ground = image.cmap(image.norm(image.get_array()[true, read]))[:3]
        luminances = sorted(_luminance(color) for color in (ground, to_rgb(text.get_color())))
        assert (luminances[1] + 0.05) / (luminances[0] + 0.05) > 4  # WCAG 2 asks for 4.5, or 3 where text is large


def _luminance(color):
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


def test_many_classes_have_counts_alone():
    axes = confusion.draw(np.eye(26, dtype=int) * 7, "").axes[0]
    assert [text.get_text() for text in axes.texts] == ["7"] * 26


def test_mistakes_say_what_is_and_what_was_read():
    rows = [row for row in range(20) if PROBABILITIES[row].argmax() != LABELS[row]][:7]
    axes = mistakes.draw(IMAGES, LABELS, PROBABILITIES, np.array(rows), "a title").axes
    assert len([one for one in axes if one.images]) == 7
    for one, row in zip(axes, rows, strict=False):
        true, read = LABELS[row], PROBABILITIES[row].argmax()
        np.testing.assert_array_equal(one.images[0].get_array(), IMAGES[row])
        assert one.get_title() == f"{true} read as {read}"
        shares = PROBABILITIES[row]
        expected = f"p({read}) = {shares[read]:.1%}\np({true}) = {shares[true]:.1%}\nimage {row}"
        assert [text.get_text() for text in one.texts] == [expected]


def test_no_mistakes():
    figure = mistakes.draw(IMAGES, LABELS, PROBABILITIES, np.array([], int), "no mistakes")
    assert (figure.get_suptitle(), figure.axes) == ("no mistakes", [])
    assert style.encode_figure(figure, "png").startswith(b"\x89PNG")


@pytest.mark.parametrize("groups", [{"right": [3], "wrong": []}, {"right": [0, 1, 2, 3, 4, 5], "wrong": [7, 8]}])
def test_examples_with_all_probabilities(groups):
    figure = examples.draw(IMAGES, LABELS, PROBABILITIES, {name: np.array(r, int) for name, r in groups.items()}, "")
    rows = [row for chosen in groups.values() for row in chosen]
    pictures = [axes for axes in figure.axes if axes.images]
    bars = [axes for axes in figure.axes if axes.patches]
    assert len(pictures) == len(bars) == len(rows)
    for picture, axes, row in zip(pictures, bars, rows, strict=True):
        np.testing.assert_array_equal(picture.images[0].get_array(), IMAGES[row])
        np.testing.assert_allclose([bar.get_width() for bar in axes.patches], PROBABILITIES[row])
        assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "1", "2", "3"]
        true, read = LABELS[row], PROBABILITIES[row].argmax()
        assert axes.get_title() == (f"{true}" if true == read else f"{true} read as {read}")
        colors = [axes.patches[i].get_facecolor() for i in range(4)]
        assert colors.count(colors[true]) == 1
        assert (colors[true] == colors[read]) == (true == read)
    headings = [part.get_suptitle() for part in figure.subfigs[1:]]
    assert headings == [name if chosen else f"{name}: none" for name, chosen in groups.items()]
    assert [text.get_text() for text in figure.subfigs[0].legends[0].get_texts()] == list(examples.LEGEND)
