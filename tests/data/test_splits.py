import numpy as np
import pytest

from fastdigits.data import load_part, stratified_split
from fastdigits.data.splits import stratified_folds
from fastdigits.errors import UserError


@pytest.fixture(scope="module")
def mnist_labels():
    _, labels = load_part("mnist", "test")
    return labels


def test_parts_are_disjoint_complete_and_sorted(mnist_labels):
    train, validation = stratified_split(mnist_labels, 1000, seed=1)
    assert train.dtype == validation.dtype == np.int32
    assert len(validation) == 1000
    assert sorted([*train, *validation]) == list(range(10000))
    assert (np.diff(train) > 0).all()
    assert (np.diff(validation) > 0).all()


@pytest.mark.parametrize("count", [1, 7, 1000, 3333, 9999])
def test_each_class_has_its_share(mnist_labels, count):
    _, validation = stratified_split(mnist_labels, count, seed=3)
    shares = np.bincount(mnist_labels[validation], minlength=10)
    assert shares.sum() == count
    assert np.abs(shares - np.bincount(mnist_labels) * count / 10000).max() < 1


def test_largest_remainders_get_the_rest():
    labels = np.repeat(
        np.array([0, 1, 2], np.uint8), [5, 3, 2]
    )  # the exact proportions of 4 images are 2.0, 1.2 and 0.8
    _, validation = stratified_split(labels, 4, seed=0)
    assert np.bincount(labels[validation]).tolist() == [2, 1, 1]


def test_class_that_is_absent():
    labels = np.array([0, 9, 0, 9], np.uint8)
    _, validation = stratified_split(labels, 2, seed=0)
    assert sorted(labels[validation]) == [0, 9]


def test_same_seed_same_split(mnist_labels):
    first, again = (stratified_split(mnist_labels, 500, seed=5) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


def test_split_never_changes():
    _, validation = stratified_split(np.arange(20, dtype=np.uint8) % 2, 6, seed=42)
    assert validation.tolist() == [
        0,
        1,
        4,
        5,
        10,
        17,
    ]  # those with the three smallest words of Philox(42) in each class


def test_other_seed_other_split(mnist_labels):
    _, one = stratified_split(mnist_labels, 500, seed=1)
    _, two = stratified_split(mnist_labels, 500, seed=2)
    assert len(np.intersect1d(one, two)) < 100  # 25 are expected


def test_every_image_is_as_likely():
    drawn = [stratified_split(np.zeros(4, np.uint8), 1, seed)[1][0] for seed in range(400)]
    assert np.bincount(drawn).min() > 70  # 100 are expected, with a standard deviation of 9


def test_no_validation_images(mnist_labels):
    train, validation = stratified_split(mnist_labels, 0, seed=1)
    assert validation.shape == (0,)
    assert validation.dtype == np.int32
    assert train.tolist() == list(range(10000))


@pytest.mark.parametrize("count", [-1, 4, 5])
def test_impossible_count(count):
    with pytest.raises(UserError, match=f"Cannot hold {count} of 4 images out for validation; choose 0 to 3"):
        stratified_split(np.zeros(4, np.uint8), count, seed=1)


@pytest.mark.parametrize("folds", [2, 3, 10])
def test_every_image_is_held_out_by_one_fold(mnist_labels, folds):
    parts = stratified_folds(mnist_labels, folds, seed=2)
    assert len(parts) == folds
    assert sorted(np.concatenate([validation for _, validation in parts])) == list(range(10000))
    for train, validation in parts:
        assert train.dtype == validation.dtype == np.int32
        assert sorted([*train, *validation]) == list(range(10000))
        assert (np.diff(train) > 0).all()
        assert (np.diff(validation) > 0).all()
        assert abs(len(validation) - 10000 / folds) < 1
        shares = np.bincount(mnist_labels[validation], minlength=10)
        assert np.abs(shares - np.bincount(mnist_labels) / folds).max() < 1


def test_folds_follow_from_the_seed(mnist_labels):
    first, again, other = (stratified_folds(mnist_labels, 5, seed)[0][1] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("folds", [1, 5])
def test_too_many_or_too_few_folds(folds):
    with pytest.raises(UserError, match="choose 2 to 4"):
        stratified_folds(np.array([0, 1, 0, 1], np.uint8), folds, seed=0)
