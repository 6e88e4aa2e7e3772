"""Choose the shapes of register tiles that minimize the estimated time on this CPU."""

from functools import cache
from itertools import product
from math import ceil
from typing import NamedTuple

from fastdigits.ops.lanes.vector_unit import LANES, REGISTERS

# Costs in half cycles: a CPU with two pipes does one multiply-add in each
MULTIPLY_ADD = 2 if LANES == 16 else 1  # for one image; Zen 4 does only one multiply-add of 16 lanes in a cycle
LATENCY = 8  # of a multiply-add: a tile with fewer sums has to wait for its own results
LOAD = 1
LOAD_INSIDE = 4  # load with a check of the column
NEW_LINE = 4  # load of a cache line from the second-level cache
TRANSFORM = 300  # transform of a tile of 4 x 4 outputs to or from the 36 points of Winograd's method
NEW_PLANE = 12  # addresses of the weights and outputs of one more channel
STEP = 4  # overhead of one iteration over channels
TAP = 6  # overhead of one weight per output, for one image
MAX_SUMS = 20  # of a tile for one image: the next tile waits for their epilogue (Zen 4, November 2026)
TRANSPOSE = 8  # transpose of a square of vectors, per vector


@cache
def tile_shape(rows: int, columns: int, column_cost: int = LOAD) -> tuple[int, int]:
    """Return the fastest tile (N, M) of sums for an output of `rows` x `columns` vectors.

    A step of the inner loop loads M vectors and N numbers and does N x M multiply-adds. All sums, the M vectors and one
    number must fit in the registers. Sums beyond the edge of the output are wasted.
    """

    def time(shape: tuple[int, int]) -> tuple[int, int]:
        n, m = shape
        steps = ceil(rows / n) * ceil(columns / m)
        return steps * max(n * m, n * LOAD + m * column_cost, LATENCY), -n * m

    fitting = (shape for shape in product(range(1, 9), range(1, 9)) if (shape[0] + 1) * shape[1] < REGISTERS)
    return min(fitting, key=time)


