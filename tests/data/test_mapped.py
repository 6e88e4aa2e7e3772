"""Packed data sets are mapped into memory and give the same batches as arrays."""

import formats
import numpy as np
import pytest

from fastdigits import Dense, Flatten, Sequential, load_digits, ops
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation, Preparation


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return load_digits(formats.own_hdf5(formats.few_digits(), tmp_path_factory.mktemp("set") / "set.h5"))


@pytest.mark.parametrize("device", ["reference", "cpu"])
def test_devices_in_the_memory_of_the_host_do_not_copy_mapped_images(device, digits):
    uploaded = ops.load(device).upload(digits.train_images)
    assert type(uploaded) is np.ndarray
    assert np.shares_memory(uploaded, digits.train_images)
    assert not np.shares_memory(ops.load(device).upload(np.array(digits.train_images)), digits.train_images)


@pytest.mark.parametrize("preparation", [Preparation(), Preparation(pad=2, contrast=2.0), Preparation(invert=True)])
def test_mapped_images_give_the_same_batches(preparation, digits):
    reference = ops.load("reference")
    order = np.arange(60, dtype=np.int32)[::-1].copy()
    found = []
    for images in (digits.train_images, np.array(digits.train_images)):
        normalisation = Normalisation.of(images, order, preparation)
        batches = Batches(reference, images, digits.train_labels, 25, normalisation)
        found.append([(x.copy(), targets.copy(), count) for x, targets, count in batches.over(order)])
        assert isinstance(normalisation.preparation.apply(images), np.memmap) == isinstance(images, np.memmap)
    for mapped, plain in zip(*found, strict=True):
        assert np.array_equal(mapped[0], plain[0])
        assert np.array_equal(mapped[1], plain[1])
        assert mapped[2] == plain[2]


def test_networks_train_and_predict_on_mapped_images(digits):
    weights = []
    for images in (digits.train_images, np.array(digits.train_images)):
        model = Sequential([Flatten(), Dense(10)], device="reference")
        model.fit(images, digits.train_labels, epochs=1, batch_size=20)
        weights.append(model.predict(digits.test_images))
    assert np.array_equal(*weights)
