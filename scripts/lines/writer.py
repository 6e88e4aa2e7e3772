"""Write a number with a pen: one writer's digits along a baseline, from pen strokes or from MNIST images."""

from dataclasses import dataclass, field

import numpy as np
from pictures.alphabet import DIGITS, Stroke
from pictures.glyphs import jittered, smooth
from PIL import Image, ImageDraw
from scipy import ndimage

from lines.styles import HASTY
from lines.text import Rng

HEIGHT = 64  # of a digit, in pixels
FINE = 2  # pixels of the drawing for each of these
STEPS = 8  # points of a curve between two points of a stroke

FROM_IMAGES = 0.6  # fraction of the writers whose digits are images
KERNED = 0.4  # fraction of these whose digits are moved left until their strokes touch
OWN_FORM = 0.05  # displacement of the points of a style in the form that is a writer's own
OWN_SHAPE = 0.13  # spread of the width, slant and rise of this form
FIRST_ROW, ROWS = 4, 20  # of an image of MNIST: those that its digit fills, unless it is wider than high
HASTE = 3  # how often a style of `styles` is chosen, relative to one of pictures.alphabet


@dataclass
class Hand:
    """How one writer writes. Lengths are in heights of a digit.

    Attributes
    ----------
    pen : float
        Width of the strokes.
    slant : float
        Shift to the right per height.
    aspect : float
        Width of a digit of square strokes.
    gap : float
        Mean space between digits; negative if they overlap.
    joins : float
        Probability that the pen stays down after a digit.
    zero_joins : float
        The same for zeros, if it is larger.
    wobble : float
        Displacement of the points of a stroke.
    unevenness : float
        Spread of sizes and positions.
    zeros : (float, float)
        Mean height and width of a zero, relative to other digits; many writers make them small, or wide and flat.
    ones : float
        The same width of a one.
    from_images : bool
        Whether the digits are images of MNIST instead of strokes.
    framed : bool
        Whether the images keep their gray levels, and the sizes and places that they have in their frames.
    kerned : bool
        Whether each image is moved left until its strokes touch those of the digit before, or nearly do.
    favourites : dict
        This writer's form of each digit.
    """

    pen: float
    slant: float
    aspect: float
    gap: float
    joins: float
    zero_joins: float
    wobble: float
    unevenness: float
    zeros: tuple[float, float]
    ones: float
    from_images: bool
    framed: bool
    kerned: bool
    favourites: dict[str, list[Stroke]] = field(default_factory=dict)

    @classmethod
    def of(cls, rng: Rng, from_images: float, framed: float) -> "Hand":
        """Return the hand of a random writer.

        `from_images` is the fraction of those who do not use strokes, and `framed` that of these with whole frames.
        """
        return cls(
            pen=float(np.exp(rng.normal(np.log(0.085), 0.3))),
            slant=rng.normal(0.15, 0.22),
            aspect=rng.uniform(0.4, 0.95),
            gap=rng.choice([rng.normal(0.13, 0.1), rng.normal(0, 0.05), rng.uniform(0.2, 0.7)], p=[0.6, 0.2, 0.2]),
            joins=float(rng.choice([0, 0.1, 0.5], p=[0.6, 0.25, 0.15])),
            zero_joins=float(rng.choice([0, 0.3, 0.9], p=[0.6, 0.2, 0.2])),
            wobble=rng.uniform(0.015, 0.05),
            unevenness=rng.uniform(0.02, 0.12),
            zeros=_zeros(rng),
            ones=rng.uniform(0.7, 1.5),
            from_images=bool(rng.random() < from_images),
            framed=bool(rng.random() < framed),
            kerned=bool(rng.random() < KERNED),
        )

    def strokes(self, rng: Rng, digit: str) -> list[Stroke]:
        """Return the strokes of a digit in the unit square, mostly in this writer's favourite style."""
        styles = DIGITS[digit] + HASTE * HASTY[digit]
        if digit not in self.favourites or rng.random() < 0.1:
            self.favourites[digit] = _own_form(rng, styles[rng.integers(len(styles))])
        return jittered(rng, self.favourites[digit], self.wobble)