@cache
def forward_tile(channels: int, columns: int, taps: int) -> tuple[int, int]:
    """Return the fastest tile (N, M) of sums for one row of a convolution with `taps` weights per output.

    All sums, M pixels and some of those of the next weight must fit in the registers.
    """

    def time(shape: tuple[int, int]) -> tuple[int, int]:
        n, m = shape
        steps = ceil(channels / n) * ceil(columns / m)
        return steps * (taps * (max(n * m, LATENCY) + LOAD) + n * NEW_PLANE + STEP), -n * m

    shapes = product(range(1, min(channels, 8) + 1), range(1, min(columns, 8) + 1))
    return min(((n, m) for n, m in shapes if (n + 1) * m <= REGISTERS - REGISTERS // 8), key=time)


@cache
def input_gradient_tile(channels: int) -> tuple[int, int]:
    """Return the tile (N, M) of sums for an input gradient: N input channels by M columns.

    More than two columns would be wasted at the edges.
    """

    def time(n: int) -> tuple[int, int]:
        return ceil(channels / n) * max(2 * n, (n + 2) * LOAD, LATENCY), -n

    return min((n for n in range(1, 9) if 2 * (n + 1) < REGISTERS), key=time), 2


@cache
def weight_gradient_tile(channels: int, kernel_columns: int) -> tuple[int, int]:
    """Return the tile (N, M) of sums for a weight gradient: N output channels by M columns of a kernel row."""

    def time(shape: tuple[int, int]) -> tuple[int, int]:
        n, m = shape
        return ceil(channels / n) * ceil(kernel_columns / m) * max(n * m, (n + m) * LOAD, LATENCY), -n * m

    shapes = product(range(1, 9), range(1, min(kernel_columns, 8) + 1))
    return min((s for s in shapes if s[0] * s[1] + s[0] < REGISTERS), key=time)


@cache
def pool_tile_rows(channels: int) -> int:
    """Return the channels N of a tile whose four pixels are pooled to one; it has 4 N sums."""

    def time(n: int) -> tuple[int, int]:
        return ceil(channels / n) * max(4 * n, (n + 4) * LOAD, LATENCY), -n

    return min((n for n in range(1, 9) if 4 * (n + 1) < REGISTERS), key=time)


@cache
def winograd_pays(inputs: int, outputs: int, rows: int, columns: int) -> bool:
    """Return whether Winograd's method is estimated to be at least 10 % faster than direct sums for these sizes."""
    tiles = ceil(rows / 4) * ceil(columns / 4)
    products, transforms = tiles * 36 * inputs * outputs, tiles * TRANSFORM * (inputs + outputs)
    return 1.1 * (products + transforms) < rows * columns * 9 * inputs * outputs


@cache
def winograd_tile(channels: int, rows: int, columns: int) -> tuple[int, int, int]:
    """Return the channels N and tiles T that Winograd's method multiplies at a time, and whether it halves edge tiles.

    T is at most 3, because more tiles would not stay in the cache. If the last number is 1, tiles at the edge with at
    most two rows or columns of outputs have fewer points, but all tiles that are multiplied together must be alike.
    """

    def points(t: int, halves: int) -> int:
        sizes = [
            [(6, (n + 1) // 4), (4, (n + 3) // 4 - (n + 1) // 4)] if halves else [(6, (n + 3) // 4)]
            for n in (rows, columns)
        ]
        return sum(ceil(down * across / t) * p * q for (p, down), (q, across) in product(*sizes))

    def time(shape: tuple[int, int, int]) -> tuple[int, int, int]:
        n, t, halves = shape
        return ceil(channels / n) * points(t, halves) * max(n * t, (n + t) * LOAD, LATENCY), -n * t, halves

    shapes = product(range(1, 13), range(1, 4), (0, 1))
    return min((s for s in shapes if (s[0] + 1) * s[1] < REGISTERS), key=time)


@cache
def product_tile(rows: int, channels: int) -> tuple[int, int]:
    """Return the tile (N, M) of sums for a product of N rows by M vectors of channels."""

    def time(shape: tuple[int, int]) -> tuple[int, int, int]:
        n, m = shape
        return ceil(rows / n) * ceil(ceil(channels / LANES) / m) * max(n * m, (n + m) * LOAD, LATENCY), -n * m, -n

    return min((s for s in product(range(1, 9), range(1, 5)) if (s[0] + 1) * s[1] < REGISTERS), key=time)


@cache
def transposes_inputs(inputs: int, outputs: int) -> bool:
    """Return whether a weight gradient is faster with transposed inputs than with transposed output gradients."""

    def time(transposed: int, others: int) -> int:
        return ceil(transposed / LANES) * LANES * others + transposed * TRANSPOSE

    return time(inputs, outputs) < time(outputs, inputs)


@cache
def tile_rows(rows: int, columns: int) -> int:
    """Return the N of the fastest tile (N, `columns`) of sums for `rows` rows."""

    def time(n: int) -> tuple[int, int]:
        return ceil(rows / n) * max(n * columns, n + columns, LATENCY), -n

    return min((n for n in range(1, 9) if (n + 1) * columns < REGISTERS), key=time)


@cache
def strip_columns(columns: int, threads: int) -> int:
    """Return the columns of a strip that is computed by one thread, so that the work is divided evenly among threads.

    Their number allows for tiles of at least 5 rows.
    """
    return min(range(1, (REGISTERS - 1) // 6 + 1), key=lambda m: ceil(ceil(columns / m) / threads) * (m + 0.3))


@cache
def most_rows(columns: int) -> int:
    """Return the rows N of the largest tile (N, `columns`) of sums."""
    return min(8, (REGISTERS - 1) // columns - 1)


@cache
def strip_tile(rows: int, columns: int) -> tuple[int, int]:
    """Return the fastest tile (N, M) of sums for a strip of `rows` x `columns` vectors; N is a divisor of `rows`."""

    def time(shape: tuple[int, int]) -> tuple[int, int]:
        n, m = shape
        return rows // n * ceil(columns / m) * max(n * m, n * LOAD + m * 2 * LOAD, LATENCY), -n * m

    divisors = (n for n in range(1, 9) if rows % n == 0)
    return min((s for s in product(divisors, range(1, 9)) if (s[0] + 1) * s[1] < REGISTERS), key=time)


class SingleTile(NamedTuple):
    """A tile for two rows of the convolution of one image: M vectors of columns by N channels, or the reverse.

    `lanes` names what is in the vectors: "columns" or "channels".
    """

    lanes: str
    N: int
    M: int


@cache
def single_tile(channels: int, rows: int, columns: int, taps: int, pool: int, adjacent: bool = True) -> SingleTile:
    """Return the fastest tile for a convolution of one image with `taps` weights per output.

    With channels in the lanes, weights and outputs must be transposed, and N is even, for pooling. Columns can be in
    the lanes only if the pixels of outputs side by side are `adjacent`. One of pool x pool outputs is left.
    """
    lanes = ("columns", "channels") if adjacent else ("channels",)
    tiles = [SingleTile(*t) for t in product(lanes, range(1, 11), (1, 2))]
    even = [t for t in tiles if t.lanes == "columns" or t.N % 2 == 0]
    fitting = [t for t in even if 2 * t.M * (t.N + 1) < REGISTERS and 2 * t.M * t.N <= MAX_SUMS]
    return min(fitting, key=lambda tile: (_single_time(tile, channels, rows, columns, taps, pool), -tile.N * tile.M))


def _single_time(tile: SingleTile, channels: int, rows: int, columns: int, taps: int, pool: int) -> int:
    lanes, n, m = tile
    in_lanes, others = (columns, channels) if lanes == "columns" else (channels, columns)
    loads = 2 * m + n if lanes == "columns" else m + 2 * n
    vectors = ceil(in_lanes / (m * LANES))
    transposes = TRANSPOSE * vectors * m * (taps + rows * columns // pool**2) if lanes == "channels" else 0
    step = max(MULTIPLY_ADD * 2 * n * m, loads * LOAD, LATENCY) + TAP
    return ceil(rows / 2) * ceil(others / n) * vectors * taps * step + transposes


@cache
def single_winograd_tile(vectors: int, rows: int, columns: int) -> tuple[int, int]:
    """Return the tiles N and vectors M of output channels that Winograd's method for one image multiplies at a time."""
    shapes = ((n, m) for n, m in product(range(1, 13), range(1, 5)) if (n + 1) * m < REGISTERS)
    return min(shapes, key=lambda shape: (_single_winograd_time(shape, vectors, rows, columns), -shape[0] * shape[1]))


def _single_winograd_time(shape: tuple[int, int], vectors: int, rows: int, columns: int) -> int:
    """Return the estimated time of all products with one input channel, whose weights are in the second-level cache."""
    n, m = shape
    down, across = ceil(rows / 4), ceil(columns / 4)
    whole_down, whole_across = (rows + 1) // 4, (columns + 1) // 4  # without the tiles that lack points
    counts = (16, down * across), (8, whole_down * across), (8, down * whole_across), (4, whole_down * whole_across)
    steps = ceil(vectors / m) * sum(points * ceil(tiles / n) for points, tiles in counts)
    return steps * max(MULTIPLY_ADD * n * m, n * LOAD + m * NEW_LINE * LANES // 16, LATENCY)


@cache
def single_winograd_pays(inputs: int, outputs: int, rows: int, columns: int, pool: int) -> bool:
    """Return whether Winograd's method for one image is estimated to take less than two thirds of direct sums.

    The estimate leaves out some steps, which matter for few channels.
    """
    vectors_in, vectors_out = ceil(inputs / LANES), ceil(outputs / LANES)
    products = _single_winograd_time(single_winograd_tile(vectors_out, rows, columns), vectors_out, rows, columns)
    transforms = TRANSFORM * ceil(rows / 4) * ceil(columns / 4) + TRANSPOSE * rows * columns
    winograd = inputs * products + (vectors_in + vectors_out) * transforms
    sizes = outputs, rows, columns, 9 * inputs, pool
    return 1.5 * winograd < _single_time(single_tile(*sizes), *sizes)
