"""Join the strokes of digits that do not touch, and nothing else."""

import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fastdigits.imaging import find_lines
from fastdigits.imaging.components import Components
from fastdigits.imaging.parts import join_parts
from fastdigits.imaging.types import Box

HEIGHT, WIDTH, PEN = 40, 26, 5  # pixels of a digit and its strokes
PITCH = 46
# Strokes of digits in the unit square, from top to bottom
STROKES = {
    "1": [[(0.5, 0), (0.5, 1)]],
    "2": [[(0.05, 0.3), (0.5, 0), (0.95, 0.3), (0.1, 1)], [(0, 1), (1, 1)]],
    "3": [[(0, 0), (0.9, 0.1), (0.9, 0.4), (0.3, 0.5)], [(0.3, 0.5), (1, 0.6), (0.9, 0.95), (0, 1)]],
    "5": [[(0.1, 0), (1, 0)], [(0, 0), (0, 0.5), (0.9, 0.5), (1, 0.8), (0.7, 1), (0, 0.95)]],
    "7": [[(0, 0), (1, 0), (0.4, 1)]],
    "0": [[(0.5, 0), (0, 0.3), (0, 0.7), (0.5, 1), (1, 0.7), (1, 0.3), (0.5, 0)]],
}


class Paper:
    """White paper; `gap` pixels lie between the strokes of a digit."""

    def __init__(self, size=(320, 240), gap=4):
        self.image = Image.new("L", size, 255)
        self.pen = ImageDraw.Draw(self.image)
        self.gap = gap

    def digit(self, digit, left, top, height=HEIGHT):
        drop = (len(STROKES[digit]) - 1) * (self.gap + PEN)
        for number, stroke in enumerate(STROKES[digit]):
            scale, start = height / HEIGHT, top + PEN / 2 + number * drop
            self.line([(left + x * WIDTH * scale, start + y * (height - drop)) for x, y in stroke])

    def digits(self, text, left, top, height=HEIGHT):
        for place, digit in enumerate(text):
            self.digit(digit, left + PITCH * place * height / HEIGHT, top, height)

    def line(self, points):
        self.pen.line(points, 0, PEN, joint="curve")

    def box(self, left, top, right, bottom):
        self.pen.rectangle((left, top, right, bottom), 0)

    def lines(self):
        return find_lines(np.asarray(self.image))


def ink(line):
    """Return the number of dark pixels in the picture of a line."""
    return int((line.picture < 128).sum())


def all_ink(paper):
    return int((np.asarray(paper.image) < 128).sum())


@pytest.mark.parametrize(("digit", "gap"), [("2", 2), ("2", 3), ("3", 1), ("3", 2), ("5", 2), ("5", 5)])
def test_strokes_of_a_single_digit_are_one_line(digit, gap):
    paper = Paper(gap=gap)
    paper.digit(digit, 120, 90)
    [line] = paper.lines()
    assert ink(line) == all_ink(paper)


@pytest.mark.parametrize("text", ["5", "755", "7525", "17357"])
def test_strokes_of_digits_in_lines_are_in_their_lines(text):
    paper = Paper(gap=3)
    for top in (30, 100, 170):
        paper.digits(text, 30, top)
    lines = paper.lines()
    assert len(lines) == 3
    assert sum(map(ink, lines)) == all_ink(paper)


@pytest.mark.parametrize("gap", [3, 6, 10, 20])
def test_lines_close_together_stay_apart(gap):
    paper = Paper()
    for row in range(3):
        paper.digits("0710", 30, 20 + row * (HEIGHT + PEN + gap))
    assert len(paper.lines()) == 3


def test_small_lines_below_a_large_one_stay_apart():
    paper = Paper((320, 320))
    paper.digits("0710", 30, 20, 2 * HEIGHT)
    paper.digits("07017", 30, 120)
    paper.digits("70171", 30, 120 + HEIGHT + PEN + 6)
    assert len(paper.lines()) == 3


