"""Figure style shared by all plots, and encoding of figures to bytes. Nothing here uses pyplot or opens a file."""

import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008), Color universal design: distinguishable with every kind of color vision
BLUE, ORANGE, GREEN, PINK, SKY, VERMILION, BLACK = COLORS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#000000",
)
GRAY = "#737373"  # for everything that is not data: notes, frames, guide lines
LINES = ("-", "--", ":", "-.")  # the style changes each time the colors repeat
MARKERS = "osD^"  # the marker changes each time the colors repeat
SEQUENTIAL, DIVERGING, PIXELS = "Blues", "RdBu", "gray"  # color maps of magnitudes, of signed values and of images

TITLE, TEXT, SMALL = 15, 13, 11  # font sizes in points: readable when the figure is shown at half its size
DPI = 130
MANY_DECADES = 300  # from this ratio of values on, only powers of ten get a tick
MAX_CLASS_NAME = 14  # characters of the name of a class
POINTS_PER_INCH = 72
FILE_TYPES = ("png", "svg", "pdf")
# Metadata without a date, so that equal figures are encoded to equal bytes
METADATA: dict[str, dict[str, None]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
RC_PARAMS: dict[Any, Any] = {  # matplotlib declares the keys as a literal type of its own
    "font.family": "DejaVu Sans",
    "font.size": TEXT,
    "figure.titlesize": TITLE,
    "axes.titlesize": TITLE,
    "axes.labelsize": TEXT,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "legend.fontsize": TEXT,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "svg.hashsalt": "fastdigits",
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Apply RC_PARAMS inside a `with` block, or to a function that is decorated with `@figure_style()`."""
    import matplotlib

    with matplotlib.rc_context(RC_PARAMS):
        yield


def new_figure(width: float, height: float, layout: Any = "constrained") -> "Figure":
    """Create an empty figure, which notebooks show as an image.

    Parameters
    ----------
    width, height : float
        In inches.
    layout : str, optional
        Layout engine of matplotlib; None leaves the axes where they are placed.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    figure._repr_png_ = partial(encode_figure, figure, "png")  # type: ignore[attr-defined]  # what IPython looks for
    return figure


def literal(text: str) -> str:
    """Escape dollar signs, which start formulas in matplotlib, and replace undecodable bytes."""
    return printable(text).replace("$", r"\$")


def class_label(name: str) -> str:
    """Return the name of a class, shortened if it is long."""
    return literal(name if len(name) <= MAX_CLASS_NAME else f"{name[: MAX_CLASS_NAME - 1]}\N{HORIZONTAL ELLIPSIS}")


def printable(text: str) -> str:
    """Replace what no font can draw by question marks: undecodable bytes and control characters of file names."""

    def is_printable(character: str) -> bool:
        return character == "\n" or unicodedata.category(character) not in ("Cc", "Cs")

    return "".join(character if is_printable(character) else "?" for character in text)


def label_axes(axes: "Axes", x: str, y: str, title: str = "") -> None:
    """Set the axis labels, which must name the units, and the title; show a faint grid."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title)
    axes.grid(visible=True)


def log_ticks(values: Sequence[float]) -> tuple[int, ...]:
    """Return the multiples of each power of ten that get a tick: more of them if the values span less than a decade."""
    ratio = max(values) / min(values)
    return (1, 2, 3, 4, 5, 7) if ratio < 10 else (1, 2, 5) if ratio < MANY_DECADES else (1,)


def set_log_scale(axes: "Axes", axis: str, values: Sequence[float]) -> None:
    """Make an axis, "x" or "y", logarithmic, with ticks such as 0.1, 0.2, 0.5 that suit these positive values."""
    from matplotlib.ticker import NullLocator

    axes.set(**{f"{axis}scale": "log"})
    ticked = getattr(axes, f"{axis}axis")
    ticked.get_major_locator().set_params(subs=log_ticks(values))
    ticked.set_major_formatter("{x:g}")
    ticked.set_minor_locator(NullLocator())


def line_style(index: int) -> dict[str, str]:
    """Return the color and line style of the index-th series; the first 28 combinations are distinct."""
    rounds, color = divmod(index, len(COLORS))
    return {"color": COLORS[color], "linestyle": LINES[rounds % len(LINES)]}


def marker_style(index: int) -> dict[str, Any]:
    """Return the color and marker of the index-th series, for plots whose line styles have a meaning of their own."""
    rounds, color = divmod(index, len(COLORS))
    return {"color": COLORS[color], "marker": MARKERS[rounds % len(MARKERS)]}


def legend_above(figure: "Figure", handles: Sequence["Artist"], columns: int, title: str = "") -> None:
    """Draw a legend with an optional title above all axes."""
    options: dict[str, Any] = {"title": literal(title), "title_fontsize": TITLE} if title else {}
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, **options)


def show_image(axes: "Axes", image: Any, **options: Any) -> None:
    """Draw an image (rows, columns) as pixels and hide the axes.

    By default it is gray from 0, black, to 255, white; `options` are those of `Axes.imshow`.
    """
    axes.imshow(image, **{"cmap": PIXELS, "vmin": 0, "vmax": 255, "interpolation": "nearest", **options})
    axes.set_axis_off()


def encode_figure(figure: "Figure", file_type: str) -> bytes:
    """Encode a figure as one of FILE_TYPES."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_text(printable(text.get_text()))
    buffer = BytesIO()
    with figure_style(), warnings.catch_warnings():  # matplotlib creates the ticks only when it draws
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # of file names in other scripts
        figure.savefig(buffer, format=file_type, dpi=DPI, metadata=METADATA[file_type])
    return buffer.getvalue()
