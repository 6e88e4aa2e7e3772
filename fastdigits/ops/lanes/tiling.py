"""Register tiles: which shape of sums covers an output in the least time on this CPU's vector unit."""

from functools import cache
from itertools import product
from math import ceil
from typing import NamedTuple

from fastdigits.ops.lanes.vector_unit import LANES, REGISTERS

# Costs in half cycles, the time of one multiply-add on two pipes
LATENCY = 8  # of one multiply-add: a tile with fewer sums waits for itself
LOAD = 1
LOAD_INSIDE = 4  # the check of the column and the mask come on top
NEW_LINE = 4  # a cache line from the second level
TRANSFORM = 300  # one tile of 4 x 4 outputs to or from the 36 points of Winograd's method
STEP = 4  # the next turn of a loop over channels
TURN = 8  # one vector's share of a transpose


@cache
def tile_shape(rows: int, columns: int, column_cost: int = LOAD) -> tuple[int, int]:
    """The tile (N, M) of sums that covers a `rows` x `columns` output in the least time.

    A step of the inner loop loads M vectors and N numbers and does N x M multiply-adds; all
    sums, the M vectors and one number stand in registers; what hangs over the edge is lost.
    """

    def time(shape: tuple[int, int]) -> tuple[int, int]:
        n, m = shape
        steps = ceil(rows / n) * ceil(columns / m)
        return steps * max(n * m, n * LOAD + m * column_cost, LATENCY), -n * m

    fitting = (shape for shape in product(range(1, 9), range(1, 9)) if (shape[0] + 1) * shape[1] < REGISTERS)
    return min(fitting, key=time)


@cache
def row_tile(channels: int, columns: int) -> int:
    """The channels N of a tile of whole rows, N x `columns` sums; 0 where not even one row fits the registers."""
    most = (REGISTERS - 3) // columns
    return min(range(1, most + 1), key=lambda n: (ceil(channels / n) * n, -n), default=0)


@cache
def weight_tile_shape(channels: int, kernel_rows: int, kernel_columns: int) -> tuple[int, int, int]:
    """The tile (N, R, M) of sums for a weight gradient: N output channels times R x M kernel elements.

    Each position loads N vectors of dy, which come from far, and R x M of x, which mostly are near.
    """

    def time(shape: tuple[int, int, int]) -> tuple[int, int]:
        n, r, m = shape
        steps = ceil(channels / n) * ceil(kernel_rows / r) * ceil(kernel_columns / m)
        return steps * max(n * r * m, (n + r * m) * LOAD, (n + 1) * NEW_LINE, LATENCY), -n * r * m

    shapes = product(range(1, 9), range(1, min(kernel_rows, 5) + 1), range(1, min(kernel_columns, 5) + 1))
    return min((s for s in shapes if s[0] * s[1] * s[2] + s[1] * s[2] + s[0] <= REGISTERS), key=time)


@cache
def pool_tile_rows(channels: int, padded: int) -> int:
    """The channels N of a tile with the four pixels of one pooled one: 4 N sums that cover all in the least time."""

    def time(n: int) -> tuple[int, int]:
        loads = n * LOAD + 4 * (LOAD_INSIDE if padded else LOAD)
        return ceil(channels / n) * max(4 * n, loads, LATENCY), -n

    return min((n for n in range(1, 9) if 4 * (n + 1) < REGISTERS), key=time)


@cache
def winograd_pays(inputs: int, outputs: int, rows: int, columns: int) -> bool:
    """Whether Winograd's method convolves between so many channels clearly sooner than direct sums."""
    tiles = ceil(rows / 4) * ceil(columns / 4)
    products, transforms = tiles * 36 * inputs * outputs, tiles * TRANSFORM * (inputs + outputs)
    return 1.1 * (products + transforms) < rows * columns * 9 * inputs * outputs


@cache
def winograd_tile(channels: int, rows: int, columns: int) -> tuple[int, int]:
    """The channels N and tiles T, at most 3, of the products of Winograd's method that cover all in the least time.

    More tiles at a time would not stay in the cache.
    """
    tiles = ceil(rows / 4) * ceil(columns / 4)

    def time(shape: tuple[int, int]) -> tuple[int, int]:
        n, t = shape
        return ceil(channels / n) * ceil(tiles / t) * max(n * t, (n + t) * LOAD, LATENCY), -n * t

    return min((s for s in product(range(1, 13), range(1, 4)) if (s[0] + 1) * s[1] < REGISTERS), key=time)


@cache
def turned_inputs(inputs: int, outputs: int) -> bool:
    """Whether a weight gradient takes less time with the lanes of the input channels turned than of the output's."""

    def time(turned: int, others: int) -> int:
        return ceil(turned / LANES) * LANES * others + turned * TURN

    return time(inputs, outputs) < time(outputs, inputs)


@cache
def tile_rows(rows: int, columns: int) -> int:
    """The N of a tile (N, `columns`) of sums that covers `rows` rows in the least time."""

    def time(n: int) -> tuple[int, int]:
        return ceil(rows / n) * max(n * columns, n + columns, LATENCY), -n

    return min((n for n in range(1, 9) if (n + 1) * columns < REGISTERS), key=time)


@cache
def shared_columns(columns: int, threads: int) -> int:
    """The columns M of a tile such that the threads have about equally many tiles, and none of them much to lose."""
    return min(range(1, 6), key=lambda m: ceil(ceil(columns / m) / threads) * (m + 0.3))


class SingleTile(NamedTuple):
    """A tile of two rows of one image's convolution: N of what is not in the lanes, and M vectors of what is."""

    lanes: str
    N: int
    M: int


@cache
def single_tile(channels: int, rows: int, columns: int, taps: int) -> SingleTile:
    """The tile for a convolution of one image with the `taps` weights of each output: lanes of "columns" or "channels".

    Lanes of channels need the weights and the outputs turned. N columns are an even number, for pooling.
    """

    def time(tile: SingleTile) -> tuple[int, int]:
        lanes, n, m = tile
        in_lanes, others = (columns, channels) if lanes == "columns" else (channels, columns)
        loads = 2 * m + n if lanes == "columns" else m + 2 * n
        vectors = ceil(in_lanes / (m * LANES))
        turns = TURN * vectors * m * (taps + rows * columns) if lanes == "channels" else 0
        step = max(2 * n * m, loads * LOAD, LATENCY) + STEP
        return ceil(rows / 2) * ceil(others / n) * vectors * taps * step + turns, -n * m

    tiles = [SingleTile(*t) for t in product(("columns", "channels"), range(1, 13), (1, 2))]
    fitting = [t for t in tiles if 2 * t.M * (t.N + 1) < REGISTERS and (t.lanes == "columns" or t.N % 2 == 0)]
    return min(fitting, key=time)


def square_tile(kernel_rows: int, kernel_columns: int) -> tuple[int, int]:
    """The tile (R, M) of the kernel's elements that one channel's weight gradient is summed in."""
    columns = min(kernel_columns, 5)
    return min(kernel_rows, max(1, (REGISTERS - 6) // columns)), columns
