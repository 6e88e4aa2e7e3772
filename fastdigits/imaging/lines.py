"""Find the lines of writing in a picture of a page, and cut out each one."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from PIL import Image
from scipy import ndimage

from fastdigits.errors import UserError
from fastdigits.imaging.background import uneven_background, with_bright_background
from fastdigits.imaging.components import Components, box_edges, find_components, typical_height
from fastdigits.imaging.ink import InkMap, find_ink
from fastdigits.imaging.line_format import MAX_LENGTH
from fastdigits.imaging.mnist_format import scale_picture
from fastdigits.imaging.paper import isolate_paper
from fastdigits.imaging.parts import join_parts
from fastdigits.imaging.rules import find_rules, rule_slope
from fastdigits.imaging.types import Box

MAX_SIDE = 1600  # pixels of the working copy of a picture
MAX_STROKE = 0.2  # maximum stroke width, as a fraction of the picture's longer side
MIN_DENSITY = 0.06  # of the ink in the box of a component; less is a frame or a rule
MAX_ASPECT, MIN_DENSITY_OF_WIDE = 3.0, 0.12  # the same for components that are wider than this in heights
MIN_SIDE = 6  # pixels of the height of a line
MIN_RULE = 0.25  # length of a rule, as a fraction of the width of the picture
# Of a picture that one line fills
MIN_FILL = 0.5  # typical height of its symbols, as a fraction of the height of the picture
MIN_ASPECT = 1.5  # width divided by height, if its ink cannot be told from its paper
# Of the slope of lines, which is a tangent
MAX_SLOPE, SLOPE_STEP = 0.27, 0.005
MIN_SLOPE = 0.02  # smaller ones are left as they are
MIN_GAIN = 1.05  # of the evenness of lines, for a slope to be believed
# As fractions of the typical height of a digit
MIN_HEIGHT, MAX_HEIGHT = 0.4, 3.0  # of a digit; lower components are dots, dashes and specks
MIN_SIGN, MAX_SIGN_WIDTH = 0.1, 3.0  # length of a dot or dash; shorter ones are specks, and wider ones rules
MIN_FITTED = 4  # length of a line whose slope is measured, and number of its digits
MIN_RULE_HEIGHTS = 2.0  # length of a rule; strokes of digits are shorter
MAX_SIGN_GAP = 1.5  # between a digit and a dot or dash of the same line
SIGNS = 2  # that follow each other, such as the dot and the dash in "1.000.-"
MAX_GAP = 3.2  # between two digits of the same line, in which a column may be left empty
MAX_WIDTH = 24.0  # of a line; a longer one is cut
MARGIN = 0.2  # above and below a line
SIDE_MARGIN = 0.4  # to the left and right of a line
# As fractions of other lengths
MIN_SHARED_ROWS = 0.4  # of the lower box's height, so that two stand in the same line
FOREIGN_EDGE = 2  # pixels around the ink of other lines that are still darker than the paper
MAX_FRAMES = 200  # of the largest components, which may be frames
Fill = float | tuple[float, ...]  # a gray level or a color
# Limits of the work for one picture
MAX_COMPONENTS = 20_000  # only those with the most ink are considered; the others are specks
MAX_LINES = 500


@dataclass(frozen=True, eq=False)
class Line:
    """A line of writing.

    Attributes
    ----------
    picture : uint8 (h, w, C)
        The line, straight, from the top of its digits to the bottom. Rules and other lines are painted over.
    corners : float (4, 2)
        x and y in the whole picture of the corners of `picture`: top left, top right, bottom right and bottom left.
    """

    picture: np.ndarray
    corners: np.ndarray

    def box_in_whole(self, left: float, top: float, right: float, bottom: float) -> Box:
        """Return the bounding box in the whole picture of a rectangle, given as fractions of the line's sides."""
        x, y = np.array([left, right, right, left])[:, None], np.array([top, top, bottom, bottom])[:, None]
        a, b, c, d = self.corners
        points = (1 - y) * ((1 - x) * a + x * b) + y * ((1 - x) * d + x * c)
        first, last = np.round(points.min(0)).astype(int), np.round(points.max(0)).astype(int)
        return Box(int(first[0]), int(first[1]), *(int(max(1, side)) for side in last - first))


