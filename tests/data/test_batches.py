"""Batches of images and labels on a device."""

import numpy as np
import pytest

from fastdigits import ops as devices
from fastdigits.data.batches import Batches
from fastdigits.data.preprocessing import Normalisation


@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_labels_of_more_than_256_classes(device):
    ops, labels = devices.load(device), np.array([999, 0, 255, 256, 700], np.uint16)
    images = np.zeros((5, 4, 4), np.uint8)
    batches = Batches(ops, images, labels, 4, Normalisation(0.0, 1.0))
    order = ops.upload(np.array([4, 3, 0, 2, 1], np.int32))
    found = []
    for _, targets, count in batches.over(order):
        found += ops.download(targets).reshape(-1)[:count].tolist()
    assert found == [700, 256, 999, 255, 0]