class Page:
    """A drawing of ink, with x to the right from the start of the number and y downwards from the top of the digits."""

    def __init__(self, length: float):
        self.left, self.top = HEIGHT, HEIGHT
        self.size = int((length + 2) * HEIGHT), 3 * HEIGHT
        self.drawing = Image.new("L", (FINE * self.size[0], FINE * self.size[1]))
        self.pen = ImageDraw.Draw(self.drawing)
        self.pasted = np.zeros(self.size[::-1], np.float32)

    def stroke(self, points: np.ndarray, width: float) -> None:
        """Draw a smooth line of a width through points (n, 2), all in heights of a digit."""
        curve = smooth(points, STEPS) * HEIGHT + (self.left, self.top)
        pixels = max(1, round(width * HEIGHT * FINE))
        xy = [tuple(point) for point in FINE * curve]
        self.pen.line(xy, 255, pixels, joint="curve")
        for x, y in (xy[0], xy[-1]):
            radius = pixels / 2
            self.pen.ellipse((x - radius, y - radius, x + radius, y + radius), 255)

    def paste(
        self, image: np.ndarray, to_image: np.ndarray, corner: np.ndarray, level: float | None, gap: float | None
    ) -> float:
        """Draw an image (H, W) of light ink; `to_image` maps y, x from its corner, in heights, to pixels of it.

        Ink of the given level gets an edge of its own, so that the level decides how wide the strokes are.
        If there is a gap, in heights, the image is moved to the left until this is the least horizontal distance of
        its ink to the ink there. Return by how much it is moved.
        """
        matrix = to_image / HEIGHT
        offset = -matrix @ (corner * HEIGHT + (self.top, self.left))
        corners = np.array([(0, 0), (0, 1), (1, 0), (1, 1)]) * image.shape
        reached = np.linalg.solve(matrix, (corners - offset).T)  # rows and columns of the page
        first = np.maximum(np.floor(reached.min(1)), 0).astype(int)
        last = np.minimum(np.ceil(reached.max(1)) + 1, self.pasted.shape).astype(int)
        if (first >= last).any():  # beyond the page
            return 0.0
        placed = ndimage.affine_transform(image, matrix, matrix @ first + offset, tuple(last - first), order=1)
        if level is not None:
            placed = np.clip((placed - level) * 6 + 0.5, 0, 1)
        rows = slice(first[0], last[0])
        moved = 0 if gap is None else _overlap(self.pasted[rows], placed, first[1], round(gap * HEIGHT))
        part = self.pasted[rows, first[1] - moved : last[1] - moved]
        np.maximum(part, placed, out=part)
        return moved / HEIGHT

    def ink(self) -> np.ndarray:
        """Return the coverage of each pixel by ink, float32 (3 HEIGHT, W) between 0 and 1."""
        drawn = np.asarray(self.drawing.resize(self.size, Image.Resampling.BOX), np.float32) / 255
        return np.maximum(drawn, self.pasted)


def write(
    rng: Rng,
    text: str,
    images: np.ndarray,
    labels: np.ndarray,
    from_images: float = FROM_IMAGES,
    framed: float = 0.0,
) -> np.ndarray:
    """Write a text of `lines.text.number`; return the coverage by ink, float32 (192, W), of digits 64 pixels high.

    Parameters
    ----------
    images, labels : uint8 (N, 28, 28) and (N,)
        Digits to write with, by those writers who do not use strokes.
    from_images : float
        The fraction of these writers.
    framed : float
        The fraction of these whose images keep their gray levels, sizes and places.
    """
    hand = Hand.of(rng, from_images, framed)
    page = Page(len(text) * (1.5 * hand.aspect + 1.7 * max(hand.gap, 0.1)) + 2)
    drift, x, lift = rng.normal(0, 0.03), 0.0, 0.0
    pending: list[np.ndarray] = []  # the last stroke, if the pen stays down
    for before, symbol in zip(" " + text, text, strict=False):
        lift = 0.7 * lift + rng.normal(0, hand.unevenness)
        y = lift + drift * x
        if symbol == " ":
            x += rng.uniform(0.15, 0.45)
            continue
        if symbol in ".,-=":
            strokes, width = _sign(rng, symbol, hand)
        elif hand.from_images:
            image = images[rng.choice(np.flatnonzero(labels == int(symbol)))]
            if hand.kerned:
                x += _paste(rng, page, hand, image, x, y, rng.uniform(-0.04, 0.06) if before.isdigit() else None)
            else:
                x += _paste(rng, page, hand, image, x, y, None) + hand.gap * rng.uniform(0.3, 1.7)
            continue
        else:
            strokes, width = _sized(rng, hand.strokes(rng, symbol), symbol, hand)
        points = [np.add(stroke, (x, y)) for stroke in strokes]
        points = [stroke + np.outer(1 - stroke[:, 1], (hand.slant, 0)) for stroke in points]
        if pending:
            points[0] = np.concatenate([pending.pop(), points[0]])
        stays_down = max(hand.joins, hand.zero_joins) if symbol == "0" else hand.joins
        joins = symbol.isdigit() and rng.random() < stays_down
        for stroke in points[: len(points) - joins]:
            page.stroke(stroke, hand.pen * rng.uniform(0.9, 1.1))
        if joins:
            pending.append(points[-1])
        x += width + hand.gap * rng.uniform(0.3, 1.7) + 0.02
    for stroke in pending:
        page.stroke(stroke, hand.pen)
    return page.ink()