@dataclass(frozen=True, eq=False)
class _Page:
    """A working copy of a picture, perhaps rotated: uint8 (H, W, C), and its ink.

    `to_picture` (2, 3) maps x, y and 1 to x and y in the picture itself.
    """

    bright: np.ndarray
    background: np.ndarray
    ink: InkMap
    components: Components
    to_picture: np.ndarray

    def rotated(self, slope: float) -> "_Page":
        """Make lines horizontal that go down by `slope` rows per column."""
        H, W = self.ink.strength.shape
        cosine, sine = np.cos(np.arctan(slope)), np.sin(np.arctan(slope))
        turn = np.array([[cosine, -sine], [sine, cosine]])  # from the rotated copy
        corners = np.array([[0, 0], [W, 0], [W, H], [0, H]]) @ turn  # in the rotated copy
        offset = corners.min(0)
        size = cast("tuple[int, int]", tuple(np.ceil(corners.max(0) - offset).astype(int).tolist()))
        matrix = np.column_stack([turn, turn @ offset])

        def copy(values: np.ndarray, fill: Fill) -> np.ndarray:
            image = Image.fromarray(values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values)
            moved = image.transform(
                size, Image.Transform.AFFINE, matrix.reshape(-1).tolist(), Image.Resampling.BILINEAR, fillcolor=fill
            )
            return np.asarray(moved).reshape(size[1], size[0], *values.shape[2:])

        fill = [int(level) for level in np.median(self.background.reshape(-1, self.background.shape[2])[::16], axis=0)]
        color = tuple(fill) if len(fill) > 1 else fill[0]
        ink = replace(self.ink, contrast=copy(self.ink.contrast, 0), strength=copy(self.ink.strength, 0))
        outer = np.vstack([matrix, (0, 0, 1)])
        bright, background = copy(self.bright, color), copy(self.background, color)
        return _Page(bright, background, ink, _find_symbols(ink), self.to_picture @ outer)


def find_lines(picture: np.ndarray) -> list[Line]:
    """Find the lines of a picture uint8 (H, W, 3) or (H, W), from top to bottom, and from left to right within a row.

    Lines may slope by up to 15 degrees. Columns are lines of their own. A picture that a single line fills is that
    line as it is.

    Raises
    ------
    UserError
        If there are more than MAX_LINES lines.
    """
    scaled = scale_picture(picture, MAX_SIDE)
    factors = np.array(picture.shape[1::-1]) / scaled.shape[1::-1]
    page = _page_of(with_bright_background(scaled), np.column_stack([np.diag(factors), (0, 0)]))
    H, W = scaled.shape[:2]
    min_rule = _min_rule_length(page.components)
    if _is_one_line(page.components, H, W) and not find_rules(page.ink, page.components, min_rule).has_frame:
        return [_whole(picture)]
    slope = rule_slope(page.ink, page.components, min_rule, MAX_SLOPE)
    if slope is None:
        slope = _slope_of_lines(page.components)
    straight = page.rotated(slope) if abs(slope) >= MIN_SLOPE else page
    rules = find_rules(straight.ink, straight.components, min_rule).mask
    if rules.any():
        ink = replace(straight.ink, strength=np.where(rules, 0, straight.ink.strength))
        straight = replace(straight, ink=ink, components=_find_symbols(ink))
    return [_cut_out(straight, span, rules) for span in _lines_of(straight.components)]


def _whole(picture: np.ndarray) -> Line:
    H, W = picture.shape[:2]
    corners = np.array([[0, 0], [W, 0], [W, H], [0, H]], float)
    return Line(picture if picture.ndim == 3 else picture[..., None], corners)


