"""Previews of a data set: which images are chosen, and how they are prepared and augmented."""

import numpy as np
import pytest

from fastdigits import ops as devices
from fastdigits.config.training import TrainConfig
from fastdigits.data import preview
from fastdigits.data.augmentation import EFFECTS, parse_effects
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import UNPREPARED, Normalisation, Preparation
from fastdigits.ops.batch import NO_EFFECTS

LABELS = np.tile(np.arange(4, dtype=np.uint8), 25)
SIZES = dict.fromkeys(EFFECTS, "0.8") | {"rotate": "20", "shear": "20", "erase": "5"}
REFERENCE = devices.load("reference")


@pytest.fixture
def images():
    """100 images of 9 x 7 random pixels."""
    return np.random.default_rng(1).integers(0, 256, (100, 9, 7), np.uint8)


def test_each_class_has_the_same_number_of_images():
    groups = preview.sample_each_class(LABELS, [1, 3], 5, seed=0)
    assert [set(LABELS[group]) for group in groups] == [{1}, {3}]
    assert [len(set(group.tolist())) for group in groups] == [5, 5]
    assert all((np.diff(group) > 0).all() for group in groups)
    assert [len(group) for group in preview.sample_each_class(LABELS, [0, 1], 99, seed=0)] == [25, 25]


@pytest.mark.parametrize(
    "choose",
    [
        lambda seed: preview.sample_each_class(LABELS, [1, 3], 5, seed)[0],
        lambda seed: preview.sample(LABELS, [0, 2], 5, seed),
    ],
    ids=["of each class", "at random"],
)
def test_the_seed_determines_the_sample(choose):
    assert choose(3).tolist() == choose(3).tolist() != choose(4).tolist()


def test_a_random_sample_of_some_classes():
    chosen = preview.sample(LABELS, [0, 2], 20, seed=0)
    assert len(set(chosen.tolist())) == 20
    assert set(LABELS[chosen]) == {0, 2}
    assert len(preview.sample(LABELS, [0, 2], 99, seed=0)) == 50


def test_steps_of_a_preparation():
    whole = Preparation(pad=2, contrast=4.0, binarize=0.5)
    assert preview.preparation_steps(whole) == [
        ("pad 2", Preparation(pad=2)),
        ("contrast 4", Preparation(contrast=4.0)),
        ("binarize 0.5", Preparation(binarize=0.5)),
        ("all together", whole),
    ]
    assert preview.preparation_steps(Preparation(gamma=0.7)) == [("gamma 0.7", Preparation(gamma=0.7))]


def test_inverted_images_are_inverted_in_every_step():
    assert preview.preparation_steps(Preparation(pad=2, invert=True)) == [
        ("inverted", Preparation(invert=True)),
        ("pad 2", Preparation(pad=2, invert=True)),
    ]


def test_effect_steps():
    whole = parse_effects("shift=2,elastic=0.5")
    assert preview.effect_steps(whole) == [
        ("shift 2", NO_EFFECTS._replace(shift_px=2.0)),
        ("elastic 0.5", NO_EFFECTS._replace(elastic_px=0.5)),
        ("all together", whole),
    ]
    everything = parse_effects(",".join(f"{name}={SIZES[name]}" for name in EFFECTS))
    assert len(preview.effect_steps(everything)) == len(EFFECTS) + 1


@pytest.mark.parametrize("device", ["reference", "cpu"])
def test_augmented_images_are_those_of_training(device, images):
    """Compare with a training batch, in another order, pixel by pixel."""
    config = TrainConfig(pad=1, gamma=0.7, augment="shift=1,rotate=20,erase=3", seed=5)
    order, ops = np.array([70, 3, 12], np.int32), devices.load(device)
    normalisation = Normalisation.of(images, np.arange(100), config.preparation)
    batches = Batches(ops, images, LABELS, 3, normalisation, config.effects, config.seed)
    batches.seek(0, epoch=4)
    [(x, _, _)] = batches.parts(ops.upload(order), len(order), training=True)
    seen = np.empty((3, 1, 11, 9), np.float32)
    ops.unpack(x, seen)
    pixels = 255 * (seen[:, 0] * normalisation.std + normalisation.mean)
    shown = preview.augment(REFERENCE, images, order, config.preparation, config.effects, 5, 4)
    assert shown.dtype == np.uint8
    np.testing.assert_allclose(shown, pixels, atol=0.51)


def test_without_effects_images_stay_as_they_are(images):
    shown = preview.augment(REFERENCE, images, np.array([7, 8]), UNPREPARED, NO_EFFECTS, 0, 1)
    np.testing.assert_array_equal(shown, images[[7, 8]])


@pytest.mark.parametrize("effect", EFFECTS)
def test_each_effect_changes_pixels_differently_in_every_epoch(effect, images):
    effects = parse_effects(f"{effect}={SIZES[effect]}")
    first, second = (preview.augment(REFERENCE, images, np.array([7]), UNPREPARED, effects, 0, e) for e in (1, 2))
    assert (first != images[7]).any()
    assert (first != second).any()
