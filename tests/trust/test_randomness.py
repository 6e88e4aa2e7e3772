"""Random choices are uniform and independent: shuffling, dropout, augmentation, initial values, splits.

Every statistic is that of one fixed set of seeds, so a test fails always or never. The limits are four or five standard
deviations of what truly random choices give.
"""

import math
from itertools import permutations

import numpy as np
import pytest

from fastdigits.data.splits import stratified_folds, stratified_split
from fastdigits.nn.initializers import initial_value
from fastdigits.nn.parameter import Parameter
from fastdigits.ops import load
from fastdigits.ops.batch import DISPLACEMENTS, NUMBERS, PARAMETERS
from fastdigits.ops.random.cpu_kernel import draw

REFERENCE = load("reference")
SETS = {
    "epochs of one seed": lambda k: (7, k),
    "seeds in one epoch": lambda k: (k, 1),
    "high seeds": lambda k: (k << 32, 1),
}


@pytest.mark.parametrize("vary", SETS.values(), ids=SETS)
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_every_order_is_equally_likely(n, vary):
    number = {order: k for k, order in enumerate(permutations(range(n)))}
    drawn = [number[tuple(_order(n, *vary(k)))] for k in range(12 * len(number) + 500)]
    _assert_uniform(drawn, len(number))


@pytest.mark.parametrize("n", [4, 8, 16, 60, 64, 256, 1000])
def test_half_of_the_orders_are_odd(n):
    odd = [_is_odd(_order(n, 3, epoch)) for epoch in range(400)]
    _assert_uniform(odd, 2)