def _page_of(bright: np.ndarray, to_picture: np.ndarray, search_paper: bool = True) -> _Page:
    """Find the ink of a picture with a bright background, or of the sheet of paper in it."""
    background = uneven_background(bright, MAX_STROKE, extend_edges=True)
    ink = find_ink(bright, background)
    components = _find_symbols(ink)
    if search_paper and len(components):
        largest = components.mask(np.arange(len(components)) == components.ink.argmax())
        if (paper := isolate_paper(bright, largest)) is not None:
            return _page_of(with_bright_background(paper), to_picture, search_paper=False)
    return _Page(bright, background, ink, components, to_picture)


def _find_symbols(ink: InkMap) -> Components:
    """Find the components of ink, and join those that are parts of a digit."""
    components = find_components(ink)
    return join_parts(components, _plausible(components))


def _plausible(components: Components) -> np.ndarray:
    """Return the indices of the components that may be writing."""
    width, height = np.array(components.boxes).reshape(-1, 4)[:, 2:].T
    areas = np.bincount(components.labels.reshape(-1), minlength=len(components) + 1)[1:]
    min_density = np.where(width > MAX_ASPECT * height, MIN_DENSITY_OF_WIDE, MIN_DENSITY)
    kept = np.flatnonzero(~components.clipped & (areas > min_density * width * height))  # some have only faint pixels
    kept = kept[~_encloses_more_ink(components, kept)]
    if len(kept) > MAX_COMPONENTS:
        kept = np.sort(kept[np.argsort(-components.ink[kept], kind="stable")[:MAX_COMPONENTS]])
    return kept


def _encloses_more_ink(components: Components, kept: np.ndarray) -> np.ndarray:
    """Return which components, bool (n,), have more ink within their box than their own, as a frame has."""
    left, top, right, bottom = box_edges(components.boxes)[:, kept]
    x, y, ink = (left + right) / 2, (top + bottom) / 2, components.ink[kept]
    result = np.zeros(len(kept), bool)
    for number in np.argsort(-(right - left) * (bottom - top), kind="stable")[:MAX_FRAMES]:
        inside = (left[number] < x) & (x < right[number]) & (top[number] < y) & (y < bottom[number])
        result[number] = ink[inside].sum() > 2 * ink[number]  # its own, too
    return result


def _min_rule_length(components: Components) -> float:
    heights = np.array([components.boxes[index].height for index in _plausible(components)])
    return max(MIN_RULE * components.labels.shape[1], MIN_RULE_HEIGHTS * typical_height(heights))


def _slope_of_lines(components: Components) -> float:
    """Return the slope at which the boxes of components share the fewest rows, or 0 if it is not clear.

    With c[i] the number of boxes in row i, the sum of c^2 is highest if they stand in line.
    """
    edges = box_edges(components.boxes)[:, _plausible(components)]
    heights = edges[3] - edges[1]
    typical = typical_height(heights)
    left, top, right, bottom = edges[:, (heights >= MIN_HEIGHT * typical) & (heights <= MAX_HEIGHT * typical)]
    if len(left) < 2:
        return 0.0
    x, row = (left + right) / 2, max(typical / 8, 1)
    slopes = np.arange(-MAX_SLOPE, MAX_SLOPE + SLOPE_STEP / 2, SLOPE_STEP)
    evenness = []
    for slope in (0.0, *slopes):
        first, last = (np.round((y - slope * x) / row).astype(int) for y in (top, bottom))
        start = first.min()
        changes = np.zeros(last.max() - start + 2, int)
        np.add.at(changes, first - start, 1)
        np.add.at(changes, last - start, -1)
        evenness.append(float((np.cumsum(changes) ** 2).sum()))
    level, *of_slopes = evenness
    if max(of_slopes) < MIN_GAIN * level:
        return 0.0
    near_best = slopes[np.array(of_slopes) >= 0.98 * max(of_slopes)]
    return float(near_best[np.abs(near_best - np.median(near_best)).argmin()])


