"""Content of the figures of the confusion matrix, mistakes and examples."""

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
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("predicted digit", "true digit", "a title")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1", "2"]
    assert bar.get_ylabel() == "fraction of the true digit's images"


def test_text_contrasts_with_its_cell():
    axes = confusion.draw(np.array([[98, 2, 0], [30, 40, 30], [0, 1, 999]]), "").axes[0]
    image = axes.images[0]
    for text in axes.texts:
        predicted, true = text.get_position()
        background = image.cmap(image.norm(image.get_array()[true, predicted]))[:3]
        darker, lighter = sorted(_luminance(color) for color in (background, to_rgb(text.get_color())))
        assert (lighter + 0.05) / (darker + 0.05) > 4  # WCAG 2 asks for 4.5, or 3 for large text


def _luminance(color):
    """Return the relative luminance of WCAG 2."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


def test_many_classes_have_only_counts():
    axes = confusion.draw(np.eye(26, dtype=int) * 7, "").axes[0]
    assert [text.get_text() for text in axes.texts] == ["7"] * 26
    assert axes.get_xlabel() == "predicted class"


def test_a_confusion_matrix_has_the_names_of_classes_and_a_size_that_can_be_shown():
    names = [f"class ${number}" for number in range(1000)]
    figure = confusion.draw(np.eye(1000, dtype=int), "", names)
    axes = figure.axes[0]
    assert max(figure.get_size_inches()) < 35
    assert not axes.texts
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[:2] == [r"class \$0", r"class \$17"]
    assert len(labels) <= 60


def test_examples_of_many_classes_show_the_most_probable_ones():
    p = np.random.default_rng(3).dirichlet(np.ones(40), 20).astype(np.float32)
    names = [f"sign {number}" for number in range(40)]
    figure = examples.draw(IMAGES, LABELS, p, {"right": np.array([5])}, "", names)
    [bars] = [axes for axes in figure.axes if len(axes.patches) > 1]
    expected = [names[number] for number in np.argsort(-p[5])[:10]]
    assert [label.get_text() for label in bars.get_yticklabels()] == expected
    assert figure.subfigs[0].legends[0].get_texts()[0].get_text() == "true class"


def test_mistakes_show_the_true_and_the_predicted_digit():
    rows = [row for row in range(20) if PROBABILITIES[row].argmax() != LABELS[row]][:7]
    axes = mistakes.draw(IMAGES, LABELS, PROBABILITIES, np.array(rows), "a title").axes
    assert len([one for one in axes if one.images]) == 7
    for one, row in zip(axes, rows, strict=False):
        true, predicted = LABELS[row], PROBABILITIES[row].argmax()
        np.testing.assert_array_equal(one.images[0].get_array(), IMAGES[row])
        assert one.get_title() == f"{true} predicted as {predicted}"
        p = PROBABILITIES[row]
        expected = f"p({predicted}) = {p[predicted]:.1%}\np({true}) = {p[true]:.1%}\ntest:{row}"
        assert [text.get_text() for text in one.texts] == [expected]


def test_a_figure_without_mistakes():
    figure = mistakes.draw(IMAGES, LABELS, PROBABILITIES, np.array([], int), "no mistakes")
    assert (figure.get_suptitle(), figure.axes) == ("no mistakes", [])
    assert style.encode_figure(figure, "png").startswith(b"\x89PNG")


@pytest.mark.parametrize("groups", [{"right": [3], "wrong": []}, {"right": [0, 1, 2, 3, 4, 5], "wrong": [7, 8]}])
def test_examples_show_all_probabilities(groups):
    figure = examples.draw(IMAGES, LABELS, PROBABILITIES, {name: np.array(r, int) for name, r in groups.items()}, "")
    rows = [row for chosen in groups.values() for row in chosen]
    pictures = [axes for axes in figure.axes if axes.images]
    bars = [axes for axes in figure.axes if axes.patches]
    assert len(pictures) == len(bars) == len(rows)
    for picture, axes, row in zip(pictures, bars, rows, strict=True):
        np.testing.assert_array_equal(picture.images[0].get_array(), IMAGES[row])
        np.testing.assert_allclose([bar.get_width() for bar in axes.patches], PROBABILITIES[row])
        assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "1", "2", "3"]
        true, predicted = LABELS[row], PROBABILITIES[row].argmax()
        assert axes.get_title() == (f"{true}" if true == predicted else f"{true} predicted as {predicted}")
        colors = [axes.patches[i].get_facecolor() for i in range(4)]
        assert colors.count(colors[true]) == 1
        assert (colors[true] == colors[predicted]) == (true == predicted)
    headings = [part.get_suptitle() for part in figure.subfigs[1:]]
    assert headings == [name if chosen else f"{name}: none" for name, chosen in groups.items()]
    assert [text.get_text() for text in figure.subfigs[0].legends[0].get_texts()] == [
        "true digit",
        "wrong prediction",
        "other digits",
    ]
