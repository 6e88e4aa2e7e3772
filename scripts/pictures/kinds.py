"""All kinds of pictures with a digit, by name."""

from collections.abc import Callable

import numpy as np

from pictures import papers, screens
from pictures.glyphs import Glyph
from pictures.scenes import Rng

KINDS: dict[str, Callable[[Rng, Glyph], np.ndarray]] = {
    kind.__name__: kind
    for kind in (
        papers.paper,
        papers.shaded_paper,
        papers.ruled_paper,
        screens.tablet,
        screens.coloured_screen,
        screens.hairline,
        papers.marker,
        papers.envelope,
        screens.small_scan,
        papers.blurred,
        screens.grey_background,
        papers.coloured_background,
        papers.frame_filling,
        papers.corner,
        papers.pencil,
        papers.chalk,
        papers.dusty,
        screens.canvas,
        papers.on_a_desk,
    )
}
