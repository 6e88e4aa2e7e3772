"""Preview a data set: sample images, and apply preparation and augmentation step by step."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fastdigits.data.augmentation import EFFECTS
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import UNPREPARED, Normalisation, Preparation
from fastdigits.ops.batch import NO_EFFECTS, Effects
from fastdigits.ops.interface import Ops


def sample_each_class(labels: np.ndarray, classes: Sequence[int], count: int, seed: int) -> list[np.ndarray]:
    """Choose up to `count` images of each class at random; return their sorted indices, class by class.

    Parameters
    ----------
    labels : uint8 (N,)
    """
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(labels))
    return [np.sort(shuffled[labels[shuffled] == digit][:count]) for digit in classes]


def sample(labels: np.ndarray, classes: Sequence[int], count: int, seed: int) -> np.ndarray:
    """Choose up to `count` images of these classes at random; return their indices in random order."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    return shuffled[np.isin(labels[shuffled], classes)][:count]


def preparation_steps(preparation: Preparation) -> list[tuple[str, Preparation]]:
    """Return (name, preparation) for each setting that differs from the default, and for all together if several do.

    If images are inverted, they are in all steps.
    """
    plain = replace(UNPREPARED, invert=preparation.invert).placed(*preparation.placement)
    settings = {name: value for name, value in vars(preparation).items() if value != getattr(plain, name)}
    steps = [("inverted", plain)] * plain.invert
    steps += [(f"{name} {value:g}", replace(plain, **{name: value})) for name, value in settings.items()]
    return steps + [("all together", preparation)] * (len(settings) > 1)


def effect_steps(effects: Effects) -> list[tuple[str, Effects]]:
    """Return (name, effects) for each effect alone, and for all together if there are several."""
    alone = [
        (f"{name} {size:g}", NO_EFFECTS._replace(**{effect.field: size}))
        for name, effect in EFFECTS.items()
        if (size := getattr(effects, effect.field))
    ]
    return alone + [("all together", effects)] * (len(alone) > 1)


def augment(
    ops: Ops, images: np.ndarray, rows: np.ndarray, preparation: Preparation, effects: Effects, seed: int, epoch: int
) -> np.ndarray:
    """Prepare and augment images exactly as training does in an epoch.

    Parameters
    ----------
    ops : Ops
    images : uint8 (N, H, W)
        The whole data set: the random changes depend on the index.
    rows : int (n,)
        Indices of the images to return.

    Returns
    -------
    uint8 (n, H + 2 pad, W + 2 pad), clipped to 0 to 255
    """
    images = images[: rows.max() + 1]
    normalisation = Normalisation(0.0, 1.0, preparation)
    batches = Batches(ops, images, None, len(rows), normalisation, effects, seed)
    batches.seek(0, epoch)
    [(x, _, count)] = batches.parts(ops.upload(rows.astype(np.int32)), len(rows), training=True)
    changed = np.empty((count, *x.shape[1:-1]), np.float32)
    ops.unpack(x, changed)
    return np.rint(255 * changed[:, 0].clip(0, 1)).astype(np.uint8)
