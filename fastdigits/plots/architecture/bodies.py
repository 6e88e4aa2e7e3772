"""What an array of activations looks like: a box of channels, rows and columns, or a column of neurons.

All sizes are in points. A box is seen from the front left: its front is rows by channels, and the columns go into
the depth, so that its right face is what a channel looks like.
"""

from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING

from fastdigits.nn.layers import Shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float]

TALLEST, WIDEST = 110, 70  # of any box
DEPTH = 0.32  # of a column, drawn into the depth, in heights of a row
THINNEST = 3  # a single channel can still be seen
NEURON, PITCH = 7.5, 10.0  # the diameter of a neuron, and from one to the next
MAX_NEURONS = 12  # that are all drawn; of more some are left out
LIGHTER = {"front": 0.5, "top": 0.75, "right": 0.3}  # than the color, by this share of white


@dataclass(frozen=True)
class Scale:
    """Points for each row or column, and for each channel."""

    pixel: float
    channel: float


def scale_of(shapes: list[Shape]) -> Scale:
    """The scale at which the largest of all volumes is as large as may be."""
    volumes = [shape for shape in shapes if len(shape) == 3]
    pixel = TALLEST / max(max(rows, columns) for _, rows, columns in volumes)
    return Scale(pixel, min(pixel / 2, WIDEST / max(channels for channels, _, _ in volumes)))


class Box:
    """A volume of channels, rows and columns, to scale."""

    def __init__(self, shape: Shape, scale: Scale):
        C, H, W = shape
        self.scale, self.front, self.rows = scale, max(C * scale.channel, THINNEST), H * scale.pixel
        self.depth = W * scale.pixel * DEPTH
        self.width, self.height = self.front + self.depth, self.rows + self.depth

    def right_face(self, x: float, y: float, top: float, left: float, rows: float, columns: float) -> list[Point]:
        """The corners of a window of rows and columns, in pixels, on the right face of the box in the middle of which
        y is, anticlockwise from below.
        """
        pixel, step = self.scale.pixel, self.scale.pixel * DEPTH
        near, far = left * step, (left + columns) * step
        x0, y0 = x + self.front, y + self.height / 2 - self.depth
        low, high = y0 - (top + rows) * pixel, y0 - top * pixel
        return [(x0 + near, low + near), (x0 + far, low + far), (x0 + far, high + far), (x0 + near, high + near)]

    def right_edge(self, x: float, y: float) -> list[Point]:
        """The ends of the rightmost edge, from above."""
        right, top = x + self.width, y + self.height / 2
        return [(right, top), (right, top - self.rows)]

    def draw(self, axes: "Axes", x: float, y: float, color: str) -> None:
        """Draw it with its left at x and its middle at y."""
        low, high = y - self.height / 2, y + self.height / 2 - self.depth
        right, d = x + self.front, self.depth
        faces = {
            "front": [(x, low), (right, low), (right, high), (x, high)],
            "top": [(x, high), (right, high), (right + d, high + d), (x + d, high + d)],
            "right": [(right, low), (right + d, low + d), (right + d, high + d), (right, high)],
        }
        from matplotlib.patches import Polygon

        for face, corners in faces.items():
            tint = lighter(color, LIGHTER[face])
            axes.add_patch(Polygon(corners, facecolor=tint, edgecolor=color, linewidth=0.8, joinstyle="round"))


class Neurons:
    """A column of neurons; of many only the first and the last ones."""

    def __init__(self, units: int):
        self.hidden = units > MAX_NEURONS
        self.drawn = MAX_NEURONS + round(log2(units / MAX_NEURONS)) // 2 * 2 if self.hidden else units
        self.width = NEURON
        self.height = (self.drawn - 1 + 2 * self.hidden) * PITCH + NEURON

    def centers(self, x: float, y: float) -> list[Point]:
        """Where the neurons are, from the top."""
        top = y + self.height / 2 - NEURON / 2
        gap = [2 if self.hidden and place >= self.drawn // 2 else 0 for place in range(self.drawn)]
        return [(x + NEURON / 2, top - (place + gap[place]) * PITCH) for place in range(self.drawn)]

    def draw(self, axes: "Axes", x: float, y: float, color: str) -> None:
        """Draw it with its left at x and its middle at y."""
        from matplotlib.collections import PatchCollection
        from matplotlib.patches import Circle

        circles = [Circle(center, NEURON / 2) for center in self.centers(x, y)]
        tint = lighter(color, LIGHTER["front"])
        axes.add_collection(PatchCollection(circles, facecolor=tint, edgecolor=color, linewidth=0.8, zorder=3))
        if self.hidden:
            dots = [Circle((x + NEURON / 2, y + step), 1) for step in (-6, 0, 6)]
            axes.add_collection(PatchCollection(dots, facecolor=color, edgecolor="none", zorder=3))


Body = Box | Neurons


def body_of(shape: Shape, scale: Scale) -> Body:
    """What an array of this shape looks like."""
    return Box(shape, scale) if len(shape) == 3 else Neurons(shape[0])


def lighter(color: str, share: float) -> tuple[float, float, float]:
    """A color mixed with this share of white."""
    from matplotlib.colors import to_rgb

    red, green, blue = (part + (1 - part) * share for part in to_rgb(color))
    return red, green, blue
