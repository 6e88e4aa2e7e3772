"""Match data sets to the classes of a network, and check that there is something to tell apart."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fastdigits.data.dataset import DigitPart, DigitSet, relabel, some
from fastdigits.errors import UserError


def in_classes(part: DigitPart, classes: Sequence[str]) -> DigitPart:
    """Return a part of a data set with labels that number these classes; raise UserError if it has images of others."""
    return replace(part, labels=_numbered(part.labels, part.classes, classes), classes=tuple(classes))


def set_for(digits: DigitSet, classes: Sequence[str]) -> DigitSet:
    """Return a data set with labels that number these classes; raise UserError if it has images of others."""
    return replace(
        digits,
        train_labels=_numbered(digits.train_labels, digits.classes, classes),
        test_labels=_numbered(digits.test_labels, digits.classes, classes),
        classes=tuple(classes),
    )


def check_trainable(digits: DigitSet) -> str:
    """Return a warning if some classes have test images but no training images, else "".

    Raises
    ------
    UserError
        If there are training images of one class only.
    """
    trained, tested = ({*np.unique(labels).tolist()} for labels in (digits.train_labels, digits.test_labels))
    if len(trained) < 2:
        [only] = trained
        raise UserError(
            f"All training images of {digits.name} are of the class {some([digits.classes[only]])}; give images of at "
            "least two classes."
        )
    if not (unknown := sorted(tested - trained)):
        return ""
    return (
        f"There are test images but no training images of the class{'es' if len(unknown) > 1 else ''} "
        f"{some(digits.classes[label] for label in unknown)}, so the network cannot learn to recognize them."
    )


def _numbered(labels: np.ndarray, classes: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    return labels if tuple(classes) == tuple(wanted) else relabel(labels, classes, wanted)