def _is_one_line(components: Components, H: int, W: int) -> bool:
    """Return whether one line fills a picture, whose ink or whose typical height tells so."""
    kept = _plausible(components)
    if not len(kept):
        return MIN_ASPECT <= W / H <= MAX_LENGTH
    heights = np.array([components.boxes[index].height for index in kept])
    return typical_height(heights) >= MIN_FILL * H and W <= MAX_LENGTH * H


@dataclass(frozen=True, eq=False)
class _Span:
    """The components of a line, and the parallelogram around its digits.

    Its vertical sides are at the columns `left` and `right`. The others are at the rows `top` and `bottom` of column 0
    and go down by `slope` rows per column.
    """

    members: np.ndarray
    left: float
    right: float
    top: float
    bottom: float
    slope: float

    @classmethod
    def around(cls, edges: np.ndarray, members: np.ndarray, slope: float) -> "_Span":
        left, top, right, bottom = edges[:, members]
        offset = slope * (left + right) / 2
        return cls(members, left.min(), right.max(), (top - offset).min(), (bottom - offset).max(), slope)

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def with_signs(self, edges: np.ndarray, signs: np.ndarray, max_gap: float) -> "_Span":
        """Add the small components within its rows that are near enough."""
        left, top, right, bottom = edges[:, signs]
        y = (top + bottom - self.slope * (left + right)) / 2
        within = (self.top - 0.1 * self.height < y) & (y < self.bottom + 0.2 * self.height)
        near = signs[within & (right > self.left - max_gap) & (left < self.right + max_gap)]
        return self.around(edges, np.union1d(self.members, near), self.slope) if len(near) else self


def _lines_of(components: Components) -> list[_Span]:
    """Put components into lines, in reading order; raise UserError if there are more than MAX_LINES."""
    kept, edges = _plausible(components), box_edges(components.boxes)
    heights, widths = edges[3] - edges[1], edges[2] - edges[0]
    height = typical_height(heights[kept])
    if height < MIN_SIDE:
        return []
    is_high = (MIN_HEIGHT * height <= heights[kept]) & (heights[kept] <= MAX_HEIGHT * height)
    digits = kept[is_high & (widths[kept] <= MAX_WIDTH * height)]
    small = heights[kept] < MIN_HEIGHT * height
    signs = kept[small & (widths[kept] <= MAX_SIGN_WIDTH * height) & (components.lengths[kept] >= MIN_SIGN * height)]
    spans = []
    for line in _chained(edges, digits):
        parts = _columns(edges, line, MAX_GAP * height, MAX_WIDTH * height)
        spans += [_Span.around(edges, part, _slope(edges, part)) for part in parts]
    if len(spans) > MAX_LINES:
        raise UserError(
            f"the picture shows {len(spans):,} lines, more than the limit of {MAX_LINES}; cut it into smaller pictures."
        )
    for _ in range(SIGNS):
        spans = [span.with_signs(edges, signs, MAX_SIGN_GAP * height) for span in spans]
    return _in_reading_order(spans)


def _chained(edges: np.ndarray, digits: np.ndarray) -> list[np.ndarray]:
    """Put digits into lines, each from left to right; one joins the line whose last digit shares rows with it."""
    lines: list[list[int]] = []
    last = np.zeros((2, len(digits)))  # top and bottom of the last digit of each line
    for index in digits[np.argsort(edges[0, digits], kind="stable")]:
        top, bottom = edges[1, index], edges[3, index]
        tops, bottoms = last[:, : len(lines)]
        shared_rows = (np.minimum(bottoms, bottom) - np.maximum(tops, top)) / np.minimum(bottoms - tops, bottom - top)
        line = int(shared_rows.argmax()) if lines else 0
        if lines and shared_rows[line] >= MIN_SHARED_ROWS:
            lines[line].append(index)
        else:
            line = len(lines)
            lines.append([index])
        last[:, line] = top, bottom
    return [np.array(line) for line in lines]


