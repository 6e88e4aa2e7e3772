"""The lane functions give the same bits on the vectors of the CPU as in plain Python."""

import numpy as np
import pytest
from numba import njit

from fastdigits.ops import load as load_ops
from fastdigits.ops.lanes import (
    any_bit,
    bind,
    broadcast,
    cpu,
    evens,
    exceeds,
    exponent,
    floor,
    fma,
    gather,
    lane_numbers,
    load,
    load_inside,
    load_row,
    load_span,
    lookup,
    mantissa,
    maximum,
    odds,
    power_of_two,
    round,
    select,
    splat,
    sqrt,
    store,
    store_row,
    store_scalar,
    store_span,
    sum_lanes,
    tile,
    transpose,
)
from fastdigits.ops.lanes.vector_unit import LANES as L

load_ops("cpu")

WHOLE = np.arange(-2 * L, 6 * L, dtype=np.float32).reshape(8, L)  # sums and products of these are exact
EXTREME = np.float32([np.finfo(np.float32).tiny, 1e-30, 0.5, 0.75, 1, 1.5, 2, 1e30, np.finfo(np.float32).max])


def _same(kernel, *inputs, shape=(8, L), rows=None):
    """Assert that a kernel fills the same in plain Python and on the CPU, and return the filled rows."""
    plain, compiled = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    kernel(*inputs, plain)
    bound = bind(kernel, cpu)
    njit(lambda *arguments: bound(*arguments))(*inputs, compiled)
    np.testing.assert_array_equal(compiled[:rows], plain[:rows])
    return plain[:rows]


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint8])
def test_load_converts_to_float32(dtype):
    def kernel(x, y):
        store(y, (0,), load(x, (1,)))

    x = np.arange(256 - 2 * L, 256).reshape(2, L).astype(dtype)
    if dtype is not np.uint8:
        x = -x
    assert np.array_equal(_same(kernel, x, rows=1)[0], x[1])


def test_load_inside_gives_zeros_outside():
    def kernel(x, y):
        for w in range(-2, 6):
            store(y, (w + 2,), load_inside(x, (1, w), 3))

    y = _same(kernel, WHOLE[:6].reshape(2, 3, L))
    assert np.array_equal(y[2:5], WHOLE[3:6])
    assert not y[[0, 1, 5, 6, 7]].any()


def test_load_row_and_store_row_stop_at_size():
    def kernel(x, lanes, y):
        for b in range(8):
            v = load_row(x, (b, b), lanes + 3, lanes)
            store_row(y, (b, b), lanes + 2, v + splat(1.0))

    x = np.arange(8 * (L + 20), dtype=np.float32).reshape(8, L + 20)
    y = _same(kernel, x, L, shape=(8, L + 20))
    for b in range(8):
        assert np.array_equal(y[b, b : min(b + L, L + 2)], x[b, b : min(b + L, L + 2)] + 1)
        assert np.isnan(y[b, :b]).all()
        assert np.isnan(y[b, min(b + L, L + 2) :]).all()


def test_load_span_and_store_span_start_anywhere():
    def kernel(x, lanes, y):
        for b in range(8):
            store_span(y, (b, b), load_span(x, (b, b + 1), lanes))

    x = np.arange(8 * (L + 20), dtype=np.float32).reshape(8, L + 20)
    y = _same(kernel, x, L, shape=(8, L + 20))
    for b in range(8):
        assert np.array_equal(y[b, b : b + L], x[b, b + 1 : b + 1 + L])
        assert np.isnan(y[b, :b]).all()
        assert np.isnan(y[b, b + L :]).all()


def test_evens_and_odds():
    def kernel(x, y):
        a, b = load(x, (0,)), load(x, (1,))
        store(y, (0,), evens(a, b))
        store(y, (1,), odds(a, b))

    y = _same(kernel, WHOLE[:2], rows=2)
    assert np.array_equal(y[0], WHOLE[:2].ravel()[::2])
    assert np.array_equal(y[1], WHOLE[:2].ravel()[1::2])


def test_any_bit():
    def kernel(x, y):
        for bits in range(8):
            store(y, (bits,), select(any_bit(x, (0,), bits), splat(1.0), splat(0.0)))

    x = np.resize(np.arange(8, dtype=np.uint8), (1, L))
    y = _same(kernel, x)
    assert np.array_equal(y == 1, (x & np.arange(8)[:, None]) != 0)


def test_gather_repeats_the_last_row():
    def kernel(x, rows, lanes, y):
        store(y, (0,), gather(x, rows, 1, 3, 2, lanes))
        store(y, (1,), gather(x, rows, 7, 3, 2, lanes))

    x = np.arange(200, 248, dtype=np.uint8).reshape(12, 4)
    y = _same(kernel, x, np.array([9, 11, 0, 5, 2], np.int32), L, rows=2)
    assert y[0, :4].tolist() == [246, 202, 222, 222]
    assert (y[1] == 222).all()


def test_lookup_starts_anywhere():
    def kernel(x, lanes, y):
        places = splat(lanes) - lane_numbers(lanes)
        store(y, (0,), lookup(x, places, 0))
        store(y, (1,), lookup(x, places, 7))

    y = _same(kernel, WHOLE.ravel(), L, rows=2)
    assert np.array_equal(y[0], WHOLE.ravel()[L:0:-1])
    assert np.array_equal(y[1], y[0] + 7)


