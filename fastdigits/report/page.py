"""Render the template, with figures and images embedded in the page."""

import re
from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdigits.plots import style

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

PIXELS_PER_INCH = 96  # of CSS
CSS_COLORS = {style.BLACK: "currentColor", style.GRAY: "var(--faint)"}  # follow the light or dark color scheme


def render(contents: dict[str, Any], template: str = "page.html") -> str:
    """Render a template. All text in the contents is escaped, except the results of `embedded`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = PackageLoader("fastdigits.report")
    page = Environment(
        loader=templates, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return page.get_template(template).render(contents)


def embedded(figure: "Figure") -> "Markup":
    """Convert a figure to SVG with a transparent background and the text colors of the page.

    The CSS variable `--width` holds the width of the figure.
    """
    import matplotlib
    from markupsafe import Markup

    parts: tuple[Any, ...] = (figure, *figure.subfigs, *figure.axes)
    for part in parts:
        part.set_facecolor("none")
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        drawing = style.encode_figure(figure, "svg").decode()
    drawing = drawing[drawing.index("<svg") :]
    for color, css_color in CSS_COLORS.items():
        drawing = drawing.replace(color, css_color)
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'<g id="[^"]*">', "<g>", drawing)  # the ids of different figures would clash
    width = figure.get_figwidth() * PIXELS_PER_INCH
    return Markup(re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', f'style="--width: {width:.0f}px"', drawing, count=1))


def png(image: np.ndarray) -> str:
    """Encode an image uint8 (H, W) as a data URL."""
    from PIL import Image

    content = BytesIO()
    Image.fromarray(image).save(content, "png")
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"
