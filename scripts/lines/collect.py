"""Draw many pictures of numbers and prepare them like `LineReader`."""

from collections.abc import Callable
from multiprocessing import Pool

import numpy as np

from fastdigits.data.lines import Lines
from fastdigits.imaging.line_format import to_line_format
from lines.picture import ON_SCREEN, picture

Report = Callable[[int], None]


class LineCollection:
    """Draws and prepares pictures, each from its own random seed, so that they do not depend on the processes.

    Parameters
    ----------
    seed : int
    images, labels : uint8 (N, 28, 28) and (N,)
        Digits to write with; see `lines.writer.write`.
    on_screen : float
        Fraction of the pictures that are drawn on a screen, and so easier to read.
    """

    def __init__(self, seed: int, images: np.ndarray, labels: np.ndarray, on_screen: float = ON_SCREEN):
        self.seed, self.images, self.labels, self.on_screen = seed, images, labels, on_screen

    def picture(self, number: int) -> tuple[np.ndarray, str]:
        """Return the n-th picture, uint8 (H, W), and its text."""
        return picture(np.random.default_rng([self.seed, number]), self.images, self.labels, self.on_screen)

    def line(self, number: int) -> tuple[np.ndarray, str]:
        """Return the image of the n-th line, uint8 (LINE_HEIGHT, W), and its text."""
        drawn, text = self.picture(number)
        return to_line_format(drawn), text

    def draw(self, count: int, processes: int, report: Report = lambda done: None) -> Lines:
        """Draw lines; call `report` with the number done after each."""
        return Lines(*_drawn(self.line, count, processes, report))

    def pictures(
        self, count: int, processes: int, report: Report = lambda done: None
    ) -> tuple[list[np.ndarray], list[str]]:
        """Draw the pictures of lines, and return them with their texts; call `report` as in `draw`."""
        return _drawn(self.picture, count, processes, report)


def _drawn(
    draw: Callable[[int], tuple[np.ndarray, str]], count: int, processes: int, report: Report
) -> tuple[list[np.ndarray], list[str]]:
    images, texts = [], []
    with Pool(processes) as pool:
        for image, text in pool.imap(draw, range(count), 64):
            images.append(image)
            texts.append(text)
            report(len(images))
    return images, texts
