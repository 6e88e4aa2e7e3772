"""Lines of several widths: encoding, padding and batches."""

import numpy as np
import pytest

from fastdigits import ops
from fastdigits.data.lines import LineBatches, Lines, by_width, encode
from fastdigits.data.preprocessing import Normalisation
from fastdigits.errors import UserError


def test_texts_are_encoded_from_one_on():
    assert encode(["21", "", "0.2"], "012.").tolist() == [[3, 2, 0], [0, 0, 0], [1, 4, 3]]
    assert encode([""], "0").tolist() == [[0]]


def test_unknown_symbols_are_refused():
    with pytest.raises(UserError, match="'1x' has 'x'"):
        encode(["1", "1x"], "01")


def test_images_are_grouped_by_the_width_they_are_padded_to():
    images = [np.zeros((4, width), np.uint8) for width in (33, 32, 1, 64, 65)]
    groups = by_width(images)
    assert {width: rows.tolist() for width, rows in groups.items()} == {32: [1, 2], 64: [0, 3], 96: [4]}


@pytest.mark.parametrize("device", ["reference", "cpu"])
def test_a_batch_has_images_labels_and_steps(device):
    on_device = ops.load(device)
    images = [np.full((2, width), 51 * width, np.uint8) for width in (1, 2, 3)]
    lines = Lines(images, ["0", "10", ""])
    batches = LineBatches(on_device, lines, 4, 3, "01", 2, Normalisation(0.0, 1.0))
    order = on_device.upload(np.array([2, 0, 1], np.int32))

    x, labels, steps, count = batches.batch(order, 0, 1, training=False)
    rows = on_device.download(x).transpose(0, 4, 1, 2, 3).reshape(-1, 2, 4)
    assert count == 2
    assert np.allclose(rows[0], [[0.6, 0.6, 0.6, 0]] * 2)
    assert np.allclose(rows[1], [[0.2, 0, 0, 0]] * 2)
    assert on_device.download(labels).transpose(0, 2, 1).reshape(-1, 2)[:2].tolist() == [[-1, -1], [0, -1]]
    assert on_device.download(steps).reshape(-1)[:2].tolist() == [3, 3]

    x, labels, steps, count = batches.batch(order, 2, 1, training=False)
    assert count == 1
    assert on_device.download(labels).transpose(0, 2, 1).reshape(-1, 2)[0].tolist() == [1, 0]
    assert (on_device.download(steps).reshape(-1)[1:] <= 0).all()
