"""The look that all figures share, and figures as the content of files; no state of pyplot, no file access."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008), Color universal design: told apart with every kind of colour vision
BLUE, ORANGE, GREEN, PINK, SKY, VERMILION, BLACK = COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#000000",
)
GREY = "#737373"  # what is not of the data: hints, frames, what lies behind
LINES = ("-", "--", ":", "-.")  # one for each round through the colours, as of MARKERS
MARKERS = "osD^"
SEQUENTIAL, DIVERGING, PIXELS = "Blues", "RdBu", "gray"  # colour maps, of any size, of both signs, and of digits

TITLE, TEXT, SMALL = 15, 13, 11  # points: with DPI dots an inch readable at half the size
DPI = 130
FILE_TYPES = ("png", "svg", "pdf")
UNDATED = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}  # the same figure gives the same bytes
LOOK: dict[Any, Any] = {
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
def look() -> Iterator[None]:
    """Within, whatever is drawn has this look; `@look()` before a function that draws does the same."""
    import matplotlib

    with matplotlib.rc_context(LOOK):
        yield


def new_figure(width: float, height: float, layout: Any = "constrained") -> "Figure":
    """An empty figure of so many inches, whose parts make room for each other unless the layout is "none"."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout)


def plain(text: str) -> str:
    """A text whose dollar signs are no formula to matplotlib, such as the name of a file."""
    return printable(text).replace("$", r"\$")


def printable(text: str) -> str:
    """A text with ? for the bytes of a file's name that are no text, which no font can draw."""
    return text.encode(errors="replace").decode()


def label(axes: "Axes", x: str, y: str, title: str = "") -> None:
    """Say what the axes show, with units, and rule faint lines to read it by."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title)
    axes.grid(visible=True)


def steps(values: Sequence[float]) -> tuple[int, ...]:
    """Within each power of ten, where a logarithmic axis that shows these values is to have ticks."""
    return (1, 2, 3, 4, 5, 7) if max(values) < 10 * min(values) else (1, 2, 5)


def logarithmic(axes: "Axes", axis: str, values: Sequence[float]) -> None:
    """Make the "x" or "y" axis logarithmic, with ticks such as 0.1, 0.2, 0.5 that suit these values, all above 0."""
    axes.set(**{f"{axis}scale": "log"})
    from matplotlib.ticker import NullLocator

    ticked = getattr(axes, f"{axis}axis")
    ticked.get_major_locator().set_params(subs=steps(values))
    ticked.set_major_formatter("{x:g}")
    ticked.set_minor_locator(NullLocator())


def line(number: int) -> dict[str, str]:
    """Colour and line style of the series of this number, from 0 on; no two of the first 28 are alike."""
    rounds, place = divmod(number, len(COLOURS))
    return {"color": COLOURS[place], "linestyle": LINES[rounds % len(LINES)]}


def marks(number: int) -> dict[str, Any]:
    """Colour and marker of the series of this number, where the line style means something else."""
    rounds, place = divmod(number, len(COLOURS))
    return {"color": COLOURS[place], "marker": MARKERS[rounds % len(MARKERS)]}


def legend_above(figure: "Figure", handles: Sequence[Any], columns: int, title: str = "") -> None:
    """What the looks mean, above all axes, under a title."""
    words = {"title": plain(title), "title_fontsize": TITLE} if title else {}
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, **words)


def show_image(axes: "Axes", image: Any, **options: Any) -> None:
    """Draw an image (rows, columns) as pixels without axes: grey, uint8 from black to white, unless options differ."""
    axes.imshow(image, **{"cmap": PIXELS, "vmin": 0, "vmax": 255, "interpolation": "nearest", **options})
    axes.set_axis_off()


def content(figure: "Figure", file_type: str) -> bytes:
    """The figure as the content of a file of one of FILE_TYPES."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_text(printable(text.get_text()))
    buffer = BytesIO()
    with look():  # ticks are made only now
        figure.savefig(buffer, format=file_type, dpi=DPI, metadata=UNDATED[file_type])
    return buffer.getvalue()
