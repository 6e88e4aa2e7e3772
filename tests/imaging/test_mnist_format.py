import numpy as np
import pytest

from fastdigits.data import load_part
from fastdigits.imaging.mnist_format import is_prepared


@pytest.fixture(scope="module")
def images():
    return load_part("mnist", "test")[0]


def test_images_of_mnist_need_no_preparation(images):
    assert sum(map(is_prepared, images)) >= len(images) - 5


@pytest.mark.parametrize(
    "change",
    [
        lambda image: 255 - image,
        lambda image: image // 2,
        lambda image: np.roll(image, 2, 0),
        lambda image: np.roll(image, -2, 1),
        lambda image: np.maximum(image, 1),
        lambda image: np.kron(image, np.ones((2, 2), np.uint8)),
        lambda image: np.repeat(image[..., None], 3, 2),
        lambda image: image[2:-2, 2:-2],
        np.zeros_like,
    ],
    ids=["dark ink", "dim", "moved down", "moved left", "gray background", "larger", "colored", "smaller", "blank"],
)
def test_other_images_need_preparation(change, images):
    assert not any(is_prepared(change(image)) for image in images[:200])