def test_scalars():
    def kernel(x, lanes, y):
        store(y, (0,), broadcast(x, (1, 2)))
        store(y, (1,), splat(0.1))
        store(y, (2,), lane_numbers(lanes))
        store(y, (3,), load(x, (0,)))
        store_scalar(y, (3, 1), sum_lanes(load(x, (7,))))

    y = _same(kernel, WHOLE, L, rows=4)
    assert (y[0] == WHOLE[1, 2]).all()
    assert (y[1] == np.float32(0.1)).all()
    assert np.array_equal(y[2], np.arange(L))
    assert y[3, 1] == WHOLE[7].sum()


def test_arithmetic():
    def kernel(x, y):
        a, b, c = load(x, (1,)), load(x, (2,)), load(x, (4,))
        store(y, (0,), a + b)
        store(y, (1,), a - b)
        store(y, (2,), a * b)
        store(y, (3,), b / c)
        store(y, (4,), fma(a, b, c))
        store(y, (5,), sqrt(c))
        store(y, (6,), maximum(a, b))
        store(y, (7,), maximum(b, a))

    y = _same(kernel, WHOLE)
    assert np.array_equal(y[4], WHOLE[1] * WHOLE[2] + WHOLE[4])
    assert np.array_equal(y[6], WHOLE[2])


def test_comparisons():
    def kernel(x, y):
        a, zero, one = load(x, (2,)), splat(0.0), splat(1.0)
        store(y, (0,), select(a > one, one, zero))
        store(y, (1,), select(a >= one, one, zero))
        store(y, (2,), select(a == one, one, zero))

    y = _same(kernel, WHOLE, rows=3)  # row 2 is 0, 1, 2, ..
    assert y[:, :3].tolist() == [[0, 0, 1], [0, 1, 1], [0, 1, 0]]


def test_maximum_and_exceeds_let_nan_win():
    def kernel(x, y):
        one, two = splat(1.0), splat(2.0)
        for v in range(3):
            a = load(x, (v,))
            store(y, (v,), maximum(a, one))
            store(y, (v + 3,), maximum(one, a))
        store(y, (6,), select(exceeds(load(x, (0,)), one), one, two))
        store(y, (7,), select(exceeds(one, load(x, (0,))), one, two))

    x = np.repeat(np.float32([np.nan, np.inf, -np.inf]), L).reshape(3, L)
    expected = np.float32([np.nan, np.inf, 1, np.nan, np.inf, 1, 1, 2])
    np.testing.assert_array_equal(_same(kernel, x), np.repeat(expected, L).reshape(8, L))


def test_round_rounds_halves_to_even():
    def kernel(x, y):
        for v in range(8):
            store(y, (v,), round(load(x, (v,)) / splat(4.0)))

    assert np.array_equal(_same(kernel, WHOLE), np.rint(WHOLE / 4))


def test_floor_rounds_down():
    def kernel(x, y):
        for v in range(8):
            store(y, (v,), floor(load(x, (v,)) / splat(4.0)))

    assert np.array_equal(_same(kernel, WHOLE), np.floor(WHOLE / 4))


def test_mantissa_and_exponent():
    def kernel(x, y):
        v = load(x, (0,))
        store(y, (0,), mantissa(v))
        store(y, (1,), exponent(v))

    for first in range(len(EXTREME)):
        x = np.resize(np.roll(EXTREME, first), (1, L))
        m, e = _same(kernel, x, rows=2)
        assert np.array_equal(np.ldexp(m, e.astype(int)), x[0])
        assert m.min() >= 0.5
        assert m.max() < 1


def test_power_of_two():
    def kernel(x, y):
        for v in range(8):
            store(y, (v,), power_of_two(load(x, (v,))))

    for first in range(-126, 128, 8 * L):
        n = np.minimum(first + np.arange(8 * L), 127).reshape(8, L)
        assert np.array_equal(_same(kernel, n.astype(np.float32)), np.ldexp(np.float32(1), n))
    ends = np.repeat(np.float32([-127, 128] * 4), L).reshape(8, L)
    assert np.array_equal(_same(kernel, ends), np.where(ends < 0, 0, np.float32(np.inf)))


def test_transpose():
    def kernel(x, lanes, y):
        square = tile(L)
        for k in range(lanes):
            square[k] = load(x, (k,))
        transpose(square)
        for k in range(lanes):
            store(y, (k,), square[k])

    x = np.arange(L * L, dtype=np.float32).reshape(L, L)
    assert np.array_equal(_same(kernel, x, L, shape=(L, L)), x.T)


def test_tile_elements_are_separate():
    def kernel(x, y):
        t = tile(2, 2, 2)
        for a in range(2):
            for b in range(2):
                for c in range(2):
                    t[a, b, c] = load(x, (4 * a + 2 * b + c,))
        for v in range(8):
            store(y, (v,), t[v // 4, v // 2 % 2, v % 2])

    assert np.array_equal(_same(kernel, WHOLE), WHOLE)
