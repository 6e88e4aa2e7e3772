"""Choose the classes whose probabilities are drawn as bars."""

import numpy as np

MAX_BARS, MOST_PROBABLE = 12, 10  # classes of which all have a bar; bars if there are more


def drawn_classes(p: np.ndarray) -> np.ndarray:
    """Return the indices of all classes of the probabilities (classes,), or if there are many of the most probable."""
    return np.arange(len(p)) if len(p) <= MAX_BARS else np.argsort(-p, kind="stable")[:MOST_PROBABLE]
