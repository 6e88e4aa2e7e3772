"""Array operations of a GPU, on CuPy arrays. `pack` and `unpack` also take images in host memory."""

import numpy as np
from numba import cuda, float64

from fastdigits.ops.array import reference
from fastdigits.ops.cuda.device import SIMULATED, on_stream, stream
from fastdigits.ops.cuda.graph import Captured
from fastdigits.ops.cuda.launch import LANES, kernel

if SIMULATED:
    from fastdigits.ops.array.reference import download, empty, upload, zeros
else:

    def empty(shape, dtype=np.float32):
        """See reference.empty."""
        return on_stream().empty(shape, dtype)

    def zeros(shape, dtype=np.float32):
        """See reference.zeros."""
        return on_stream().zeros(shape, dtype)

    def upload(host):
        """See reference.upload."""
        return on_stream().array(host)

    def download(array):
        """See reference.download. Waits for all operations before it."""
        return array.get(stream())


def captured(function):
    """See reference.captured. Replays CUDA graphs; under the simulator, nothing is recorded."""
    return (reference.captured if SIMULATED else Captured)(function)


def pack(images, x):
    """See reference.pack."""
    reference.pack(on_stream().asarray(images), x)


def unpack(x, images):
    """See reference.unpack."""
    packed = empty(images.shape)
    reference.unpack(x, packed)
    images[...] = download(packed) if isinstance(images, np.ndarray) else packed


def accumulate(values, total):
    """See reference.accumulate. Each lane of one warp sums every 32nd value, then one lane adds up these sums."""
    _accumulate(values.reshape(-1), total)


@kernel(lambda values, total: (1,), warps=1)
def _accumulate(values, total):
    lane, (V,) = cuda.threadIdx.x, values.shape
    lane_sum = float64(0.0)
    for v in range(lane, V, LANES):
        lane_sum += values[v]
    sums = cuda.shared.array(LANES, float64)
    sums[lane] = lane_sum
    cuda.syncthreads()
    if lane == 0:
        for other in range(LANES):
            total[0] += sums[other]


__all__ = ["accumulate", "captured", "download", "empty", "pack", "unpack", "upload", "zeros"]
