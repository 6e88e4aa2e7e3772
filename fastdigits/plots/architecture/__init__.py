"""Draw the architecture of a network as volumes and neurons, from the image to the scores."""

from fastdigits.plots.architecture.drawing import draw

__all__ = ["draw"]
