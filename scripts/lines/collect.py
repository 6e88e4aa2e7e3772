"""Draw many pictures of numbers and prepare them like `LineReader`."""

from collections.abc import Callable
from multiprocessing import Pool

import numpy as np

from fastdigits.data.lines import Lines
from fastdigits.imaging.line_format import to_line_format
from lines.picture import ON_SCREEN, picture


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

    def line(self, number: int) -> tuple[np.ndarray, str]:
        """Return the image of the n-th line, uint8 (LINE_HEIGHT, W), and its text."""
        drawn, text = picture(np.random.default_rng([self.seed, number]), self.images, self.labels, self.on_screen)
        return to_line_format(drawn), text

    def draw(self, count: int, processes: int, report: Callable[[int], None] = lambda done: None) -> Lines:
        """Draw lines; call `report` with the number done after each."""
        images, texts = [], []
        with Pool(processes) as pool:
            for image, text in pool.imap(self.line, range(count), 64):
                images.append(image)
                texts.append(text)
                report(len(images))
        return Lines(images, texts)
