"""Draw arrays of activations: boxes of channels, rows and columns, and columns of neurons.

All sizes are in points, and y goes upwards. A box is seen from the front left: its front shows rows and channels, its
right face shows rows and columns, as in an image of one channel.
"""

from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING

from fastdigits.nn.layers import Shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float]

MAX_HEIGHT, MAX_FRONT = 110, 70  # of the rows or columns and of the channels of the largest box
DEPTH = 0.32  # size of a column in the drawing, relative to that of a row
MIN_FRONT = 3  # keeps a single channel visible
NEURON, PITCH = 7.5, 10.0  # diameter of a neuron and distance between two centers
MAX_NEURONS = 12  # longer columns are drawn with a gap
ELLIPSIS = (-6, 0, 6)  # offsets of the three dots in the gap
LINE_WIDTH = 0.8
WHITE = {"front": 0.5, "top": 0.75, "right": 0.3}  # fraction of white mixed into the color of each face


@dataclass(frozen=True)
class Scale:
    """Points per row or column, and per channel."""

    pixel: float
    channel: float


def scale_of(shapes: list[Shape]) -> Scale:
    """Return the common scale of all volumes: the largest one reaches the maximum size."""
    volumes = [shape for shape in shapes if len(shape) == 3]
    pixel = MAX_HEIGHT / max(max(rows, columns) for _, rows, columns in volumes)
    return Scale(pixel, min(pixel / 2, MAX_FRONT / max(channels for channels, _, _ in volumes)))


class Box:
    """A volume of channels, rows and columns, drawn to scale."""

    def __init__(self, shape: Shape, scale: Scale):
        C, H, W = shape
        self.scale, self.front, self.rows = scale, max(C * scale.channel, MIN_FRONT), H * scale.pixel
        self.depth = W * scale.pixel * DEPTH
        self.width, self.height = self.front + self.depth, self.rows + self.depth

    def right_face(self, x: float, y: float, top: float, left: float, rows: float, columns: float) -> list[Point]:
        """Return the corners of a window on the right face, counterclockwise from the lower left.

        Parameters
        ----------
        x, y : float
            Left end and vertical middle of the box.
        top, left, rows, columns : float
            Position and size of the window in pixels.
        """
        pixel, step = self.scale.pixel, self.scale.pixel * DEPTH
        near, far = left * step, (left + columns) * step
        x0, y0 = x + self.front, y + self.height / 2 - self.depth
        low, high = y0 - (top + rows) * pixel, y0 - top * pixel
        return [(x0 + near, low + near), (x0 + far, low + far), (x0 + far, high + far), (x0 + near, high + near)]

    def right_edge(self, x: float, y: float) -> list[Point]:
        """Return the upper and the lower end of the rightmost edge."""
        right, top = x + self.width, y + self.height / 2
        return [(right, top), (right, top - self.rows)]

    def draw(self, axes: "Axes", x: float, y: float, color: str) -> None:
        """Draw the box with its left end at x and its vertical middle at y."""
        from matplotlib.patches import Polygon

        low, high = y - self.height / 2, y + self.height / 2 - self.depth
        right, d = x + self.front, self.depth
        faces = {
            "front": [(x, low), (right, low), (right, high), (x, high)],
            "top": [(x, high), (right, high), (right + d, high + d), (x + d, high + d)],
            "right": [(right, low), (right + d, low + d), (right + d, high + d), (right, high)],
        }
        for face, corners in faces.items():
            tint = mix_with_white(color, WHITE[face])
            axes.add_patch(Polygon(corners, facecolor=tint, edgecolor=color, linewidth=LINE_WIDTH, joinstyle="round"))


class Neurons:
    """A column of neurons. Only the first and the last ones of a long column are drawn.

    Attributes
    ----------
    truncated : bool
        Whether some neurons are not drawn.
    drawn : int
        Number of neurons that are drawn; it grows with the logarithm of `units`.
    """

    def __init__(self, units: int):
        self.truncated = units > MAX_NEURONS
        self.drawn = MAX_NEURONS + round(log2(units / MAX_NEURONS)) // 2 * 2 if self.truncated else units
        self.width = NEURON
        self.height = (self.drawn - 1 + 2 * self.truncated) * PITCH + NEURON

    def centers(self, x: float, y: float) -> list[Point]:
        """Return the centers of the drawn neurons, from the top."""
        top = y + self.height / 2 - NEURON / 2
        gaps = [2 if self.truncated and i >= self.drawn // 2 else 0 for i in range(self.drawn)]
        return [(x + NEURON / 2, top - (i + gap) * PITCH) for i, gap in enumerate(gaps)]

    def draw(self, axes: "Axes", x: float, y: float, color: str) -> None:
        """Draw the column with its left end at x and its vertical middle at y."""
        from matplotlib.collections import PatchCollection
        from matplotlib.patches import Circle

        circles = [Circle(center, NEURON / 2) for center in self.centers(x, y)]
        tint = mix_with_white(color, WHITE["front"])
        axes.add_collection(PatchCollection(circles, facecolor=tint, edgecolor=color, linewidth=LINE_WIDTH, zorder=3))
        if self.truncated:
            dots = [Circle((x + NEURON / 2, y + offset), 1) for offset in ELLIPSIS]
            axes.add_collection(PatchCollection(dots, facecolor=color, edgecolor="none", zorder=3))


Body = Box | Neurons


def body_of(shape: Shape, scale: Scale) -> Body:
    """Return the drawing of an array of this shape."""
    return Box(shape, scale) if len(shape) == 3 else Neurons(shape[0])


def mix_with_white(color: str, fraction: float) -> tuple[float, float, float]:
    """Mix a color with a fraction of white; return it as red, green and blue from 0 to 1."""
    from matplotlib.colors import to_rgb

    red, green, blue = (part + (1 - part) * fraction for part in to_rgb(color))
    return red, green, blue