@pytest.mark.parametrize("n", [16, 60, 1000])
def test_every_number_is_equally_likely_in_every_place(n):
    """The table of place and number, in at most 20 x 20 cells, has the expected counts."""
    epochs, cells = 400, min(n, 20)
    orders = np.array([_order(n, 5, epoch) for epoch in range(epochs)])
    places = np.broadcast_to(np.arange(n), orders.shape)
    table = np.zeros((cells, cells))
    np.add.at(table, (places * cells // n, orders * cells // n), 1)
    sizes = np.bincount(np.arange(n) * cells // n)
    expected = epochs * np.outer(sizes, sizes) / n
    _assert_chi_square(((table - expected) ** 2 / expected).sum(), (cells - 1) ** 2)


@pytest.mark.parametrize("n", [5, 16])
def test_every_pair_of_neighbours_is_equally_likely(n):
    orders = np.array([_order(n, 9, epoch) for epoch in range(2000)])
    pairs = orders[:, 2] * n + orders[:, 3]  # one pair of each order, because pairs of one order are not independent
    _assert_uniform(np.searchsorted([i * n + j for i in range(n) for j in range(n) if i != j], pairs), n * (n - 1))


@pytest.mark.parametrize("n", [1000, 60000])
def test_neighbours_are_separated(n):
    """On average two neighbours stay next to each other, and one number stays in its place, whatever n."""
    orders = [_order(n, 1, epoch) for epoch in range(20)]
    assert abs(sum((np.abs(np.diff(order)) == 1).sum() for order in orders) - 40) < 5 * math.sqrt(40)
    assert abs(sum((order == np.arange(n)).sum() for order in orders) - 20) < 5 * math.sqrt(20)


@pytest.mark.parametrize("following", [(0, 1), (1, 0), (1 << 32, 0)], ids=["epoch", "seed", "high seed"])
def test_orders_of_consecutive_epochs_and_seeds_are_independent(following):
    """Where one order sends the numbers of the one before it is equally likely to be any permutation."""
    n, number = 4, {order: k for k, order in enumerate(permutations(range(4)))}
    drawn = []
    for k in range(1000):
        seed, epoch = 11 + 2 * k * following[0], 2 * k * following[1]
        first, second = _order(n, seed, epoch), _order(n, seed + following[0], epoch + following[1])
        drawn.append(number[tuple(second[np.argsort(first)])])
    _assert_uniform(drawn, len(number))


def test_orders_never_change():
    """Trained weights can only be reproduced if a seed means the same on every machine and with every NumPy."""
    assert _order(10, 7, 3).tolist() == [2, 5, 9, 7, 3, 0, 6, 8, 4, 1]
    assert _order(10, 2**64 - 1, 2**32 - 1).tolist() == [9, 5, 2, 7, 6, 3, 4, 1, 8, 0]


@pytest.mark.parametrize("apart", ["elements", "images", "steps", "layers", "seeds"])
def test_dropout_masks_are_independent(apart):
    """The four pairs of kept and dropped elements are equally likely, among neighbours of every kind."""
    one, K = (0, 2**31, 5), 16
    first = _mask(*one, K)
    second = {
        "elements": lambda: np.roll(first, 1, 1),
        "images": lambda: np.roll(first, 1, 0),
        "steps": lambda: _mask(0, 2**31, 6, K),
        "layers": lambda: _mask(0, 2**31 + 1, 5, K),
        "seeds": lambda: _mask(1, 2**31, 5, K),
    }[apart]()
    _assert_uniform((2 * first + second)[::2, ::2].ravel(), 4)


def test_augmentation_draws_are_uniform_and_independent():
    """Shift, rotation and so on are uniform, each pair of them is independent, and so are neighbouring images."""
    rows, epochs = 60, 40
    numbers = np.empty((rows * epochs, NUMBERS))
    for k in range(len(numbers)):
        draw(numbers[k], k % rows, k // rows, PARAMETERS, np.uint64(42))
    for column in numbers.T:
        _assert_uniform((column * 20).astype(int), 20)
    centered = numbers - 0.5
    within_an_image = np.triu(centered.T @ centered, 1)
    of_two_images = centered[:-1].T @ centered[1:]
    for products in (within_an_image, of_two_images):
        assert 12 * np.abs(products).max() < 5 * math.sqrt(len(numbers))


def test_displacements_differ_from_the_other_draws():
    a, b = np.empty(98), np.empty(98)
    draw(a, 3, 5, PARAMETERS, np.uint64(42))
    draw(b, 3, 5, DISPLACEMENTS, np.uint64(42))
    assert len(np.unique([a, b])) == 196


@pytest.mark.parametrize("initializer", ["he", "glorot", "normal", "uniform"])
def test_initial_values_have_their_distribution(initializer):
    """Kolmogorov and Smirnov's statistic, and the correlation with the next value and with the next parameter."""
    fan, n = 30, 40_000
    values = [
        initial_value(Parameter("weight", (n // fan, fan), initializer, fan_in=fan, fan_out=fan), 5, k).ravel()
        for k in (0, 1)
    ]
    if initializer in ("he", "normal"):
        spread = math.sqrt((2 if initializer == "he" else 1) / fan)
        cumulative = np.array([0.5 * math.erfc(-v / spread / math.sqrt(2)) for v in np.sort(values[0])])
    else:
        limit = math.sqrt((6 / 2 if initializer == "glorot" else 3) / fan)
        cumulative = (np.sort(values[0]) / limit + 1) / 2
    n = len(values[0])
    assert np.abs(cumulative - (np.arange(n) + 0.5) / n).max() < 2 / math.sqrt(n)  # exceeded once in 1500 draws
    for one, two in ((values[0][:-1], values[0][1:]), values):
        assert abs(np.corrcoef(one, two)[0, 1]) < 5 / math.sqrt(n)


def test_every_image_is_equally_likely_to_be_held_out():
    labels = np.array([0] * 5 + [1] * 7, np.uint8)
    pairs = [stratified_split(labels, 12 // 3, seed)[1] for seed in range(3000)]
    drawn = np.concatenate(pairs)
    for digit, size in ((0, 5), (1, 7)):
        of_digit = drawn[labels[drawn] == digit]
        counts = np.bincount(of_digit - np.flatnonzero(labels == digit)[0], minlength=size)
        expected = len(of_digit) / size
        _assert_chi_square(((counts - expected) ** 2 / expected).sum(), size - 1)


def test_every_image_is_equally_likely_in_every_fold():
    labels = np.array([0, 0, 0, 1, 1, 1], np.uint8)
    fold_of_first = []
    for seed in range(1500):
        folds = stratified_folds(labels, 3, seed)
        fold_of_first.append(next(k for k, (_, inside) in enumerate(folds) if 0 in inside))
    _assert_uniform(fold_of_first, 3)


def _order(n, seed, epoch):
    order = np.empty(n, np.int32)
    REFERENCE.random_permutation(seed, epoch, order)
    return order


def _mask(seed, stream, step, K):
    mask = np.empty((200, K, 4), np.uint8)
    REFERENCE.random_mask(seed, stream, np.array([step]), 0.5, mask)
    return np.moveaxis(mask, -1, 1).reshape(-1, K)  # by image


def _is_odd(order):
    """Return whether a permutation is an odd number of exchanges."""
    seen, exchanges = np.zeros(len(order), bool), 0
    for start in range(len(order)):
        place = start
        while not seen[place]:
            seen[place] = True
            place = order[place]
            exchanges += place != start
    return exchanges % 2


def _assert_uniform(drawn, kinds):
    """Assert that 0 .. kinds - 1 have about equal counts."""
    counts = np.bincount(drawn, minlength=kinds)
    expected = counts.sum() / kinds
    assert len(counts) == kinds
    _assert_chi_square(((counts - expected) ** 2 / expected).sum(), kinds - 1)


def _assert_chi_square(statistic, degrees):
    """Assert that a chi-square statistic is neither too large nor, which is as suspicious, too small."""
    cube_root = (statistic / degrees) ** (1 / 3)  # nearly normal, after Wilson and Hilferty (1931)
    deviation = (cube_root - 1 + 2 / (9 * degrees)) / math.sqrt(2 / (9 * degrees))
    assert abs(deviation) < 4, f"chi-square {statistic:.0f} at {degrees} degrees of freedom"