def _zeros(rng: Rng) -> tuple[float, float]:
    height = rng.choice([1.0, rng.uniform(0.45, 1)])
    return height, rng.choice([height, rng.uniform(0.7, 1.6)])


def _own_form(rng: Rng, style: list[Stroke]) -> list[Stroke]:
    """Return a writer's form of a style: wider or narrower, slanted, rising or falling, with displaced points."""
    wider, slant, rise = np.exp(rng.normal(0, OWN_SHAPE)), *rng.normal(0, OWN_SHAPE, 2)
    strokes = jittered(rng, style, OWN_FORM)
    return [[(wider * x + slant * (1 - y), y - rise * (x - 0.5)) for x, y in stroke] for stroke in strokes]


def _sized(rng: Rng, strokes: list[Stroke], digit: str, hand: Hand) -> tuple[list[np.ndarray], float]:
    """Scale the strokes of a digit; return them, starting at x = 0, and their width."""
    height, width = np.exp(rng.normal(0, hand.unevenness, 2)) * (1, hand.aspect)
    if digit == "0":
        height, width = np.multiply((height, width), hand.zeros)
    elif digit == "1":
        width *= hand.ones
    points = [np.array(stroke) * (width, height) + (0, 1 - height) for stroke in strokes]
    left = min(stroke[:, 0].min() for stroke in points)
    points = [stroke - (left, 0) for stroke in points]
    return points, max(stroke[:, 0].max() for stroke in points)


def _paste(rng: Rng, page: Page, hand: Hand, image: np.ndarray, x: float, y: float, gap: float | None) -> float:
    """Draw an image of MNIST; return its width, less the overlap by which it is moved."""
    rows, columns = (np.flatnonzero(image.max(axis) > 60) for axis in (1, 0))
    top, left, level = rows[0], columns[0], None
    if hand.framed:
        height, size, across, lean = ROWS, 1.0, 1.0, 0.0
        y += (top - FIRST_ROW) / ROWS
    else:
        height, size = rows[-1] + 1 - top, np.exp(rng.normal(0, hand.unevenness))
        across = hand.aspect / 0.65 * np.exp(rng.normal(0, 0.05))
        lean = hand.slant / 2  # the images have a slant of their own
        level = float(np.clip(0.95 - 4 * hand.pen, 0.25, 0.8))
    width = (columns[-1] + 1 - left) / height * size * across
    # Row r of the image is at y = (r - top) / height * size, and column c at x = (c - left) / height * size * across
    to_image = np.array([[height / size, 0], [lean * height / size / across, height / size / across]])
    corner = np.array([y + 1 - size, x + lean])
    padded = np.zeros((28, 28), np.float32)
    padded[: 28 - top, : 28 - left] = image[top:, left:] / 255
    return width - page.paste(padded, to_image, corner, level, gap)


def _overlap(before: np.ndarray, digit: np.ndarray, start: int, gap: int) -> int:
    """Return by how many columns a digit at column `start` is moved so that its ink is `gap` from that before.

    It is moved by at most half its width, so that it does not cover the digit before.
    """
    left, right = before > 0.5, digit > 0.5
    shared = left.any(1) & right.any(1)
    if not shared.any():
        return 0
    last, first = before.shape[1] - 1 - left[:, ::-1].argmax(1), start + right.argmax(1)
    ink = np.flatnonzero(right.any(0))
    return int(np.clip((first - last - 1)[shared].min() - gap, 1 - start, (ink[-1] + 1 - ink[0]) // 2))


def _sign(rng: Rng, symbol: str, hand: Hand) -> tuple[list[np.ndarray], float]:
    """Return the strokes of a separator or dash and their width."""
    if symbol in "-=":
        length, y = rng.choice([rng.uniform(0.2, 0.6), rng.uniform(0.6, 1.6)], p=[0.75, 0.25]), rng.uniform(0.45, 0.8)
        bow, rise = rng.normal(0, 0.04, 2)
        line = np.array([(0.08, y), (0.08 + length / 2, y + bow), (0.08 + length, y + rise)])
        between = rng.uniform(0.14, 0.3)
        lower = np.add(line, (rng.normal(0, 0.03), between))
        return [line, lower][: 1 + (symbol == "=")], length + 0.15
    x, y = rng.uniform(0, 0.08), 1 + rng.normal(-0.02, 0.05)
    if symbol == ".":
        step = rng.normal(0, 0.03, 2)
        return [np.array([(x, y), (x + step[0], y + step[1])])], x + 0.06
    tail = rng.uniform(0.1, 0.28)
    return [np.array([(x + 0.06, y - 0.03), (x + 0.05, y + tail / 2), (x - 0.04, y + tail)])], x + 0.1
