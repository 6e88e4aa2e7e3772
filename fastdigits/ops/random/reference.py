"""Definitions of the random numbers."""

import numpy as np

LOW = np.uint64(0xFFFFFFFF)
HIGH = np.uint64(32)


def random_uniform(seed, stream, step, values):
    """Fill values with uniform numbers in [0, 1): the top 24 bits of the first word of Philox, over 2^24.

    The counter of values[e] is (e, step, stream, 0); the key is the two halves of the seed.

    Parameters
    ----------
    seed : int
        Below 2^64.
    stream, step : int
        Below 2^32. The stream separates uses, the step separates points in time.
    values : float32 (n,), filled

    References
    ----------
    Salmon et al. (2011), Parallel random numbers: as easy as 1, 2, 3: Philox4x32-10.
    """
    element = np.arange(len(values), dtype=np.uint64)
    values[...] = (philox(element, step, stream, seed)[0] >> np.uint64(8)).astype(np.float64) / 2**24


def random_permutation(seed, step, order):
    """Fill order with the numbers 0 .. n - 1, shuffled: all n! orders are equally likely.

    The numbers are sorted by 64 random bits each, whose lowest bits are replaced by the number itself, so that no two
    are equal. The bits are those of Philox4x64-10 with the key (seed, step). All devices sort on the host.

    Parameters
    ----------
    seed : int
        Below 2^64.
    step : int
        The epoch, below 2^32.
    order : int32 (n,), filled

    References
    ----------
    Salmon et al. (2011), Parallel random numbers: as easy as 1, 2, 3.
    """
    bits = np.uint64(len(order).bit_length())
    # NumPy guarantees a stable stream for the raw words of Philox, but not for the methods of Generator.
    words = np.random.Philox(key=np.array([seed, step], np.uint64)).random_raw(len(order))
    words = words >> bits << bits | np.arange(len(order), dtype=np.uint64)
    words.sort()
    order[...] = words & np.uint64(2 ** int(bits) - 1)


def random_mask(seed, stream, step, rate, mask):
    """Fill mask[b, k, l] with 0 with probability `rate`, else 1.

    The counter of element k of image n = b*L + l is (n K + k, step, stream, 0), independent of the number of lanes.

    Parameters
    ----------
    seed, stream
        As in random_uniform.
    step : int64 (1,)
        An array, so that a recorded CUDA graph can read a new value.
    rate : float
        Between 0 and 1.
    mask : uint8 (B, K, L), filled
    """
    B, K, L = mask.shape
    image = np.arange(B * L, dtype=np.uint64).reshape(B, 1, L)
    element = image * np.uint64(K) + np.arange(K, dtype=np.uint64)[:, None]
    mask[...] = (philox(element, step[0], stream, seed)[0] >> np.uint64(8)) / 2**24 >= rate


def philox(element, step, stream, seed):
    """Return the four 32-bit words of Philox4x32-10 for the counter (element, step, stream, 0), as uint64."""
    c0, c1, c2, c3 = (np.asarray(c, np.uint64) for c in (element, step, stream, 0))
    k0, k1 = np.uint64(seed) & LOW, np.uint64(seed) >> HIGH
    for _ in range(10):
        p0, p2 = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (p2 >> HIGH) ^ c1 ^ k0, p2 & LOW, (p0 >> HIGH) ^ c3 ^ k1, p0 & LOW
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & LOW, (k1 + np.uint64(0xBB67AE85)) & LOW
    return c0, c1, c2, c3