def _columns(edges: np.ndarray, line: np.ndarray, max_gap: float, max_width: float) -> list[np.ndarray]:
    """Cut a line at gaps that are too wide, and near its middle while it is too long to be read."""
    left, _, right, _ = edges[:, line]
    gaps = left[1:] - np.maximum.accumulate(right)[:-1]
    parts, pending = [], list(np.split(np.arange(len(line)), np.flatnonzero(gaps > max_gap) + 1))[::-1]
    while pending:
        part = pending.pop()
        if len(part) == 1 or right[part].max() - left[part[0]] <= max_width:
            parts.append(line[part])
            continue
        edge = (len(part) - 1) // 3  # number of gaps at each end that are too far from the middle
        cut = edge + int(gaps[part[:-1]][edge : len(part) - 1 - edge].argmax()) + 1
        pending += [part[cut:], part[:cut]]
    return parts


def _slope(edges: np.ndarray, line: np.ndarray) -> float:
    """Return the slope of the digits of a line, fitted to their centers."""
    left, top, right, bottom = edges[:, line]
    x, height = (left + right) / 2, float(np.mean(bottom - top))
    if len(line) < MIN_FITTED or np.ptp(x) < MIN_FITTED * height:
        return 0.0
    slope = float(np.polyfit(x, (top + bottom) / 2, 1)[0])
    return slope if abs(slope) >= MIN_SLOPE else 0.0


def _in_reading_order(spans: list[_Span]) -> list[_Span]:
    """Order lines by rows, from the top, and within a row from the left."""
    rows: list[list[_Span]] = []
    for span in sorted(spans, key=lambda span: span.top + span.bottom):
        first = rows[-1][0] if rows else span
        shared = min(first.bottom, span.bottom) - max(first.top, span.top)
        if rows and shared >= MIN_SHARED_ROWS * min(first.height, span.height):
            rows[-1].append(span)
        else:
            rows.append([span])
    return [span for row in rows for span in sorted(row, key=lambda span: span.left)]


def _cut_out(page: _Page, span: _Span, rules: np.ndarray) -> Line:
    """Cut a line out of a page, and paint over rules and what belongs to other lines."""
    H, W = page.ink.strength.shape
    margin, side_margin = MARGIN * span.height, SIDE_MARGIN * span.height
    left, right = max(0, round(span.left - side_margin)), min(W, round(span.right + side_margin))
    offsets = span.slope * np.array([left, right])
    tops, bottoms = span.top - margin + offsets, span.bottom + margin + offsets
    first, last = max(0, round(tops.min())), min(H, round(bottoms.max()))
    area = slice(first, last), slice(left, right)
    labels = page.components.labels[area]
    foreign = labels > 0
    foreign[np.isin(labels, span.members + 1)] = False
    foreign = (
        ndimage.binary_dilation(foreign, np.ones((3, 3), bool), 2) & ~np.isin(labels, span.members + 1) | rules[area]
    )
    picture = np.where(foreign[..., None], page.background[area], page.bright[area])
    height, top, bottom = round(span.height + 2 * margin), tops, bottoms
    if span.slope:
        picture = _sheared(picture, tops[0] - first, span.slope, height)
    else:
        top, bottom = np.array([first, first]), np.array([last, last])
    x = np.array([left, right, right, left])
    y = np.concatenate([top, bottom[::-1]])
    return Line(picture, np.column_stack([x, y, np.ones(4)]) @ page.to_picture.T)


def _sheared(picture: np.ndarray, top: float, slope: float, height: int) -> np.ndarray:
    """Make a line horizontal that goes down by `slope` rows per column, from row `top` at the left."""
    w = picture.shape[1]
    image = Image.fromarray(picture if picture.shape[2] == 3 else picture[..., 0])
    matrix = 1, 0, 0, slope, 1, top
    color = tuple(int(level) for level in np.median(picture.reshape(-1, picture.shape[2]), axis=0))
    fill = color if len(color) == 3 else color[0]
    moved = image.transform((w, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=fill)
    return np.asarray(moved).reshape(height, w, -1)
