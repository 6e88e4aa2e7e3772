"""Counter-based random numbers: functions of seed, stream, step and element, which are equal on every device.

random_uniform: uniform numbers from Philox    random_permutation: the order of the images in an epoch
random_mask: the elements of a batch that dropout keeps
"""

from math import ceil, log2

OPS = ("random_uniform", "random_permutation", "random_mask")

ROUNDS = 6  # rounds of the Feistel network that permutes


def half_bits(count: int) -> int:
    """Return the number of bits in each half of a Feistel network that permutes at least 0 .. count - 1."""
    return max(1, ceil(log2(max(count, 2)) / 2))


def mask_threshold(rate: float) -> int:
    """Return the smallest n with n / 2^24 >= rate: an element is kept if its 24 random bits reach n."""
    return ceil(rate * 2**24)