@pytest.mark.parametrize("upper", "07")
def test_two_digits_above_each_other_are_two_lines(upper):
    paper = Paper()
    paper.digit(upper, 120, 60)
    paper.digit("0", 120, 60 + HEIGHT + PEN + 6)
    assert len(paper.lines()) == 2


@pytest.mark.parametrize("texts", [("70", "07"), ("707", "70")])
def test_numbers_of_touching_digits_above_each_other_are_two_lines(texts):
    paper = Paper()
    for row, text in enumerate(texts):
        for place, digit in enumerate(text):
            paper.digit(digit, 90 + (WIDTH + 1) * place, 60 + row * (HEIGHT + PEN + 14))
    assert len(paper.lines()) == 2


def test_a_comma_belongs_to_the_line_above_it_only():
    paper = Paper()
    paper.digits("7070", 30, 30)
    paper.line([(70, 70), (66, 78)])  # below the first 7, and above the line that follows
    paper.digits("0717", 30, 86)
    first, second = paper.lines()
    assert ink(first) > ink(second)
    assert ink(first) + ink(second) == all_ink(paper)


def test_a_minus_sign_stays_with_its_line():
    paper = Paper()
    paper.digits("7070", 30, 30)
    paper.line([(30, 110), (50, 110)])
    paper.digits("0717", 60, 86)
    first, second = paper.lines()
    alone = Paper()
    alone.digits("7070", 30, 30)
    assert ink(first) == all_ink(alone)
    assert ink(first) + ink(second) == all_ink(paper)


@pytest.mark.parametrize("sides", [[(116, 146), (162, 192)], [(116, 192)]])
def test_an_underline_is_no_part_of_a_digit(sides):
    plain, underlined = Paper(), Paper()
    for paper in (plain, underlined):
        paper.digits("70", 120, 80)
    for left, right in sides:
        underlined.box(left, 80 + HEIGHT + PEN + 9, right, 80 + HEIGHT + PEN + 11)
    [line], [expected] = underlined.lines(), plain.lines()
    assert ink(line) == pytest.approx(ink(expected), abs=5)


def test_a_frame_is_no_part_of_the_digit_in_it():
    paper = Paper()
    paper.digit("0", 120, 90)
    without_frame = all_ink(paper)
    paper.pen.rectangle((110, 82, 156, 146), outline=0, width=2)
    [line] = paper.lines()
    assert ink(line) == without_frame


def specks(side):
    """Return side^2 specks of 4 x 4 pixels, of which each is near others."""
    labels = np.zeros((6 * side, 6 * side), np.int32)
    boxes = []
    for number in range(side * side):
        box = Box(6 * (number % side), 6 * (number // side), 4, 4)
        labels[box.slices] = number + 1
        boxes.append(box)
    return Components(labels, boxes, np.full(len(boxes), 16.0), np.zeros(len(boxes), bool))


def calls_to_join(components):
    """Return how many functions are called, those of NumPy included."""
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        join_parts(components, np.arange(len(components)))
    finally:
        sys.setprofile(None)
    return calls


def test_the_work_for_specks_grows_with_their_number_only():
    few, many = (calls_to_join(specks(side)) for side in (20, 100))
    assert many < 25 * few + 1000


def test_joined_components_are_one_with_the_ink_and_the_box_of_all():
    labels = np.zeros((40, 60), np.int32)
    boxes = [Box(5, 5, 12, 3), Box(5, 10, 14, 15), Box(30, 5, 12, 20)]
    for number, box in enumerate(boxes):
        labels[box.slices] = number + 1
    components = Components(labels, boxes, np.array([3.0, 20.0, 24.0]), np.zeros(3, bool))
    joined = join_parts(components, np.arange(3))
    assert joined.boxes == [(5, 5, 14, 20), (30, 5, 12, 20)]
    assert joined.ink.tolist() == [23, 24]
    assert np.array_equal(joined.labels, np.where(labels == 3, 2, labels > 0))
    assert join_parts(components, np.array([1, 2])) is components
