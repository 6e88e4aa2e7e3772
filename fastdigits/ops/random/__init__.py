"""Random numbers that are a function of what they are for: the same on every device, in any order.

random_uniform: element e of a stream at a step under a seed, by Philox    random_permutation: the order of an epoch
random_mask: which elements of a batch are kept
"""

from math import ceil, log2

OPS = ("random_uniform", "random_permutation", "random_mask")

ROUNDS = 6  # of the permutation's Feistel network


def half_bits(count: int) -> int:
    """The bits of half a number in a Feistel network that permutes at least 0 .. count - 1."""
    return max(1, ceil(log2(max(count, 2)) / 2))


def least(rate: float) -> int:
    """The smallest number of 24 bits n with n / 2^24 >= rate."""
    return ceil(rate * 2**24)
