"""The page: a template, its contents, and pictures as parts of it."""

import re
from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdigits.plots import style

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

PIXELS = 96  # of a web page in an inch
INKS = {style.BLACK: "currentColor", style.GREY: "var(--faint)"}  # which follow the page, be it light or dark


def render(contents: dict[str, Any]) -> str:
    """The page with these contents; all text in them is escaped, what `embedded` makes is not."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = PackageLoader("fastdigits.report")
    page = Environment(
        loader=templates, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return page.get_template("page.html").render(contents)


def embedded(figure: "Figure") -> "Markup":
    """A figure as SVG without a ground, with the page's colours for text; `--width` is the width that it has itself."""
    import matplotlib
    from markupsafe import Markup

    parts: tuple[Any, ...] = (figure, *figure.subfigs, *figure.axes)
    for part in parts:
        part.set_facecolor("none")
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        drawing = style.content(figure, "svg").decode()
    drawing = drawing[drawing.index("<svg") :]
    for colour, of_page in INKS.items():
        drawing = drawing.replace(colour, of_page)
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'<g id="[^"]*">', "<g>", drawing)  # which are the same in all figures
    width = figure.get_figwidth() * PIXELS
    return Markup(re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', f'style="--width: {width:.0f}px"', drawing, count=1))


def png(image: np.ndarray) -> str:
    """An image, uint8 (H, W), as the address of a picture that is the address itself."""
    from PIL import Image

    content = BytesIO()
    Image.fromarray(image).save(content, "png")
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"
