"""Arrays are CuPy's, in the memory of the GPU; images to be packed and unpacked may be the host's."""

import numpy as np
from numba import cuda, float64

from fastdigits.ops.array import reference
from fastdigits.ops.cuda.device import SIMULATED, arrays, stream
from fastdigits.ops.cuda.graph import Captured
from fastdigits.ops.cuda.launch import LANES, kernel

if SIMULATED:
    from fastdigits.ops.array.reference import download, empty, upload, zeros
else:

    def empty(shape, dtype=np.float32):
        """See reference.empty."""
        with stream():
            return arrays().empty(shape, dtype)

    def zeros(shape, dtype=np.float32):
        """See reference.zeros."""
        with stream():
            return arrays().zeros(shape, dtype)

    def upload(host):
        """See reference.upload."""
        with stream():
            return arrays().array(host)

    def download(array):
        """See reference.download. Waits until all before it is done."""
        return array.get(stream())


def write(numbers):
    """See reference.write. One launch for four numbers, which are among its arguments: the host need not wait."""
    for first in range(0, len(numbers), 4):
        some = numbers[first : first + 4]
        arrays, values = zip(*some, *[some[0]] * (4 - len(some)), strict=True)
        _write(*arrays, *values)


@kernel(lambda *arguments: (1,), warps=1)
def _write(first, second, third, fourth, of_first, of_second, of_third, of_fourth):
    first[0], second[0], third[0], fourth[0] = of_first, of_second, of_third, of_fourth


def captured(function):
    """See reference.captured. Replays CUDA graphs; the simulator records nothing."""
    return function if SIMULATED else Captured(function)


def pack(images, x):
    """See reference.pack."""
    reference.pack(arrays().asarray(images), x)


def unpack(x, images):
    """See reference.unpack."""
    packed = empty(images.shape)
    reference.unpack(x, packed)
    images[...] = download(packed) if isinstance(images, np.ndarray) else packed


def accumulate(values, total):
    """See reference.accumulate. One warp adds: a lane every 32nd value, and then one lane what all have."""
    _accumulate(values.reshape(-1), total)


@kernel(lambda values, total: (1,), warps=1)
def _accumulate(values, total):
    lane, (V,) = cuda.threadIdx.x, values.shape
    of_lane = float64(0.0)
    for v in range(lane, V, LANES):
        of_lane += values[v]
    sums = cuda.shared.array(LANES, float64)
    sums[lane] = of_lane
    cuda.syncthreads()
    if lane == 0:
        for other in range(LANES):
            total[0] += sums[other]


__all__ = ["accumulate", "captured", "download", "empty", "pack", "unpack", "upload", "write", "zeros"]
